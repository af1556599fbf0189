"""CloudEvents over HTTP as KServe, Knative, Seldon Core 1 and MLServer send them, and what they say of an inference.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from collectors.cloudevents.structured import Structured, check_required, each, structured
from collectors.formats import exact
from collectors.formats.body import inside, loads
from collectors.formats.encodings import is_packed, unzip
from collectors.formats.values import as_json
from core.config import Limits
from core.errors import Rejected
from core.records import HalfKind, RequestKey

_LIMITS = Limits()
_JSON = "application/cloudevents+json"
_JSON_BATCH = "application/cloudevents-batch+json"
_KINDS: dict[str, HalfKind] = {
    "org.kubeflow.serving.inference.request": "request",
    "org.kubeflow.serving.inference.response": "response",
    "io.seldon.serving.inference.request": "request",
    "io.seldon.serving.inference.response": "response",
}


class Event(NamedTuple):
    """One event; texts are '' where the sender said nothing.

    `extensions` are looked up by their name without `ce-`. `content_type` and `data` are of the payload.
    `traceparent` is the event's own, else that of the HTTP request it came in.
    """

    type: str
    id: str
    source: str
    time_text: str
    extensions: Mapping[str, str]
    content_type: str
    data: bytes
    traceparent: str


def read(headers: Mapping[str, str], body: bytes, limits: Limits = _LIMITS) -> list[Event | Rejected]:
    """The events of one HTTP request, whose header names are in lower case.

    Raises Rejected when nothing can be read; in a batch, an event that cannot be read leaves its Rejected in its place.
    """
    content_type = headers.get("content-type", "")
    if not content_type.startswith("application/cloudevents"):
        return [_binary(headers, content_type, body)]
    media = content_type.partition(";")[0].strip()
    if media not in (_JSON, _JSON_BATCH):
        detail = f"{media[:100]!r} is not read; accepted: {_JSON}, {_JSON_BATCH}, or ce- headers with any type"
        raise Rejected(415, "unknown_content_type", detail, "content-type")
    value = loads(unzip(body, limits.body_bytes, headers.get("content-encoding", "")), limits)
    outer = headers.get("traceparent", "")
    if media == _JSON:
        return [_event(structured(value), outer)]
    found = _unpacked(each(value, limits.events_per_batch), limits)
    return [part if isinstance(part, Rejected) else _event(part, outer) for part in found]


def half_kind(event_type: str) -> HalfKind:
    """Whether an event is a request or a response; Rejected when it is neither."""
    kind = _KINDS.get(event_type)
    if kind is None:
        raise Rejected(422, "unknown_event_type", f"{event_type[:100]!r} is none of {', '.join(_KINDS)}", "type")
    return kind


def identity(event: Event) -> RequestKey:
    """Namespace, model and request id; Rejected when the event names no model."""
    get = event.extensions.get
    node = get("modelid") if event.type.startswith("io.seldon.") else None  # a node of a Seldon Core 1 graph
    model = node or get("inferenceservicename")
    if not model:
        raise Rejected(400, "missing_attribute", "the event names no model", "ce-inferenceservicename")
    component = get("component")
    if component and component != "predictor":
        model = f"{model}-{component}"
    return RequestKey(get("namespace") or "default", model, get("requestid") or event.id)


def tags(event: Event) -> tuple[tuple[str, str], ...]:
    """The caller's headers and the annotations that KServe passes on, and an endpoint other than the default one.

    Header names are in lower case, as at every tap. What is not the JSON it should be is kept as it came.
    """
    get = event.extensions.get
    found = {}
    for name, lower in (("metadata", True), ("annotations", False)):
        text = get(name)
        if text and text != "{}":
            found.update(_entries(name, text, lower))
    endpoint = get("endpoint")
    if endpoint and endpoint != "default":
        found["endpoint"] = endpoint
    return tuple(found.items())


def status(event: Event) -> int:
    """The HTTP status of a response, 200 where the event does not say: KServe's logger used to send no others."""
    text = event.extensions.get("statuscode", "200")
    if not (len(text) == 3 and text.isascii() and text.isdigit()):
        raise Rejected(400, "bad_status", f"{text[:20]!r} is no HTTP status", "ce-statuscode")
    return int(text)


class _Extensions(Mapping[str, str]):
    """The `ce-` headers, looked up where they are: thousands of events a second are not worth copying them all."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        return _decoded(self._headers["ce-" + name])

    def __iter__(self) -> Iterator[str]:
        return (name[3:] for name in self._headers if name.startswith("ce-"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def get(self, name: str, default: Any = None) -> Any:
        """As Mapping has it, without raising and catching KeyError for every absent header."""
        value = self._headers.get("ce-" + name)
        return default if value is None else _decoded(value)


def _binary(headers: Mapping[str, str], content_type: str, body: bytes) -> Event:
    """Attributes in headers, the payload in the body."""
    check_required(headers, "ce-")
    get = headers.get
    return Event(
        _decoded(headers["ce-type"]),
        _decoded(headers["ce-id"]),
        _decoded(headers["ce-source"]),
        get("ce-time", ""),
        _Extensions(headers),
        content_type,
        body,
        get("ce-traceparent") or get("traceparent", ""),
    )


def _unpacked(found: list[Structured | Rejected], limits: Limits) -> list[Structured | Rejected]:
    """Packed payloads unpacked, to `limits.body_bytes` all together: a batch may hold ten thousand of them."""
    left = limits.body_bytes
    for index, part in enumerate(found):
        if isinstance(part, Structured) and is_packed(part.data):
            try:
                unzipped = unzip(part.data, left)
                found[index] = part._replace(data=unzipped)
            except Rejected as error:
                found[index] = inside(f"[{index}].data", error)
                left = left if error.status != 413 else 0
            else:
                left -= len(unzipped)
    return found


def _event(sent: Structured, outer: str) -> Event:
    attributes, data = sent
    get = attributes.get
    return Event(
        attributes["type"],
        attributes["id"],
        attributes["source"],
        get("time", ""),
        attributes,
        get("datacontenttype", "application/json"),
        data,
        get("traceparent") or outer,
    )


def _decoded(text: str) -> str:
    """A header's value without the percent-encoding that the binding asks for."""
    return unquote(text) if "%" in text else text


def _entries(name: str, text: str, lower: bool) -> dict[str, str]:
    try:
        value = exact.loads(text.encode())
        if isinstance(value, dict):
            return {key.lower() if lower else key: _joined(item) for key, item in value.items()}
    except (ValueError, RecursionError, Rejected):  # no JSON
        pass
    return {name: text}


def _joined(item: Any) -> str:
    """Repeated headers are one list, as HTTP joins them."""
    if isinstance(item, list) and all(isinstance(part, str) for part in item):
        return ", ".join(item)
    return item if isinstance(item, str) else as_json(item)
