"""Whatever happens between a tap and the store, what was acknowledged is stored once and the ledger adds up."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from lives import SECOND, DyingSink, Killed, KnowingHalves, Process, half, value_of
from sent import NOW, exchange, groups
from sinks import Halves as MemoryHalves
from sinks import MemoryJournal, ScriptedSink

from collectors.accepting.items import Called, Halves, Labels, Letters, Rows
from collectors.accepting.journal import frames_of
from collectors.building.exchanges import Exchange
from collectors.labels.values import label_batch
from core.errors import Overloaded, StoreUnavailable
from core.records import PREDICTIONS, TIME, DeadLetter, HalfKind


class Delivery(RuleBasedStateMachine):
    """Halves, exchanges, rows and labels, sent twice, in conflict and in any order; kills, outages, little memory."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.journal, self.sink = MemoryJournal(), DyingSink()
        self.halves = KnowingHalves(self.sink)
        self.sent: set[tuple[str, HalfKind, int]] = set()
        self.rows: set[tuple[str, int]] = set()
        self.labels: set[tuple[str, str]] = set()
        self.start()

    def start(self) -> None:
        self.sink.calls_to_live, self.sink.away = 10**9, 0
        self.now += SECOND
        self.process = Process(self.journal, self.sink, self.halves, lambda: self.now)

    @rule(
        id=st.sampled_from("abcd"),
        kind=st.sampled_from(["request", "response"]),
        value=st.sampled_from([1, 1, 1, 2]),
        heard=st.booleans(),
    )
    def half(self, id: str, kind: HalfKind, value: int, heard: bool) -> None:
        self.now += 1
        item = Halves([half(id, kind, value, self.now)])
        if heard:
            self.process.accept(item)
        else:  # on disk, and the process ends before anything else happens
            asyncio.run(self.journal.append(frames_of(item)[0][1]))
            self.start()
        self.sent.add((id, kind, value))

    @rule(ids=st.lists(st.sampled_from("mnopq"), min_size=1, max_size=3), value=st.sampled_from([1, 1, 2]))
    def some_rows(self, ids: list[str], value: int) -> None:
        self.now += 1
        made = [group for id in ids for group in groups(exchange({"x": [float(value)]}, id=id))]
        batch = pa.concat_batches([group.batch for group in made])
        received = pa.array([self.now] * len(batch), pa.int64()).cast(TIME)
        self.process.accept(Rows(batch.set_column(1, PREDICTIONS.field("received"), received), made[0].fields))
        self.rows |= {(id, value) for id in ids}

    @rule(id=st.sampled_from("uvw"), value=st.sampled_from([1, 1, 2]))
    def called(self, id: str, value: int) -> None:
        self.now += 1
        request, response = (half(id, kind, value, self.now) for kind in ("request", "response"))
        self.process.accept(Called(Exchange(request, response)))
        self.sent |= {(id, "request", value), (id, "response", value)}

    @rule(id=st.sampled_from("xyz"), value=st.sampled_from(["1", "1", "2"]), timed=st.booleans())
    def label(self, id: str, value: str, timed: bool) -> None:
        self.now += 1
        time = NOW if timed else self.now
        self.process.accept(Labels(label_batch([(time, self.now, "default", "", id, "", value, None, "")])))
        self.labels.add((id, value))

    @rule()
    def letter(self) -> None:
        self.process.accept(Letters([DeadLetter(self.now, "events", "bad_json", "", "", b"?")]))

    @rule(seconds=st.sampled_from([1, 10]), everything=st.booleans())
    def flush(self, seconds: int, everything: bool) -> None:
        self.now += seconds * SECOND
        with suppress(StoreUnavailable):
            self.process.intake.flush(everything)

    @rule()
    def read_on(self) -> None:
        self.process.intake.read_on()

    @rule(calls=st.integers(1, 4))
    def store_goes_away(self, calls: int) -> None:
        self.sink.away = calls

    @rule()
    def kill(self) -> None:
        self.start()

    @rule(calls=st.integers(0, 3), after=st.booleans())
    def kill_within_a_flush(self, calls: int, after: bool) -> None:
        self.sink.calls_to_live, self.sink.after, self.sink.away = calls, after, 0
        with pytest.raises(Killed):
            while True:
                self.now += 10 * SECOND
                self.process.accept(Letters([DeadLetter(self.now, "events", "bad_json", "", "", b"?")]))
                self.process.intake.flush()
                self.process.intake.read_on()
        self.start()

    @invariant()
    def the_ledger_adds_up(self) -> None:
        assert [entry for entry in self.process.intake.entries() if entry.difference] == []

    def teardown(self) -> None:
        self.sink.away = 0
        while self.process.intake.behind:
            self.process.intake.flush(everything=True)
            self.process.intake.read_on()
        for _ in range(2):
            self.process.intake.flush(everything=True)
        self.the_ledger_adds_up()
        stored = {(id, x, y): n for (id, x, y, _), n in self._stored().items()}
        assert self.rows <= {(id, x) for id, x, _ in stored}
        kept = {(h.key.request_id, h.kind, value_of(h)) for h in self.halves.stored.values()}
        seen = {(id, "request", x) for id, x, _ in stored} | {(id, "response", y) for id, _, y in stored}
        assert self.sent <= kept | seen, "something vanished"
        labels = {(r["id"], r["value"], r["time"]) for batch in self.sink.labels for r in batch.to_pylist()}
        assert self.labels == {(id, value) for id, value, _ in labels}
        counted = [entry for entry in self.process.intake.entries() if entry.unit == "row"]
        assert sum(e.counts["stored"] for e in counted if e.line.tap == "labels") >= len(labels)
        entries = [entry.counts for entry in counted if entry.line.tap != "labels"]
        assert sum(c["stored"] + c["conflict"] for c in entries) == len(stored)
        assert sum(c["orphans"] for c in entries) == len(self.halves.stored)

    def _stored(self) -> Counter[Any]:
        """What FINAL shows: rows with the same time, id and content are one."""
        found: Counter[Any] = Counter()
        for batch in self.sink.batches:
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                x, y = row["inputs_num"].get("x"), row["outputs_num"].get("x")
                found[row["id"], x, y, row["content"]] += 1
        return found


