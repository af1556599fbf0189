"""Detectors of other libraries as steps, each by its own name: `<family>.<Name>`. They run in a worker process, and
nothing of a library is imported before it is used there. The one room of `detectors` that reads files: saved detectors.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from core.errors import ConfigError

from . import alibi_detect, evidently
from .protocols import Examined, Table, TableDetector, Verdict

__all__ = ["ADAPTERS", "Adapter", "Examined", "Table", "TableDetector", "Verdict", "adapter", "make", "names"]


class Adapter(NamedTuple):
    """`names` of what it has, `extra` of the package that installs its library, `module` of the library."""

    make: Callable[[str, Mapping[str, Any]], TableDetector]
    names: tuple[str, ...]
    extra: str
    module: str


ADAPTERS: dict[str, Adapter] = {
    "alibi_detect": Adapter(alibi_detect.make, alibi_detect.NAMES, "alibi-detect", "alibi_detect"),
    "evidently": Adapter(evidently.make, evidently.NAMES, "evidently", "evidently"),
}


def adapter(use: str) -> Adapter | None:
    """The family that `use` names a detector of, None when it is none of an adapter's."""
    return ADAPTERS.get(use.partition(".")[0])


def names() -> list[str]:
    """Everything that `use` may say."""
    return [f"{prefix}.{name}" for prefix, family in ADAPTERS.items() for name in family.names]


def make(use: str, options: Mapping[str, Any]) -> TableDetector:
    """`<family>.<Name>` with its options. ConfigError says what is unknown or wrong, and the nearest known name."""
    prefix, _, name = use.partition(".")
    if not name:
        raise ConfigError(f"'{use}' is a library: name one of its detectors, such as {use}.{ADAPTERS[prefix].names[0]}")
    return ADAPTERS[prefix].make(name, options)
