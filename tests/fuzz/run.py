"""`python tests/fuzz/run.py SECONDS [TARGET...]`: fuzz each decoder that long, each in a process of its own.

An input that breaks a decoder, ends its process or takes too long is saved to the corpus; exit code 1 says so.
"""

import mmap
import multiprocessing
import signal
import sys
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from random import Random
from types import FrameType
from typing import NamedTuple

import corpus
import mutate
from targets import TARGETS, parsed

SLOW_SECONDS = 5  # for an input of 64 KB, with other work on the machine
_MOST_SEEDS = 3_000
_SEED_BYTES = 8_192  # so that mutating stays fast
_ROOM = 1 << 18


class Ran(NamedTuple):
    executions: int
    outcomes: int
    place: str = ""  # where it broke, '' when every input went well
    broken: str = ""


def fuzz(name: str, seconds: float, known: set[str]) -> tuple[Ran, bytes]:
    """Run one target in a process of its own until it breaks at a place that is not `known`.

    The bytes are the input under way at the end.
    """
    current = mmap.mmap(-1, _ROOM)
    ours, theirs = multiprocessing.Pipe(False)
    worker = multiprocessing.get_context("fork").Process(target=_work, args=(name, seconds, known, current, theirs))
    worker.start()
    theirs.close()
    try:
        ran = ours.recv()
    except EOFError:
        worker.join()
        ran = Ran(0, 0, f"exit {worker.exitcode}", f"the process ended with {worker.exitcode}")
    worker.join()
    return ran, current[4 : 4 + int.from_bytes(current[:4], "little")]


def _work(name: str, seconds: float, known: set[str], current: mmap.mmap, result: Connection) -> None:
    signal.signal(signal.SIGALRM, _too_slow)
    warnings.simplefilter("error")
    random, pool, executions = Random(time.time_ns()), corpus.seeds(name), 0
    seen = {TARGETS[name](parsed(data)) for data in pool}  # the first of them also imports what comes late
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutate.mutated(random, pool)
        current[: 4 + len(data)] = len(data).to_bytes(4, "little") + data
        try:
            signal.alarm(SLOW_SECONDS)
            outcome = TARGETS[name](parsed(data))
            signal.alarm(0)
        except BaseException as error:
            signal.alarm(0)
            if (outcome := _place(error)) not in known:
                result.send(Ran(executions, len(seen), outcome, traceback.format_exc()))
                return
        executions += 1
        if outcome not in seen and len(data) < _SEED_BYTES and len(pool) < _MOST_SEEDS:
            seen.add(outcome)
            pool.append(data)
    result.send(Ran(executions, len(seen)))


def _place(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {last.filename}:{last.lineno}"


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"over {SLOW_SECONDS} s")


def main(arguments: list[str]) -> int:
    seconds, names = float(arguments[0]), arguments[1:] or list(TARGETS)
    broken = 0
    for name in names:
        executions, outcomes, begun, known = 0, 0, time.monotonic(), set[str]()
        while (left := seconds - (time.monotonic() - begun)) > 0:
            ran, data = fuzz(name, left, known)
            executions, outcomes = executions + ran.executions, max(outcomes, ran.outcomes)
            if ran.broken:
                broken += 1
                known.add(ran.place)
                print(f"{name}: {corpus.save(name, data)}\n{ran.broken}", flush=True)
        took = time.monotonic() - begun
        print(f"{name}: {took:.0f} s, {executions} executions, {outcomes} outcomes", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