def test_what_was_acknowledged_is_stored_once_and_the_ledger_adds_up() -> None:
    run_state_machine_as_test(Delivery, settings=settings(max_examples=150, stateful_step_count=25, deadline=None))


def test_a_pair_completed_from_the_store_in_the_moment_of_a_kill_leaves_no_orphan() -> None:
    moments, journal, sink = [NOW], MemoryJournal(), DyingSink()
    halves = KnowingHalves(sink)
    kinds: list[HalfKind] = ["request", "response"]
    for kind in kinds:
        process = Process(journal, sink, halves, lambda: moments[-1])
        process.intake.read_on()
        moments.append(moments[-1] + SECOND)
        process.accept(Halves([half("a", kind, 1, moments[-1])]))
        if kind == "request":
            process.intake.flush()
            moments.append(moments[-1] + 10 * SECOND)
            process.intake.flush()
    sink.calls_to_live, sink.after = 0, True
    with pytest.raises(Killed):
        process.intake.flush()
    sink.calls_to_live = 10**9
    process = Process(journal, sink, halves, lambda: moments[-1])
    process.intake.read_on()
    process.intake.flush()
    assert {*sink.ids()} == {"a"} and halves.stored == {}
    [rows] = [entry for entry in process.intake.entries() if entry.unit == "row"]
    assert (rows.counts["stored"], rows.counts["orphans"], rows.difference) == (1, 0, 0)


def test_a_full_log_is_told_and_nothing_of_it_is_counted_as_accepted() -> None:
    journal = MemoryJournal(room=1)
    process = Process(journal, ScriptedSink(), MemoryHalves(), lambda: NOW)
    process.accept(Halves([half("a", "request", 1, NOW)]))
    with pytest.raises(Overloaded):
        process.accept(Halves([half("b", "request", 1, NOW)]))
    process.intake.read_on()
    [events, rows] = process.intake.entries()
    assert (events.counts["received"], events.counts["accepted"], events.counts["shed"]) == (2, 1, 1)
    assert (rows.counts["accepted"], rows.counts["in_flight"]) == (1, 1)
