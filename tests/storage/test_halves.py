"""Halves wait in the store until their other half comes."""

import pytest

from core.records import Half, HalfKind, Payload, RequestKey
from storage.delivery.halves import IDS_PER_QUERY, StoreHalves
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine

NOW = 1_800_000_000_000_000


def half(id: str = "r", kind: HalfKind = "request", model: str = "m", namespace: str = "default") -> Half:
    return Half(
        RequestKey(namespace, model, id),
        kind,
        Payload(()),
        NOW,
        NOW + 1,
        "events",
        status=503,
        error="no",
        latency=0.5,
        trace_id="f" * 32,
        tags=(("customer", "7"),),
        headers=(("content-type", "application/json"),),
        body=bytes(range(256)),
    )


def test_a_half_comes_back_as_it_was_kept(store: Engine) -> None:
    halves = StoreHalves(store)
    halves.keep([half()])
    assert halves.kept([half().key]) == [half()]


def test_only_halves_of_the_keys_asked_for_come_back(engine: EmbeddedEngine) -> None:
    halves = StoreHalves(engine)
    wanted = [half("a"), half("a", "response"), half("b", model="other")]
    halves.keep([*wanted, half("c"), half("a", model="other"), half("a", namespace="team"), half("b")])
    found = halves.kept({half("a").key, half("b", model="other").key, half("never").key})
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert halves.kept([]) == []


def test_a_completed_half_is_kept_no_more(engine: EmbeddedEngine) -> None:
    halves = StoreHalves(engine)
    halves.keep([half("a"), half("b")])
    halves.complete([half("a")])
    halves.complete([])
    assert [h.key.request_id for h in halves.kept([half("a").key, half("b").key])] == ["b"]


def test_keeping_again_what_a_lost_answer_hid_keeps_it_once(engine: EmbeddedEngine) -> None:
    halves = StoreHalves(engine)
    halves.keep([half()])
    halves.keep([half()])
    assert halves.kept([half().key]) == [half()]


def test_halves_in_conflict_are_both_kept_in_the_order_they_came(engine: EmbeddedEngine) -> None:
    halves, first = StoreHalves(engine), half()
    second = first._replace(body=b"other", received=first.received + 1)
    halves.keep([second, first])
    assert halves.kept([first.key]) == [first, second]


@pytest.mark.parametrize("several", [2 * IDS_PER_QUERY + 1])
def test_any_number_can_be_asked_for(store: Engine, several: int) -> None:
    halves = StoreHalves(store)
    sent = [half(f"a-rather-long-request-id-of-a-sender-{n}") for n in range(several)]
    halves.keep(sent)
    assert len(halves.kept({h.key for h in sent})) == several


def test_the_predictions_of_an_id_are_found_and_no_others(engine: Engine) -> None:
    values = ", ".join(
        f"('default', 'm', '{id}', map('x', {x}), {x})" for id, x in [("one", 1), ("two-0", 2), ("one", 3)]
    )
    engine.command(f"INSERT INTO predictions (namespace, model, id, inputs_num, content) VALUES {values}")
    asked = {RequestKey("default", model, id) for model in ("m", "n") for id in ("one", "two", "three")}
    found = StoreHalves(engine).predicted(asked)
    assert sorted((row["id"], dict(row["inputs_num"])["x"]) for row in found) == [("one", 1.0), ("one", 3.0)]


def test_a_completed_half_stays_so_whoever_keeps_it_again(engine: EmbeddedEngine) -> None:
    StoreHalves(engine, "first").complete([half()])
    StoreHalves(engine, "second").keep([half()])
    assert StoreHalves(engine).kept([half().key]) == []


def test_a_collector_finds_what_it_has_left_and_not_what_others_have(engine: EmbeddedEngine) -> None:
    mine, other = StoreHalves(engine, "mine"), StoreHalves(engine, "other")
    mine.keep([half("old")._replace(received=NOW - 1), half("new"), half("done")])
    other.keep([half("theirs")])
    other.complete([half("done")])
    assert mine.left(NOW) == [half("new").id]
