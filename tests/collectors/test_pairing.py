"""Requests and responses find each other, whatever order, collector or life of a process they come in."""

import itertools
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sent import NOW, half
from sinks import Halves, Taking

from collectors.accounting.ledger import Ledger
from collectors.building.exchanges import Exchange
from collectors.building.naming import Names
from collectors.collector import Ports
from collectors.halves.pairing import FOREVER, Pairing, Swept
from collectors.storing.recent import Seen
from collectors.taps.events import decoded_again
from core.config import Config
from core.errors import StoreUnavailable
from core.metrics import Metrics
from core.records import Half, HalfKind, Payload, RequestKey
from storage.delivery.halves import StoreHalves
from storage.delivery.sink import StoreSink
from storage.engine import Engine

SECOND = 1_000_000


def pairing(store: Halves) -> Pairing:
    return Pairing(store, lambda half: half, patience=5.0)


@pytest.mark.parametrize("kinds", [("request", "response"), ("response", "request")])
def test_the_second_half_completes_the_pair(kinds: tuple[HalfKind, HalfKind]) -> None:
    pairs = pairing(Halves())
    assert pairs.add(half(kind=kinds[0])) is Seen.NEW
    completed = pairs.add(half(kind=kinds[1]))
    assert isinstance(completed, Exchange) and completed.request and completed.response
    assert (completed.request.kind, completed.response.kind) == ("request", "response")
    assert (len(pairs), pairs.bytes) == (0, 0)


def test_a_half_sent_again_is_a_duplicate_and_waits_once() -> None:
    pairs = pairing(Halves())
    assert [pairs.add(half(x=[1.0])) for _ in range(3)] == [Seen.NEW, Seen.DUPLICATE, Seen.DUPLICATE]
    assert len(pairs) == 1


def test_a_half_waits_its_patience_in_memory_and_then_in_the_store() -> None:
    store = Halves()
    pairs = pairing(store)
    pairs.add(half())
    assert pairs.sweep(NOW + 4 * SECOND) == Swept() and not store.stored
    assert pairs.sweep(NOW + 5 * SECOND) == Swept((half(),)) and len(store.stored) == 1
    assert (len(pairs), pairs.bytes) == (0, 0)


def test_a_partner_that_comes_late_finds_it_there() -> None:
    store = Halves()
    first, second = pairing(store), pairing(store)
    first.add(half(x=[1.0]))
    first.sweep(FOREVER)
    second.add(half(kind="response", y=[2.0]))
    [found] = second.sweep(FOREVER).found
    assert found.exchange == Exchange(half(x=[1.0]), half(kind="response", y=[2.0]))


def test_halves_leave_the_store_only_when_their_prediction_is_stored() -> None:
    store = Halves()
    pairs = pairing(store)
    pairs.add(half())
    pairs.sweep(FOREVER)
    pairs.add(half(kind="response"))
    pairs.sweep(FOREVER)
    assert len(store.stored) == 2
    pairs.settle()
    assert not store.stored


@pytest.mark.parametrize("fails", [[True], [False, True]])
def test_a_store_that_is_away_leaves_halves_waiting(fails: list[bool]) -> None:
    pairs = pairing(store := Halves(fails))
    pairs.add(half())
    with pytest.raises(StoreUnavailable):
        pairs.sweep(FOREVER)
    assert len(pairs) == 1
    assert pairs.sweep(FOREVER) == Swept((half(),)) and len(store.stored) == 1


def test_a_partner_found_while_the_store_goes_away_is_not_lost() -> None:
    store = Halves()
    first, second = pairing(store), pairing(store)
    first.add(half())
    first.sweep(FOREVER)
    second.add(half(kind="response"))
    store.fails = [False, True]
    with pytest.raises(StoreUnavailable):
        second.sweep(FOREVER)
    assert len(second.sweep(FOREVER).found) == 1


class PartnerDuringSweep(Halves):
    """While halves are being kept, the partner of one arrives."""

    meanwhile: list[Exchange | Seen]
    pairs: Pairing

    def keep(self, halves: Sequence[Half]) -> None:
        super().keep(halves)
        self.meanwhile = [self.pairs.add(half(kind="response"))]


def test_a_half_completed_while_it_is_swept_is_no_orphan() -> None:
    store = PartnerDuringSweep()
    store.pairs = pairs = pairing(store)
    pairs.add(half())
    assert pairs.sweep(FOREVER) == Swept()
    assert isinstance(store.meanwhile[0], Exchange)
    pairs.settle()
    assert not store.stored and (len(pairs), pairs.bytes) == (0, 0)


def test_of_two_conflicting_halves_the_first_pairs_and_the_other_is_kept() -> None:
    store = Halves()
    pairs = pairing(store)
    pairs.add(half(x=[1.0]))
    assert pairs.add(half(x=[2.0])._replace(received=NOW + 1)) is Seen.CONFLICT
    assert isinstance(pairs.add(half(kind="response")), Exchange)
    pairs.sweep(FOREVER)
    assert [h.payload.tensors[0].values.tolist() for h in store.stored.values()] == [[2.0]]


