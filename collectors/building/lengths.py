"""How long names, ids and tags may be, and how many tags: they end up in indexes, dictionaries and metric labels."""

from collections.abc import Sequence

from core.config import Limits
from core.errors import Rejected


def check_name(name: str, limits: Limits, field: str) -> None:
    """Rejected when a name or an id is too long to be one; `field` says whose it is."""
    if len(name) > limits.name_length:
        raise too_long(len(name), limits, field)


def check_names(names: Sequence[str], limits: Limits, field: str) -> None:
    if names and (longest := max(map(len, names))) > limits.name_length:
        raise too_long(longest, limits, field)


def check_tags(tags: Sequence[tuple[str, str]], limits: Limits) -> None:
    """Rejected when a prediction has too many tags, or one that is too long."""
    if len(tags) > limits.tags:
        raise too_many_tags(len(tags), limits)
    for name, value in tags:
        if len(value) > limits.tag_length:
            detail = f"{len(value)} characters; at most {limits.tag_length} are taken (limits.tag_length)"
            raise Rejected(413, "too_long", detail, f"tags.{name[:100]}")
        check_name(name, limits, "tags")


def too_many_tags(count: int, limits: Limits) -> Rejected:
    return Rejected(413, "too_many_tags", f"{count} tags; at most {limits.tags} are taken (limits.tags)", "tags")


def too_long(length: int, limits: Limits, field: str) -> Rejected:
    most = f"at most {limits.name_length} are taken (limits.name_length)"
    return Rejected(413, "too_long", f"a name of {length} characters; {most}", field)
