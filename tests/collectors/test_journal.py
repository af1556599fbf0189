"""What was accepted reads back from its frame as it was, and what a crash left is taken up as if it had just come."""

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import NOW, exchange, groups
from sinks import Halves, MemoryJournal, ScriptedSink, collector

from collectors.collector import Collector
from collectors.exchanges import Exchange
from collectors.journal import FRAME_BYTES, Rows, exchange_frame, halves_frame, read_frame, rows_frames
from collectors.pairing import Pairing
from collectors.recovery import Recovery
from collectors.taps.events import decoded_again
from core.records import Half, HalfKind, Payload, RequestKey

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


@settings(deadline=None, max_examples=200)
@given(st.lists(halves(), max_size=4))
def test_halves_read_back_as_they_were(sent: list[Half]) -> None:
    found = read_frame(halves_frame(sent), decoded_again)
    assert isinstance(found, list)
    assert [shown(half) for half in found] == [shown(half) for half in sent]


@settings(deadline=None, max_examples=50)
@given(halves(), halves())
def test_an_exchange_reads_back_as_one_failed_answers_too(request: Half, response: Half) -> None:
    found = read_frame(exchange_frame(Exchange(request, response)), decoded_again)
    assert isinstance(found, Exchange) and found.request and found.response
    assert [shown(found.request), shown(found.response)] == [shown(request), shown(response)]


def test_rows_read_back_with_ids_contents_and_fields() -> None:
    (group,) = groups(exchange({"x": [1.0, np.nan], "c": ["a", "b"]}, {"y": [0.1, 0.2]}, id="r"))
    (frame,) = rows_frames(group.batch, group.fields)
    found = read_frame(frame, decoded_again)
    assert isinstance(found, Rows)
    assert found.batch.equals(group.batch) and found.fields == group.fields


def test_many_rows_are_several_frames_that_fit_the_log() -> None:
    (group,) = groups(exchange({"x": np.zeros((40_000, 100))}))
    frames = rows_frames(group.batch, group.fields)
    assert len(frames) > 1 and max(map(len, frames)) < 2 * FRAME_BYTES
    read = [read_frame(frame, decoded_again) for frame in frames]
    assert sum(len(rows.batch) for rows in read if isinstance(rows, Rows)) == 40_000
    assert rows_frames(group.batch[:0], []) == []


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200), st.sampled_from([b"", b"h", b"e", b"r", b"h\2\0\0\0[]"]))
def test_bytes_that_are_no_frame_become_a_dead_letter_and_never_stop_a_start(noise: bytes, start: bytes) -> None:
    taking = collector(sink := ScriptedSink())
    pair = exchange_frame(Exchange(half("a"), half("a", "response")))
    recover(taking, [start + noise, pair])
    taking.close()
    assert sink.ids()[-1:] == ["a"]
    assert all((x.source, x.reason, x.body) == ("log", "unreadable_frame", start + noise) for x in sink.letters)


def test_what_the_log_held_is_stored_with_the_time_it_was_received() -> None:
    taking = collector(sink := ScriptedSink())
    (group,) = groups(exchange({"x": [1.0]}, id="row"))
    recover(
        taking, [halves_frame([half("pair")]), *rows_frames(group.batch, []), halves_frame([half("pair", "response")])]
    )
    taking.flush()
    assert sorted(sink.ids()) == ["pair", "row"]
    assert {time.value for batch in sink.batches for time in batch.column("received")} == {NOW}


def test_a_log_larger_than_memory_is_stored_on_the_way_and_waits_for_the_store() -> None:
    taking = collector(sink := ScriptedSink(away=2), spool_bytes=10_000)
    pairs = [exchange_frame(Exchange(half(f"r{n}"), half(f"r{n}", "response"))) for n in range(50)]
    recover(taking, pairs)
    assert len(sink.ids()) > 30
    taking.close()
    assert sink.ids() == [f"r{n}" for n in range(50)]


def test_a_half_whose_prediction_is_stored_does_not_come_back_as_an_orphan() -> None:
    class Predicted(Halves):
        def predicted(self, keys: Any) -> dict[RequestKey, int]:
            return {RequestKey("default", "m", "done"): NOW}

    store = Predicted()
    taking = collector(ScriptedSink(), pairing=Pairing(store, decoded_again, started=NOW + 10))
    conflicting = v2("response", [2.0])  # sent after the prediction was stored
    later = half("done", "response")._replace(received=NOW + 5, body=conflicting)
    recover(taking, [halves_frame([half("done", "response"), half("alone", "response"), later])])
    taking.close()
    assert sorted((h.key.request_id, h.received) for h in store.stored.values()) == [("alone", NOW), ("done", NOW + 5)]


def test_the_journal_hears_only_what_an_earlier_flush_stored() -> None:
    """A pair found in the store is a row with the next flush only; halves wait in memory for five seconds."""
    now = [NOW]
    taking = collector(
        sink := ScriptedSink(),
        journal=(journal := MemoryJournal()),
        clock=lambda: now[0],
        pairing=Pairing(Halves(), decoded_again),
    )
    taking.flush()
    now[0] += 20_000_000
    taking.flush()
    assert journal.before == NOW - 6_000_000
    sink.away = 1
    taking.half(half("r"))
    taking.half(half("r", "response"))
    with pytest.raises(Exception, match="refused"):
        taking.flush()
    assert journal.before == NOW - 6_000_000


def half(id: str, kind: HalfKind = "request") -> Half:
    headers = (("content-type", "application/json"),)
    body = v2(kind, [1.0])
    sent = Half(RequestKey("default", "m", id), kind, Payload(()), NOW, NOW, "events", headers=headers, body=body)
    return decoded_again(sent)


def recover(taking: Collector, frames: list[bytes]) -> None:
    Recovery(taking, decoded_again, lambda: NOW, retry_seconds=0).run(frames)
