"""CloudEvents written as JSON objects: one of them (structured mode) or an array (batch mode).

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from collectors.formats.body import inside, is_json
from collectors.formats.values import as_json
from core.errors import Rejected

_REQUIRED = ("specversion", "id", "source", "type")
_VERSIONS = ("1.0", "0.3")
_PAYLOAD = ("data", "data_base64")


class Structured(NamedTuple):
    """An event's attributes as text, and its payload."""

    attributes: Mapping[str, str]
    data: bytes


def structured(value: Any) -> Structured:
    """One event; attributes that are not text are taken as their JSON, null ones as absent. Else Rejected."""
    if not isinstance(value, dict):
        raise Rejected(400, "bad_event", f"an event is a JSON object, not {type(value).__name__}")
    sent = {name: item for name, item in value.items() if item is not None and name not in _PAYLOAD}
    attributes = {name: item if isinstance(item, str) else as_json(item) for name, item in sent.items()}
    check_required(attributes)
    return Structured(attributes, _payload(value, attributes))


def each(values: Any, most_events: int) -> list[Structured | Rejected]:
    """The events of a batch; one that cannot be read leaves its Rejected in its place."""
    if not isinstance(values, list):
        raise Rejected(400, "bad_event", f"a batch is a JSON array, not {type(values).__name__}")
    if len(values) > most_events:
        raise Rejected(
            413, "too_large", f"{len(values)} events; at most {most_events} are taken (limits.events_per_batch)"
        )
    found: list[Structured | Rejected] = []
    for index, value in enumerate(values):
        try:
            found.append(structured(value))
        except Rejected as error:
            found.append(inside(f"[{index}]", error))
    return found


def check_required(attributes: Mapping[str, str], prefix: str = "") -> None:
    """Rejected when an attribute that every event has is absent, or its version is unknown."""
    for name in _REQUIRED:
        if not attributes.get(prefix + name):
            raise Rejected(400, "missing_attribute", "a CloudEvent needs it", prefix + name)
    version = attributes[prefix + "specversion"]
    if version not in _VERSIONS:
        detail = f"{version[:20]!r} is not known; {' and '.join(_VERSIONS)} are"
        raise Rejected(400, "bad_specversion", detail, prefix + "specversion")


def _payload(value: Mapping[str, Any], attributes: Mapping[str, str]) -> bytes:
    """Base64 decoded, JSON written again, any other text as it is; version 0.3 marks base64 by an attribute."""
    data, encoded, field = value.get("data"), value.get("data_base64"), "data_base64"
    if encoded is None and attributes.get("datacontentencoding") == "base64":
        data, encoded, field = None, data, "data"
    if encoded is not None:
        return _from_base64(encoded, field)
    if data is None:
        return b""
    if isinstance(data, str) and not is_json(attributes.get("datacontenttype", "")):
        return data.encode()
    return _json_bytes(data)


def _from_base64(encoded: Any, field: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Rejected(400, "bad_base64", f"not base64: {error}", field) from None


def _json_bytes(data: Any) -> bytes:
    try:
        return json.dumps(data, separators=(",", ":")).encode()  # orjson would make null of infinity
    except RecursionError:
        raise Rejected(400, "too_deep", "nested too deep to be taken out of its event", "data") from None
