"""CloudEvents in every mode, from captures and built."""

import base64
import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cloudevents.events import Event, half_kind, identity, read, status, tags
from collectors.formats import Hints, decode
from core.config import Limits
from core.errors import Rejected
from core.records import RequestKey

GOLDEN = Path(__file__).parent / "formats" / "golden"
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "r1",
    "source": "http://localhost:9081/",
    "type": "org.kubeflow.serving.inference.request",
    "inferenceservicename": "income",
    "namespace": "team-a",
}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def golden(name: str) -> tuple[dict[str, str], bytes]:
    """Headers with names in lower case, and the body."""
    head, _, body = (GOLDEN / name).read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    pairs = [line.split(": ", 1) for line in head.decode().split("\n") if ": " in line and not line.startswith("#")]
    return {name.lower(): value for name, value in pairs}, body


def headers(**attributes: str) -> dict[str, str]:
    said = {f"ce-{name}": value for name, value in {**ATTRIBUTES, **attributes}.items()}
    return {"host": "localhost", "content-type": "application/json", **said}


def one(found: list[Event | Rejected]) -> Event:
    (event,) = found
    assert isinstance(event, Event)
    return event


def structured(**attributes: Any) -> Event:
    return one(read(STRUCTURED, orjson.dumps({**ATTRIBUTES, **attributes})))


def rejected(headers: dict[str, str], body: bytes = b"{}") -> tuple[int, str, str]:
    with pytest.raises(Rejected) as caught:
        read(headers, body)
    return caught.value.status, caught.value.code, caught.value.field


def test_the_event_of_kserves_agent() -> None:
    event = one(read(*golden("kserve-agent-event-built-from-its-source.txt")))
    assert half_kind(event.type) == "request"
    assert identity(event) == RequestKey("default", "sklearn-iris", "0009174a-24a8-4603-b098-09c8799950e9")
    assert (event.time_text, event.source) == ("2026-11-22T13:48:48.1234567Z", "http://localhost:9081/")
    assert tags(event) == (("x-request-id", "r1"),)
    (tensor,) = decode(event.data, half_kind(event.type), Hints(event.content_type)).tensors
    assert tensor.values.tolist() == [[6.8, 2.8, 4.8, 1.4]]


def test_the_headers_of_mlservers_answer_are_a_seldon_response_of_version_0_3() -> None:
    event = one(read(*golden("mlserver-1.7.1-http-response-with-ce-headers.txt")))
    assert half_kind(event.type) == "response"
    assert identity(event) == RequestKey("default", "iris", "req-42")
    assert decode(event.data, "response").version == "v1"


def test_the_headers_mlserver_writes_to_kafka_name_the_same_things() -> None:
    record = orjson.loads((GOLDEN / "mlserver-1.7.1-kafka-output.json").read_bytes())
    sent = {name.lower(): value for name, value in record["headers"].items()}
    assert identity(one(read(sent, orjson.dumps(record["value"])))) == RequestKey("default", "iris", "k2")


def test_binary_mode_shows_extensions_without_their_prefix() -> None:
    event = one(read(headers(customer="c 1"), b"{}"))
    assert dict(event.extensions)["customer"] == event.extensions["customer"] == "c 1"
    assert set(event.extensions) == {*ATTRIBUTES, "customer"}
    assert "host" not in event.extensions and event.extensions.get("absent") is None


def test_header_values_are_percent_decoded() -> None:
    event = one(read(headers(id="a%20b%22%25", inferenceservicename="caf%C3%A9"), b"{}"))
    assert (event.id, identity(event).model) == ('a b"%', "café")


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_missing_attribute_is_named_as_it_would_be_sent(name: str) -> None:
    absent = headers()
    del absent[f"ce-{name}"]
    assert rejected(absent) == (400, "missing_attribute", f"ce-{name}")
    assert rejected(headers(**{name: ""})) == (400, "missing_attribute", f"ce-{name}")
    assert rejected(STRUCTURED, orjson.dumps({**ATTRIBUTES, name: None})) == (400, "missing_attribute", name)


