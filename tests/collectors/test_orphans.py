"""A half without its partner is an orphan, counted once; one whose prediction is stored was only sent again."""

from typing import Any, cast

import pytest
from sent import NOW
from sent import half as built
from sinks import Halves, Taking, collector

import collectors.halves.orphans
from collectors.building.exchanges import Exchange
from collectors.building.naming import Names
from collectors.halves.orphans import Orphans
from collectors.halves.pairing import HELD_MICROS, Pairing
from collectors.taps.events import decoded_again
from core.config import Config, parse
from core.errors import ConfigError, StoreUnavailable
from core.metrics import Metrics
from core.records import Half, HalfKind, Payload, RequestKey
from storage.delivery.halves import StoreHalves
from storage.delivery.sink import StoreSink
from storage.engine import Engine

MINUTE = 60_000_000


def half(id: str, kind: HalfKind = "request", value: float = 1.0, received: int = NOW) -> Half:
    side = "inputs" if kind == "request" else "outputs"
    body = f'{{"{side}": [{{"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [{value}, 2.5]}}]}}'
    key, headers = RequestKey("default", "m", id), (("content-type", "application/json"),)
    return decoded_again(Half(key, kind, Payload(()), NOW, received, "events", headers=headers, body=body.encode()))


def over(engine: Engine, name: str, now: list[int]) -> tuple[Taking, Metrics]:
    metrics = Metrics()
    pairing = Pairing(StoreHalves(engine, name), decoded_again)
    ports: dict[str, Any] = {"pairing": pairing, "metrics": metrics, "clock": lambda: now[0]}
    return collector(cast(Any, StoreSink(engine)), **ports), metrics


def unanswered(metrics: Metrics) -> tuple[float | None, float | None]:
    """Halves and rows counted."""
    of_model = {"namespace": "default", "model": "m"}
    value = metrics.registry.get_sample_value
    rows = value("tidemark_inference_total", {**of_model, "version": "", "status": "0"})
    return value("tidemark_orphans_total", of_model), rows


def test_an_orphan_counts_once_and_not_before_its_time(engine: Engine) -> None:
    now = [NOW]
    taking, metrics = over(engine, "one", now)
    taking.half(half("alone"))
    for now[0] in (NOW + MINUTE // 10, NOW + MINUTE - 1):
        taking.flush()
        assert unanswered(metrics) == (None, None)
        assert metrics.registry.get_sample_value("tidemark_waiting_halves") == 1
    for now[0] in (NOW + MINUTE, NOW + 2 * MINUTE, NOW + 3 * MINUTE):
        taking.flush()
        assert unanswered(metrics) == (1, 2)
        assert metrics.registry.get_sample_value("tidemark_waiting_halves") == 0


def test_a_half_that_another_collector_pairs_in_time_is_no_orphan(engine: Engine) -> None:
    now = [NOW]
    (first, counted), (second, _) = (over(engine, name, now) for name in ("first", "second"))
    first.half(half("late"))
    first.flush(everything=True)
    second.half(half("late", "response"))
    second.flush(everything=True)
    now[0] += MINUTE
    first.flush()
    assert unanswered(counted) == (None, None)


@pytest.mark.parametrize("judged", [MINUTE, 2 * MINUTE])
@pytest.mark.parametrize("kind", ["request", "response"])
def test_a_half_paired_in_the_memory_of_another_collector_leaves_the_store(
    engine: Engine, kind: HalfKind, judged: int
) -> None:
    """At the first look or, when the pair came after that, at the second."""
    now = [NOW]
    (first, _), (second, _) = (over(engine, name, now) for name in ("first", "second"))
    first.half(half("twice", kind))
    first.half(half("twice", kind, value=7.0, received=NOW + 1))  # a conflict is not the same once more
    first.flush(everything=True)
    now[0] = NOW + judged - 1
    first.flush()
    second.exchange(Exchange(half("twice", received=NOW + 2), half("twice", "response", received=NOW + 2)))
    second.flush()
    for now[0] in (NOW + judged + 1, NOW + judged + 1 + HELD_MICROS):
        first.flush()
    assert [one.received for one in StoreHalves(engine).kept([half("twice").key])] == [NOW + 1]
    assert first.difference() == 0
    [line] = [e.counts for e in first.ledger.entries(first.in_flight()) if e.unit == "row"]
    assert (line["accepted"], line["orphans"]) == (2, 2)


def test_what_a_process_left_is_looked_after_by_the_next_and_by_no_other(engine: Engine) -> None:
    now = [NOW]
    first, _ = over(engine, "first", now)
    first.half(half("alone"))
    first.close()
    now[0] += 10 * MINUTE
    (again, counted), (other, not_counted) = (over(engine, name, now) for name in ("first", "other"))
    for taking in (again, other):
        taking.look_after(first.left())
        taking.flush()
    assert (unanswered(counted), unanswered(not_counted)) == ((None, None), (None, None)), "the log may hold its answer"
    for taking in (again, other):
        taking.caught_up()
        taking.flush()
    assert (unanswered(counted), unanswered(not_counted)) == ((1, 2), (None, None))


def test_a_store_that_is_away_leaves_them_to_be_judged() -> None:
    store = Halves()
    orphans = Orphans(Pairing(store, lambda half: half), Names(Config()), MINUTE)
    store.keep([built(x=[1.0])])
    orphans.watch([built().id])
    store.fails = [True]
    with pytest.raises(StoreUnavailable):
        orphans.judge(NOW + MINUTE)
    judged = orphans.judge(NOW + MINUTE)
    assert judged and [one.id for one in judged.orphans] == [built().id]


def test_memory_is_bounded_by_looking_early_at_the_oldest() -> None:
    orphans = Orphans(Pairing(Halves(), lambda half: half), Names(Config()), MINUTE)
    orphans.watch(built(str(n)).id for n in range(collectors.halves.orphans.MOST + 10))
    while orphans.judge(NOW):
        pass
    assert len(orphans) == collectors.halves.orphans.MOST


@pytest.mark.parametrize("text", ["5s", "0s", "1 minute"])
def test_orphan_after_must_be_longer_than_a_half_waits_in_memory(text: str) -> None:
    with pytest.raises(ConfigError, match=r"tidemark.yaml:1: pairing.orphan_after: "):
        parse(f"pairing: {{orphan_after: {text}}}\n")
    assert parse("pairing: {orphan_after: 6s}\n").pairing.orphan_after.total_seconds() == 6