def test_a_half_whose_partner_was_left_in_the_store_does_not_wait_again() -> None:
    pairs = pairing(Halves())
    pairs.add(half(x=[1.0]))
    pairs.sweep(FOREVER)
    pairs.add(half(kind="response", y=[2.0])._replace(received=NOW + 60 * SECOND))
    [found] = pairs.sweep(NOW + 60 * SECOND).found
    assert (found.half.kind, found.partner.kind) == ("response", "request")


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("swept", range(4))
@pytest.mark.parametrize("kinds", [("request", "response"), ("response", "request")])
def test_of_two_pairs_with_one_id_each_finds_its_own_half(
    kinds: tuple[HalfKind, HalfKind], swept: int, restarted: bool
) -> None:
    """In the order they came, whichever of them is swept into the store before its partner comes."""
    store = Halves()
    pairs, made = pairing(store), []
    sent = [half(kind=kind, v=[float(pair)]) for pair in range(2) for kind in kinds]
    for n, one in enumerate(sent):
        found = pairs.add(one._replace(received=NOW + n))
        made += [found] if isinstance(found, Exchange) else []
        if n == swept:
            made += [one.exchange for one in pairs.sweep(FOREVER).found]
            if restarted:
                pairs = pairing(store)
                pairs.look_out([half.id for half in store.stored.values()])
    made += [one.exchange for one in pairs.sweep(FOREVER).found]
    assert sorted(_values(one) for one in made) == [(0.0, 0.0), (1.0, 1.0)]


def _values(exchange: Exchange) -> tuple[float, ...]:
    return tuple(one.payload.tensors[0].values[0] for one in (exchange.request, exchange.response) if one)


class Delivery(RuleBasedStateMachine):
    """Two collectors over one real store; halves come in any order, twice, in conflict, late, across restarts."""

    engine: Engine
    runs = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.model, self.now = f"m{next(self.runs)}", NOW
        self.collectors = [self.collector(), self.collector()]
        self.sent: set[tuple[str, HalfKind, int]] = set()

    def collector(self) -> Taking:
        halves = Pairing(StoreHalves(self.engine), decoded_again)
        sink, names = StoreSink(self.engine), Names(Config())
        return Taking(Ports(sink, halves, names, Metrics(), lambda: self.now, Ledger(), 2**28))

    @rule(
        which=st.integers(0, 1),
        id=st.sampled_from("ab"),
        kind=st.sampled_from(["request", "response"]),
        value=st.sampled_from([1, 1, 1, 2]),
    )
    def send(self, which: int, id: str, kind: HalfKind, value: int) -> None:
        self.now += 1
        body = orjson.dumps(
            {
                f"{'in' if kind == 'request' else 'out'}puts": [
                    {"name": "x", "shape": [1], "datatype": "FP64", "data": [value]}
                ]
            }
        )
        sent = Half(
            RequestKey("default", self.model, id), kind, Payload(()), NOW + value, self.now, "events", body=body
        )
        self.collectors[which].half(decoded_again(sent))
        self.sent.add((id, kind, value))

    @rule(seconds=st.sampled_from([1, 10]), which=st.integers(0, 1))
    def pass_time(self, seconds: int, which: int) -> None:
        self.now += seconds * SECOND
        self.collectors[which].flush()

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.collectors[which].close()
        self.collectors[which] = self.collector()

    @precondition(lambda self: self.sent)
    @invariant()
    def memory_is_accounted_for(self) -> None:
        assert all(c.waiting_bytes >= 0 for c in self.collectors)

    def teardown(self) -> None:
        for collector in self.collectors:
            collector.close()
            assert collector.waiting_bytes == 0
        predictions = self.stored("SELECT id, inputs_num['x'] AS x, outputs_num['x'] AS y FROM predictions FINAL")
        waiting = self.stored("SELECT request_id AS id, kind, body FROM halves FINAL", "AND done = 0")
        kept = {(h["id"], h["kind"], value_of(h["body"])) for h in waiting}
        seen = {(p["id"], "request", p["x"]) for p in predictions} | {
            (p["id"], "response", p["y"]) for p in predictions
        }
        assert self.sent <= kept | seen, "something vanished"
        for id in "ab":
            values = [[v for i, k, v in self.sent if (i, k) == (id, kind)] for kind in ("request", "response")]
            if all(len(v) == 1 for v in values):
                assert [(p["x"], p["y"]) for p in predictions if p["id"] == id] == [(values[0][0], values[1][0])]

    def stored(self, sql: str, more: str = "") -> list[dict[str, Any]]:
        return self.engine.rows(f"{sql} WHERE model = {{model:String}} {more}", {"model": self.model})


def value_of(body: str) -> int:
    document = orjson.loads(body)
    return int((document.get("inputs") or document["outputs"])[0]["data"][0])


def test_each_pair_is_one_prediction_and_nothing_vanishes(engine: Engine) -> None:
    class OverThisStore(Delivery):
        pass

    OverThisStore.engine = engine
    run_state_machine_as_test(OverThisStore, settings=settings(max_examples=20, stateful_step_count=14, deadline=None))
