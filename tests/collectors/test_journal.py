"""What was accepted reads back from its frame as it was, and what a crash left is taken up as if it had just come."""

import math
import time
from typing import Any

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import NOW, exchange, groups
from sinks import MemoryJournal, ScriptedSink, collector

from collectors.accepting.intake import Intake
from collectors.accepting.items import Called, Halves, Item, Letters, Rows
from collectors.accepting.journal import FRAME_BYTES, frames_of, read_frame
from collectors.building.exchanges import Exchange
from collectors.taps.events import decoded_again
from core.records import DeadLetter, Half, HalfKind, Payload, RequestKey

TEXT = st.text(max_size=8)
ASCII = st.text(st.characters(max_codepoint=0xFF), max_size=8)
PAIRS = st.lists(st.tuples(ASCII, TEXT), max_size=3).map(tuple)
MICROS = st.integers(-(2**53), 2**53)
LATENCY = st.one_of(st.just(math.nan), st.floats(0, allow_infinity=False))


@st.composite
def halves(draw: st.DrawFn) -> Half:
    """Those with a body of the Open Inference Protocol are decoded, the others are bytes that nobody reads."""
    kind: HalfKind = draw(st.sampled_from(["request", "response"]))
    values = draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4))
    body = v2(kind, values) if values else draw(st.binary(max_size=50))
    said: list[Any] = [
        draw(each) for each in (MICROS, MICROS, TEXT, st.integers(0, 999), st.text("a\ud800é"), LATENCY, TEXT)
    ]
    tags, key = draw(PAIRS), RequestKey(draw(TEXT), draw(TEXT), draw(TEXT))
    half = Half(key, kind, Payload(()), *said, tags, (("content-type", "application/json"),), body)
    payload = decoded_again(half).payload if values else half.payload
    return half._replace(payload=payload._replace(version=draw(TEXT)))


def v2(kind: HalfKind, values: list[float]) -> bytes:
    tensor = {"name": "x", "shape": [1, len(values)], "datatype": "FP64", "data": values}
    return orjson.dumps({"inputs" if kind == "request" else "outputs": [tensor]})


def shown(half: Half) -> list[Any]:
    """Everything of a half that can be compared with ==."""
    tensors = [(t.name, t.values.tolist(), t.datatype, t.columns) for t in half.payload.tensors]
    latency = None if math.isnan(half.latency) else half.latency
    return [tensors, half.payload.version, *half._replace(payload=Payload(()), latency=0), latency]


def framed(item: Item) -> bytes:
    ((_, frame),) = frames_of(item)
    return frame


@settings(deadline=None, max_examples=200)
@given(st.lists(halves(), min_size=1, max_size=4))
def test_halves_read_back_as_they_were(sent: list[Half]) -> None:
    found = read_frame(framed(Halves(sent)), decoded_again)
    assert isinstance(found, Halves)
    assert [shown(half) for half in found.halves] == [shown(half) for half in sent]


@settings(deadline=None, max_examples=50)
@given(halves(), halves())
def test_an_exchange_reads_back_as_one_failed_answers_too(request: Half, response: Half) -> None:
    found = read_frame(framed(Called(Exchange(request, response))), decoded_again)
    assert isinstance(found, Called) and found.exchange.request and found.exchange.response
    assert [shown(found.exchange.request), shown(found.exchange.response)] == [shown(request), shown(response)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.binary(max_size=20), TEXT, PAIRS), min_size=1, max_size=3), st.integers(0, 1))
def test_letters_read_back_with_their_bytes(sent: list[tuple[bytes, str, Any]], events: int) -> None:
    letters = [DeadLetter(NOW, "api", "bad_json", text, "x", body, headers=headers) for body, text, headers in sent]
    assert read_frame(framed(Letters(letters, events)), decoded_again) == Letters(letters, events)