def test_an_unknown_version_or_mode_is_refused_with_what_is_accepted() -> None:
    assert rejected(headers(specversion="2.0")) == (400, "bad_specversion", "ce-specversion")
    with pytest.raises(Rejected, match=r"cloudevents\+json.*cloudevents-batch\+json") as caught:
        read({"content-type": "application/cloudevents+avro"}, b"")
    assert (caught.value.status, caught.value.field) == (415, "content-type")


def test_an_unknown_event_type_is_refused_with_what_is_accepted() -> None:
    with pytest.raises(Rejected, match=r"org\.kubeflow.*io\.seldon") as caught:
        half_kind("io.seldon.serving.feedback")
    assert (caught.value.status, caught.value.code) == (422, "unknown_event_type")


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({}, ("team-a", "income", "r1")),
        ({"namespace": ""}, ("default", "income", "r1")),
        ({"requestid": "q9"}, ("team-a", "income", "q9")),
        ({"component": "predictor"}, ("team-a", "income", "r1")),
        ({"component": "transformer"}, ("team-a", "income-transformer", "r1")),
        ({"modelid": "node"}, ("team-a", "income", "r1")),
        ({"modelid": "node", "type": "io.seldon.serving.inference.request"}, ("team-a", "node", "r1")),
        ({"type": "io.seldon.serving.inference.request"}, ("team-a", "income", "r1")),
    ],
)
def test_identity_is_the_same_in_binary_and_structured_mode(attributes: dict[str, str], key: tuple[str, ...]) -> None:
    assert identity(one(read(headers(**attributes), b"{}"))) == key
    assert identity(structured(**attributes)) == key


def test_an_event_without_a_model_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        identity(one(read(headers(inferenceservicename=""), b"{}")))
    assert (caught.value.status, caught.value.field) == (400, "ce-inferenceservicename")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"metadata": "{}", "endpoint": "default"}, {}),
        ({"metadata": '{"X-Customer":["c1"],"Accept":["a","b"]}'}, {"x-customer": "c1", "accept": "a, b"}),
        ({"metadata": '{"X-Customer":"c1","N":3}'}, {"x-customer": "c1", "n": "3"}),
        ({"metadata": "not json"}, {"metadata": "not json"}),
        ({"metadata": '["x"]'}, {"metadata": '["x"]'}),
        ({"metadata": '{"a":' * 300 + "1" + "}" * 300}, {"metadata": '{"a":' * 300 + "1" + "}" * 300}),
        ({"annotations": '{"Team":"red"}', "endpoint": "canary"}, {"Team": "red", "endpoint": "canary"}),
    ],
)
def test_metadata_becomes_tags_and_what_is_unreadable_stays_as_it_came(
    attributes: dict[str, str], expected: dict[str, str]
) -> None:
    assert dict(tags(one(read(headers(**attributes), b"{}")))) == expected


def test_the_status_is_the_senders_word_or_200() -> None:
    assert status(one(read(headers(), b"{}"))) == 200
    assert status(one(read(headers(statuscode="503"), b"{}"))) == 503
    with pytest.raises(Rejected) as caught:
        status(one(read(headers(statuscode="²00"), b"{}")))
    assert caught.value.field == "ce-statuscode"


def test_the_events_own_trace_comes_before_that_of_the_http_request() -> None:
    inner, outer = ("00-" + digit * 32 + "-00f067aa0ba902b7-01" for digit in "ab")
    assert one(read({**headers(), "traceparent": outer}, b"{}")).traceparent == outer
    assert one(read({**headers(traceparent=inner), "traceparent": outer}, b"{}")).traceparent == inner
    body = orjson.dumps({**ATTRIBUTES, "traceparent": inner})
    assert one(read({**STRUCTURED, "traceparent": outer}, body)).traceparent == inner
    assert one(read({**STRUCTURED, "traceparent": outer}, orjson.dumps(ATTRIBUTES))).traceparent == outer
    assert one(read(headers(), b"{}")).traceparent == ""


