"""`tidemark up` is killed at random instants under load: what it had answered 2xx is there after the restart, once."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest
from calls import Call, Pair
from checks import check_calls, check_difference, check_ledger, check_nothing_else, check_pairs, read
from client import Client, Gone
from killable import Killable, Trigger, from_environment
from model_server import upstream
from persistent_senders import PairsSender, ProxySender, RowsSender, Sender

pytestmark = pytest.mark.alone

KILLS = int(from_environment("TORTURE_KILLS", 10_000))
SECONDS = from_environment("TORTURE_SECONDS", 25)
PROXY_SECONDS = 1.0  # the bound is 50 ms after the answer; on a busy machine a process does not even run for that long


class Load(NamedTuple):
    """All that is sent, over all lives of the server."""

    rows: Sequence[RowsSender]
    pairs: Sequence[PairsSender]
    proxied: ProxySender

    @property
    def senders(self) -> Sequence[Sender]:
        return [*self.rows, *self.pairs, self.proxied]

    @property
    def all_calls(self) -> list[Call]:
        return [call for sender in self.rows for call in sender.calls]

    @property
    def all_pairs(self) -> list[Pair]:
        return [pair for sender in self.pairs for pair in sender.pairs]

    def said(self) -> str:
        calls, pairs = self.all_calls, self.all_pairs
        alone = sum(len(pair.acknowledged) == 1 for pair in pairs)
        again = sum(call.again for call in calls) + sum(pair.again for pair in pairs)
        rows = sum(len(call.ids) for call in calls if call.acknowledged)
        return f"{rows} rows, {sum(pair.whole for pair in pairs)} pairs, {alone} halves, {again} duplicates"


def test_what_was_acknowledged_survives_a_kill_at_any_instant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = Load(
        [RowsSender("a", timed=True), RowsSender("b", timed=False)],
        [PairsSender("c", timed=True), PairsSender("d", timed=False), PairsSender("e", timed=False)],
        ProxySender("f"),
    )
    kills: list[float] = []
    with upstream() as url:
        up = Killable(tmp_path, f"taps: [{{name: t, upstream: '{url}'}}]\n")
        with closing_kill(up):
            until = time.monotonic() + SECONDS
            while len(kills) < KILLS and time.monotonic() < until:
                one_life(up, load, len(kills))
                kills.append(up.killed_at)
            up.start()
            up.stop()
            up.finish()
    found = read(up.store)
    lost = {id: at for id, at in load.proxied.answered.items() if found.proxied(id) == 0}
    late = [min(abs(kill - at) for kill in kills) for at in lost.values()]  # an answer is read a little after it came
    check_calls(found, load.all_calls)
    check_pairs(found, load.all_pairs)
    check_nothing_else(found, load.all_calls, load.all_pairs, load.proxied.sent)
    more_orphans = check_ledger(found, load.all_pairs)
    oldest = f", the oldest {max(late) * 1000:.0f} ms before the kill" if late else ""
    with capsys.disabled():
        print(f" [{len(kills)} kills; acknowledged: {load.said()}; ", end="")
        print(f"{len(lost)} of {len(load.proxied.answered)} proxied answers lost{oldest}; ", end="")
        print(f"{more_orphans} orphans too many in the ledger] ", end="")
    assert 0 <= more_orphans <= len(kills)
    assert all(age < PROXY_SECONDS for age in late)


def one_life(up: Killable, load: Load, number: int) -> None:
    """By turns it ends within the start, right after some answer, after halves have gone to the store, or anywhen."""
    if number % 8 == 3:
        up.spawn()
        time.sleep(random.uniform(0, 1.5))
        up.kill()
        return
    up.start()
    answers = random.randint(1, 600) if number % 4 == 1 else 0
    with loading(up, load, answers):
        seconds = random.uniform(6.5, 8.5) if number % 12 == 2 else random.uniform(0.02, 2)
        until = time.monotonic() + (60 if answers else seconds)
        while time.monotonic() < until and not (answers and up.ended):
            time.sleep(min(0.3, max(0, until - time.monotonic())))
            check_difference(up)
        up.kill()


@contextmanager
def loading(up: Killable, load: Load, answers: int) -> Iterator[None]:
    """Every sender sends until the server is gone; an answer that is not 2xx fails."""
    stop, trigger = Event(), Trigger(up, answers)
    with ThreadPoolExecutor(len(load.senders)) as threads, ExitStack() as stack:
        clients = [stack.enter_context(closing(Client(up.port, stop, trigger))) for _ in load.senders]
        running = [threads.submit(_send, *each) for each in zip(load.senders, clients, strict=True)]
        try:
            yield
        finally:
            stop.set()
        for ended in running:
            ended.result()


def _send(sender: Sender, client: Client) -> None:
    with suppress(Gone):
        sender.run(client)


@contextmanager
def closing_kill(up: Killable) -> Iterator[None]:
    try:
        yield
    finally:
        up.kill()