def test_rows_read_back_with_ids_contents_and_fields() -> None:
    (group,) = groups(exchange({"x": [1.0, np.nan], "c": ["a", "b"]}, {"y": [0.1, 0.2]}, id="r"))
    found = read_frame(framed(Rows(group.batch, group.fields, new=True)), decoded_again)
    assert isinstance(found, Rows)
    assert found.batch.equals(group.batch) and found[1:] == (group.fields, True, 1)


def test_many_rows_are_several_frames_that_fit_the_log_and_one_event() -> None:
    (group,) = groups(exchange({"x": np.zeros((40_000, 100))}))
    frames = [frame for _, frame in frames_of(Rows(group.batch, group.fields))]
    assert len(frames) > 1 and max(map(len, frames)) < 2 * FRAME_BYTES
    read = [read_frame(frame, decoded_again) for frame in frames]
    assert sum(item.rows.total() for item in read) == 40_000
    assert [item.events for item in read] == [1] + [0] * (len(frames) - 1)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200), st.sampled_from([b"", b"h", b"e", b"r", b"l", b"h\2\0\0\0[]"]))
def test_bytes_that_are_no_frame_become_a_dead_letter_and_never_stop_a_start(noise: bytes, start: bytes) -> None:
    pair = framed(Called(Exchange(half("a"), half("a", "response"))))
    sink = ScriptedSink()
    resumed(MemoryJournal(frames=[start + noise, pair]), sink).flush(everything=True)
    assert sink.ids()[-1:] == ["a"]
    assert all((x.source, x.reason, x.body) == ("log", "unreadable_frame", start + noise) for x in sink.letters)


def test_what_the_log_held_is_stored_with_the_time_it_was_received() -> None:
    (group,) = groups(exchange({"x": [1.0]}, id="row"))
    items: list[Item] = [Halves([half("pair")]), Rows(group.batch, []), Halves([half("pair", "response")])]
    sink = ScriptedSink()
    resumed(MemoryJournal(frames=[framed(item) for item in items]), sink).flush()
    assert sorted(sink.ids()) == ["pair", "row"]
    assert {time.value for batch in sink.batches for time in batch.column("received")} == {NOW}


def test_a_log_larger_than_memory_is_read_as_the_store_takes_it() -> None:
    pairs = [framed(Called(Exchange(half(f"r{n}"), half(f"r{n}", "response")))) for n in range(50)]
    sink = ScriptedSink()
    intake = resumed(MemoryJournal(frames=pairs), sink, spool_bytes=20_000)
    assert intake.behind
    reads = 0
    while intake.behind:
        intake.flush()
        intake.read_on()
        reads += 1
    intake.flush()
    assert reads > 5 and sink.ids() == [f"r{n}" for n in range(50)]


def test_a_backlog_is_read_for_a_moment_at_a_time_so_that_a_stop_need_not_wait_for_all_of_it() -> None:
    def slow(half: Half) -> Half:
        time.sleep(0.2)
        return decoded_again(half)

    journal = MemoryJournal(
        frames=[framed(Called(Exchange(half(f"r{n}"), half(f"r{n}", "response")))) for n in range(4)]
    )
    intake = Intake(journal, collector(sink := ScriptedSink()), slow, lambda: NOW)
    intake.resume()
    assert intake.read_on() and intake.behind
    intake.read_on()
    intake.flush()
    assert not intake.behind and sink.ids() == ["r0", "r1", "r2", "r3"]


def resumed(journal: MemoryJournal, sink: ScriptedSink, **ports: Any) -> Intake:
    intake = Intake(journal, collector(sink, **ports), decoded_again, lambda: NOW)
    intake.resume()
    intake.read_on()
    return intake


def half(id: str, kind: HalfKind = "request") -> Half:
    headers = (("content-type", "application/json"),)
    body = v2(kind, [1.0])
    sent = Half(RequestKey("default", "m", id), kind, Payload(()), NOW, NOW, "events", headers=headers, body=body)
    return decoded_again(sent)