@pytest.mark.parametrize(
    ("sent", "data", "content_type"),
    [
        ({"data": {"instances": [[1, 2.5]]}}, b'{"instances":[[1,2.5]]}', "application/json"),
        ({"data_base64": base64.b64encode(b"\x00\xff").decode(), "datacontenttype": "application/octet-stream"},
         b"\x00\xff", "application/octet-stream"),
        ({"data": base64.b64encode(b"old").decode(), "datacontentencoding": "base64", "specversion": "0.3"},
         b"old", "application/json"),
        ({"data": "a,b", "datacontenttype": "text/csv"}, b"a,b", "text/csv"),
        ({"data": "a"}, b'"a"', "application/json"),
        ({}, b"", "application/json"),
    ],
)  # fmt: skip
def test_structured_data_comes_out_as_the_bytes_it_stands_for(
    sent: dict[str, Any], data: bytes, content_type: str
) -> None:
    event = structured(**sent)
    assert (event.data, event.content_type) == (data, content_type)


def test_infinity_in_structured_data_is_kept() -> None:
    body = orjson.dumps({**ATTRIBUTES, "data": {"instances": [1]}}).replace(b"[1]", b"[Infinity,NaN]")
    (tensor,) = decode(one(read(STRUCTURED, body)).data, "request").tensors
    assert repr(tensor.values.tolist()) == "[inf, nan]"


def test_a_structured_event_may_be_zipped() -> None:
    assert one(read(STRUCTURED, gzip.compress(orjson.dumps(ATTRIBUTES)))).id == "r1"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "bad_json", ""),
        (b"[]", "bad_event", ""),
        (orjson.dumps({**ATTRIBUTES, "data_base64": "!"}), "bad_base64", "data_base64"),
        (orjson.dumps({**ATTRIBUTES, "data_base64": 5}), "bad_base64", "data_base64"),
        (b"[" * 1_000_000, "too_deep", ""),
    ],
)
def test_a_bad_structured_event_is_refused(body: bytes, code: str, field: str) -> None:
    assert rejected(STRUCTURED, body) == (400, code, field)


def test_one_bad_event_of_a_batch_costs_its_neighbours_nothing() -> None:
    sent = [ATTRIBUTES, {**ATTRIBUTES, "id": None}, 7, {**ATTRIBUTES, "data_base64": "!"}, {**ATTRIBUTES, "id": "r2"}]
    found = read(BATCH, orjson.dumps(sent))
    assert [e.id for e in found if isinstance(e, Event)] == ["r1", "r2"]
    faults = [(i, e.field) for i, e in enumerate(found) if isinstance(e, Rejected)]
    assert faults == [(1, "[1].id"), (2, "[2]"), (3, "[3].data_base64")]


def test_a_batch_is_an_array_of_limited_length() -> None:
    assert rejected(BATCH, orjson.dumps(ATTRIBUTES))[1] == "bad_event"
    assert read(BATCH, b"[]") == []
    with pytest.raises(Rejected) as caught:
        read(BATCH, orjson.dumps([ATTRIBUTES] * 3), Limits(events_per_batch=2))
    assert caught.value.status == 413


names = st.sampled_from([*(f"ce-{name}" for name in ATTRIBUTES), "ce-metadata", "ce-statuscode", "content-type"])
texts = st.text(max_size=8) | st.sampled_from([*STRUCTURED.values(), *BATCH.values(), *ATTRIBUTES.values(), "%zz", "{"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*ATTRIBUTES, "data", "data_base64"]), inner),
    max_leaves=8,
)


@given(sent=st.dictionaries(names, texts), body=st.binary(max_size=30) | json_values.map(orjson.dumps))
@settings(max_examples=300, deadline=None)
def test_arbitrary_requests_are_read_or_rejected_and_nothing_else(sent: dict[str, str], body: bytes) -> None:
    try:
        for event in read(sent, body):
            if isinstance(event, Event):
                tags(event)
                status(event)
                identity(event)
    except Rejected as error:
        assert error.status in (400, 413, 415, 422)


@given(value=json_values, mode=st.sampled_from([STRUCTURED, BATCH]))
@settings(max_examples=200, deadline=None)
def test_arbitrary_json_events_are_read_or_rejected_and_nothing_else(value: Any, mode: dict[str, str]) -> None:
    event = {**ATTRIBUTES, **value} if isinstance(value, dict) else value
    try:
        read(mode, orjson.dumps([event] if mode is BATCH else event))
    except Rejected as error:
        assert error.status == 400
