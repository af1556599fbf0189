"""Labels as JSON: `{"labels": [{"id", "value", "name"?, "model"?, "namespace"?, "source"?, "time"?}]}`."""

from typing import Any, NamedTuple

from collectors.building.lengths import check_name
from collectors.formats import exact
from collectors.formats.body import loads
from collectors.labels.values import label_batch, label_value
from collectors.rows import BadRow, Defaults, LabelsRead, check_bad_rows, too_many
from collectors.rows.times import read_time, settled_time, time_text
from core.config import Limits
from core.errors import Rejected
from core.options import nearest

KEYS = ("id", "value", "name", "model", "namespace", "source", "time")
_CALL = ("namespace", "model", "labels")


def read_labels(body: bytes, defaults: Defaults) -> LabelsRead:
    """Rejected when the body as a whole cannot be read; single labels go to `rejected`."""
    document = loads(body, defaults.limits)
    if not isinstance(document, dict) or not isinstance(document.get("labels"), list):
        raise Rejected(400, "bad_shape", "expected an object with a list 'labels'", "labels")
    if unknown := document.keys() - set(_CALL):
        raise Rejected(400, "unknown_key", nearest(min(unknown)[:100], _CALL), min(unknown))
    if len(document["labels"]) > defaults.limits.rows_per_request:
        raise too_many(defaults.limits)
    said = {name: _text(document, name) for name in _CALL[:2] if document.get(name) is not None}
    return _read(document["labels"], Defaults(**{**defaults._asdict(), **said}))


def call_of(label: Any) -> bytes:
    """A call with that label alone."""
    try:
        return exact.dumps({"labels": [label]})
    except TypeError:  # a lone surrogate, or an infinity that JSON has no word for
        return str(label).encode("utf-8", "replace")


def bad_label(number: int, label: Any, error: Rejected, defaults: Defaults) -> BadRow:
    own = label if isinstance(label, dict) else {}
    of = [str(own.get(name) or getattr(defaults, name)) for name in ("namespace", "model")]
    return BadRow(number, error.field, error.detail, error.code, call_of(label), *of)


class _Label(NamedTuple):
    """In the order of the schema LABELS."""

    time: int
    received: int
    namespace: str
    model: str
    id: str
    name: str
    value: str
    num: float | None
    source: str


def _read(labels: list[Any], defaults: Defaults) -> LabelsRead:
    good, rejected, numbers = [], [], []
    for number, label in enumerate(labels):
        try:
            good.append(_checked(label, defaults))
            numbers.append(number)
        except Rejected as error:
            rejected.append(bad_label(number, label, error, defaults))
            check_bad_rows(len(rejected), rejected[0], defaults.limits)
    return LabelsRead(label_batch(good), rejected, numbers)


def _checked(label: Any, defaults: Defaults) -> _Label:
    if not isinstance(label, dict):
        raise Rejected(400, "bad_row", f"expected an object, found {type(label).__name__}")
    if unknown := label.keys() - set(KEYS):
        raise Rejected(400, "unknown_key", nearest(min(unknown)[:100], KEYS), min(unknown))
    namespace = _text(label, "namespace") or defaults.namespace
    defaults.allowed.check(namespace)
    value = label_value(label.get("value"))
    found = _Label(
        _time(label.get("time"), defaults.received),
        defaults.received,
        namespace,
        _text(label, "model") or defaults.model,
        _id(label.get("id")),
        _text(label, "name"),
        value.text,
        value.number,
        _text(label, "source"),
    )
    _check_lengths(found, defaults.limits)
    return found


def _check_lengths(label: _Label, limits: Limits) -> None:
    for name in ("namespace", "model", "id", "name", "source"):
        check_name(getattr(label, name), limits, name)
    if len(label.value) > limits.tag_length:
        detail = f"{len(label.value)} characters; at most {limits.tag_length} are taken (limits.tag_length)"
        raise Rejected(413, "too_long", detail, "value")


def _time(value: Any, received: int) -> int:
    """Of a prediction one that cannot be meant becomes `received`; a label has no tag to keep the original in."""
    time = read_time(value, received)
    if settled_time(time, received)[1]:
        detail = f"{time_text(time)} is before the year 2000, or more than an hour ahead"
        raise Rejected(400, "bad_time", detail, "time")
    return time


def _id(value: Any) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return str(value)
    raise Rejected(400, "bad_value", "say which prediction it is of, as text or a whole number", "id")


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Rejected(400, "bad_value", f"expected text, found {type(value).__name__}", name)
    return value
