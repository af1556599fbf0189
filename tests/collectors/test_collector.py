"""From the taps to the sink: nothing accepted is lost, doubled, or able to cost its neighbours."""

import logging
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sent import NOW, UNNAMED, exchange, groups, half
from sinks import Halves, ScriptedSink, collector

from collectors.building.exchanges import Exchange, Naming
from collectors.storing.spool import ROWS_PER_INSERT
from core.errors import StoreUnavailable
from core.metrics import Metrics
from core.records import DeadLetter, ModelKey


def batch(*ids: str, x: float = 1.0) -> pa.RecordBatch:
    return pa.concat_batches([group.batch for id in ids for group in groups(exchange({"x": [x]}, id=id))])


def letter(body: bytes = b"?") -> DeadLetter:
    return DeadLetter(NOW, "api", "bad_json", "not JSON", "", body)


def counted(metrics: Metrics, name: str) -> float:
    """The sum of a counter over all its labels."""
    return sum(s.value for family in metrics.registry.collect() for s in family.samples if s.name == name)


def test_what_comes_is_stored_at_the_next_flush_with_its_fields() -> None:
    taking = collector(sink := ScriptedSink())
    taking.half(half("pair", x=[1.0]))
    taking.half(half("pair", "response", y=[2.0]))
    taking.exchange(exchange({"x": [1.0]}, id="whole"))
    taking.rows(batch("row"), [])
    taking.dead_letter(letter())
    assert taking.waiting_bytes > 0
    taking.flush()
    assert sorted(sink.ids()) == ["pair", "row", "whole"]
    assert {(f.name, f.role) for f in sink.fields} == {("x", "input"), ("y", "output")}
    assert (len(sink.letters), taking.waiting_bytes) == (1, 0)


def test_a_store_that_is_away_loses_nothing_and_keeps_the_order() -> None:
    taking = collector(sink := ScriptedSink(away=3))
    taking.dead_letter(letter())
    for number in range(3):
        taking.rows(batch(f"r{number}"), [])
        with pytest.raises(StoreUnavailable):
            taking.flush()
    taking.rows(batch("r3"), [])
    taking.flush()
    assert sink.ids() == ["r0", "r1", "r2", "r3"]
    assert (len(sink.letters), taking.waiting_bytes) == (1, 0)


def test_an_insert_tried_again_is_the_same_one_so_that_the_store_can_tell() -> None:
    taking = collector(sink := ScriptedSink(away=1))
    taking.rows(batch("first"), [])
    with pytest.raises(StoreUnavailable):
        taking.flush()
    taking.rows(batch("second"), [])
    taking.flush()
    assert [b.column("id").to_pylist() for b in sink.batches] == [["first"], ["second"]]


def test_memory_is_full_until_the_store_is_back() -> None:
    taking = collector(sink := ScriptedSink(away=1), spool_bytes=20_000)
    taken = 0
    while not taking.full:
        taking.rows(batch(f"r{taken}"), [])
        taken += 1
    with pytest.raises(StoreUnavailable):
        taking.flush()
    assert taking.full
    taking.flush()
    assert not taking.full
    assert (len(sink.ids()), taking.waiting_bytes) == (taken, 0)


@pytest.mark.parametrize("receive", ["half", "exchange", "dead_letter"])
def test_everything_that_waits_counts_against_the_limit(receive: str) -> None:
    taking = collector(ScriptedSink(), spool_bytes=100_000)
    waiting = half(x=np.zeros(20_000))
    things: dict[str, Any] = {
        "half": waiting,
        "exchange": Exchange(waiting, half(kind="response")),
        "dead_letter": letter(b"?" * 160_000),
    }
    getattr(taking, receive)(things[receive])
    assert taking.full
    taking.close()
    assert taking.waiting_bytes == 0


def test_rows_the_store_refuses_become_letters_at_once_and_cost_no_others() -> None:
    taking = collector(sink := ScriptedSink(refused="m"), metrics=(metrics := Metrics()))
    taking.rows(batch("a", "b"), [])
    taking.close()
    assert {(dead.reason, dead.model, dead.detail) for dead in sink.letters} == {
        ("store_refused", "m", "no such column")
    }
    assert [pa.ipc.open_stream(dead.body).read_all().column("id").to_pylist() for dead in sink.letters] == [
        ["a"],
        ["b"],
    ]
    assert (counted(metrics, "tidemark_dead_letters_total"), sink.batches) == (2, [])
    assert counted(metrics, "tidemark_predictions_stored_total") == 0


def test_many_refused_rows_are_letters_that_can_be_kept_whole() -> None:
    taking = collector(sink := ScriptedSink(refused="m"))
    [wide] = groups(exchange({"x": np.ones((40, 9, 1000))}))
    taking.rows(wide.batch, wide.fields)
    taking.flush()
    kept = [id for dead in sink.letters for id in pa.ipc.open_stream(dead.body).read_all().column("id").to_pylist()]
    assert sorted(kept) == sorted(f"r-{row}" for row in range(40))
    assert max(len(dead.body) for dead in sink.letters) < 2**20


def test_one_poisonous_exchange_does_not_cost_its_neighbours(caplog: pytest.LogCaptureFixture) -> None:
    def naming(model: ModelKey) -> Naming:
        if model.model == "bad":
            raise RuntimeError("boom")
        return UNNAMED

    taking = collector(sink := ScriptedSink(), naming=naming)
    request = half("poison", x=[1.0])
    taking.exchange(exchange({"x": [1.0]}, id="before"))
    taking.exchange(Exchange(request._replace(key=request.key._replace(model="bad")), None))
    taking.exchange(exchange({"x": [2.0]}, id="after"))
    with caplog.at_level(logging.CRITICAL):
        taking.flush()
    assert sink.ids() == ["before", "after"]
    [dead] = sink.letters
    assert (dead.reason, dead.id, dead.rows, dead.detail) == ("internal", "poison", 1, "RuntimeError: boom")
    assert request.body in dead.body


