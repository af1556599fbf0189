"""Calls that share an id, one after the other: each request pairs with its own response, whatever dies in between."""

import asyncio
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from lives import SECOND, DyingSink, Killed, KnowingHalves, Process, half
from sent import NOW
from sinks import MemoryJournal

from collectors.accepting.items import Halves
from collectors.accepting.journal import frames_of
from core.records import HalfKind

KINDS: dict[str, tuple[HalfKind, HalfKind]] = {"a": ("request", "response"), "b": ("response", "request")}


class Turns(RuleBasedStateMachine):
    """Of each id the halves come in turn: those of call 0, then those of call 1, and so on."""

    @initialize(memory=st.sampled_from([4_000, 2**20]))
    def begin(self, memory: int) -> None:
        self.now, self.memory = NOW, memory
        self.journal, self.sink = MemoryJournal(), DyingSink()
        self.halves = KnowingHalves(self.sink)
        self.sent = dict.fromkeys(KINDS, 0)
        self.start()

    def start(self) -> None:
        self.sink.calls_to_live = 10**9
        self.now += SECOND
        self.process = Process(self.journal, self.sink, self.halves, lambda: self.now, self.memory)

    @rule(id=st.sampled_from("ab"), again=st.booleans(), heard=st.booleans())
    def send(self, id: str, again: bool, heard: bool) -> None:
        """The next half, or the newest once more; not heard: the process ends when it is on disk."""
        self.now += 10_000
        again = again and self.sent[id] > 0
        n = self.sent[id] - again
        item = Halves([half(id, KINDS[id][n % 2], n // 2, self.now)])
        if heard:
            self.process.accept(item)
        else:
            asyncio.run(self.journal.append(frames_of(item)[0][1]))
            self.start()
        self.sent[id] = n + 1

    @rule(seconds=st.sampled_from([0, 1, 6]), everything=st.sampled_from([False, False, True]))
    def flush(self, seconds: int, everything: bool) -> None:
        self.now += seconds * SECOND
        with suppress(Killed):
            self.process.intake.flush(everything)
            return
        self.start()

    @rule()
    def read_on(self) -> None:
        self.process.intake.read_on()

    @rule()
    def kill(self) -> None:
        self.start()

    @rule(calls=st.integers(0, 3), after=st.booleans())
    def die_soon(self, calls: int, after: bool) -> None:
        self.sink.calls_to_live, self.sink.after = calls, after

    @invariant()
    def the_ledger_adds_up(self) -> None:
        assert [entry for entry in self.process.intake.entries() if entry.difference] == []

    def teardown(self) -> None:
        self.start()
        for _ in range(4 * (1 + sum(self.sent.values()))):
            self.now += 6 * SECOND
            self.process.intake.flush()
            self.process.intake.read_on()
        rows = [row for batch in self.sink.batches for row in batch.to_pylist(maps_as_pydicts="strict")]
        found = {(row["id"], row["inputs_num"]["x"], row["outputs_num"]["x"]) for row in rows}
        assert found == {(id, float(n), float(n)) for id, sent in self.sent.items() for n in range(sent // 2)}
        alone = {(one.key.request_id, one.kind) for one in self.halves.stored.values()}
        assert alone == {(id, KINDS[id][0]) for id, sent in self.sent.items() if sent % 2}


def test_each_half_finds_the_one_of_its_own_call() -> None:
    run_state_machine_as_test(Turns, settings=settings(max_examples=120, stateful_step_count=60, deadline=None))