def test_the_same_content_is_stored_once_and_other_content_is_kept() -> None:
    taking = collector(sink := ScriptedSink(), metrics=(metrics := Metrics()))
    assert taking.rows(batch("r"), []).accepted == 1
    again = taking.rows(batch("r", "new"), [])
    assert (again.accepted, again.duplicate) == (1, 1)
    assert taking.rows(batch("r", x=2.0), []).accepted == 1
    taking.exchange(exchange({"x": [1.0]}, id="r"))
    taking.flush()
    assert sink.ids() == ["r", "new", "r"]
    assert counted(metrics, "tidemark_duplicates_total") == 2
    assert counted(metrics, "tidemark_conflicts_total") == 1


def test_an_id_is_of_one_model() -> None:
    taking = collector(sink := ScriptedSink())
    taking.rows(batch("r"), [])
    request = half("r", x=[1.0])
    key = request.key._replace(model="other")
    taking.exchange(Exchange(request._replace(key=key), half("r", "response")._replace(key=key)))
    taking.flush()
    assert sink.ids() == ["r", "r"]


def test_rows_with_ids_made_here_are_not_looked_for() -> None:
    taking = collector(ScriptedSink())
    taking.rows(batch("made-here"), [], new=True)
    assert taking.rows(batch("made-here"), []).duplicate == 0


def test_closing_stores_everything_and_keeps_halves_for_whoever_comes_next() -> None:
    store = Halves()
    first = collector(sink := ScriptedSink(), store)
    first.rows(batch("row"), [])
    first.exchange(exchange({"x": [1.0]}, id="whole"))
    first.half(half("late", x=[1.0]))
    first.close()
    assert sorted(sink.ids()) == ["row", "whole"] and len(store.stored) == 1
    second = collector(sink, store)
    second.half(half("late", "response"))
    second.close()
    assert sink.ids()[-1] == "late" and not store.stored
    assert (first.waiting_bytes, second.waiting_bytes) == (0, 0)


def test_halves_stay_in_their_store_while_the_prediction_cannot_be_stored() -> None:
    store = Halves()
    first = collector(ScriptedSink(), store)
    first.half(half("r", x=[1.0]))
    first.close()
    second = collector(sink := ScriptedSink(away=1), store)
    second.half(half("r", "response"))
    with pytest.raises(StoreUnavailable):
        second.close()
    assert len(store.stored) == 2
    second.close()
    assert sink.ids() == ["r"] and not store.stored


def test_a_flood_is_stored_in_inserts_of_bounded_size() -> None:
    taking = collector(sink := ScriptedSink())
    [group] = groups(exchange({"x": np.arange(60_000.0)}))
    for _ in range(7):
        taking.rows(group.batch, group.fields, new=True)
    taking.flush()
    assert [len(b) for b in sink.batches] == [180_000, 180_000, 60_000]
    assert max(map(len, sink.batches)) <= ROWS_PER_INSERT


def test_threads_that_send_while_others_flush_lose_nothing() -> None:
    taking, stop = collector(sink := ScriptedSink()), Event()
    flushing = Thread(target=lambda: [taking.flush() for _ in iter(stop.is_set, True)])

    def send(number: int) -> None:
        for at in range(100):
            taking.exchange(exchange({"x": [1.0]}, id=f"e{number}-{at}"))
            taking.rows(batch(f"r{number}-{at}"), [])

    senders = [Thread(target=send, args=(number,)) for number in range(4)]
    for thread in (flushing, *senders):
        thread.start()
    for thread in senders:
        thread.join()
    stop.set()
    flushing.join()
    taking.close()
    assert sorted(sink.ids()) == sorted(f"{kind}{n}-{at}" for kind in "er" for n in range(4) for at in range(100))
    assert taking.waiting_bytes == 0


def test_stored_predictions_are_counted_by_model_version_and_status() -> None:
    taking = collector(ScriptedSink(), metrics=(metrics := Metrics()))
    failed = half("f", "response")._replace(status=500, latency=0.3)
    taking.exchange(Exchange(half("f", x=[1.0]), failed))
    taking.exchange(exchange({"x": [1.0, 2.0]}, id="ok"))
    taking.flush()
    sample = metrics.registry.get_sample_value
    labels = {"namespace": "default", "model": "m"}
    assert sample("tidemark_predictions_stored_total", labels) == 3
    assert sample("tidemark_inference_total", {**labels, "version": "", "status": "500"}) == 1
    assert sample("tidemark_inference_total", {**labels, "version": "", "status": "200"}) == 2
    assert sample("tidemark_inference_latency_seconds_count", {**labels, "version": ""}) == 3
    assert sample("tidemark_last_received_timestamp_seconds", labels) == NOW / 1e6


def test_the_lag_is_the_age_of_the_oldest_thing_not_stored() -> None:
    now = [NOW]
    taking = collector(ScriptedSink(away=1), metrics=(metrics := Metrics()), clock=lambda: now[0])
    taking.exchange(exchange({"x": [1.0]}))
    now[0] += 2_500_000
    with pytest.raises(StoreUnavailable):
        taking.flush()
    assert metrics.registry.get_sample_value("tidemark_ingest_lag_seconds") == 2.5
    now[0] += 1_000_000
    taking.flush()
    assert metrics.registry.get_sample_value("tidemark_ingest_lag_seconds") == 3.5
    taking.flush()
    assert metrics.registry.get_sample_value("tidemark_ingest_lag_seconds") == 0
