"""The log forgets what is stored and nothing else, whatever order frames are written, handed over and stored in."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import Config
from core.errors import ConfigError, Overloaded
from storage.journal import StoreJournal, open_log
from storage.wal import Log, Settings

SMALL = Settings(segment_bytes=200, most_bytes=2_000)


class Clock:
    now = 100

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "log", SMALL)
    yield log
    log.close()


def held(log: Log) -> list[bytes]:
    return [frame.payload for frame in log.read()]


def test_what_was_handed_over_before_a_time_is_forgotten(log: Log) -> None:
    async def scenario() -> None:
        clock = Clock()
        journal = StoreJournal(log, clock)
        for number in range(4):
            clock.now = 100 + number
            with await journal.append(b"%d" % number):
                pass
        journal.stored(before=102)

    asyncio.run(scenario())
    assert held(log) == [b"2", b"3"]


def test_a_frame_not_yet_handed_over_keeps_everything_after_it(log: Log) -> None:
    async def scenario() -> None:
        journal = StoreJournal(log, Clock())
        with await journal.append(b"first"):
            with await journal.append(b"second"):
                pass
            journal.stored(before=1_000)
            assert held(log) == [b"first", b"second"]
        journal.stored(before=1_000)

    asyncio.run(scenario())
    assert held(log) == []


def test_a_sender_that_goes_away_or_a_refusal_does_not_hold_the_log_for_ever(log: Log) -> None:
    async def scenario() -> None:
        journal = StoreJournal(log, Clock())
        gone = asyncio.ensure_future(journal.append(b"gone"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        with pytest.raises(Overloaded):
            for _ in range(100):
                with await journal.append(bytes(180)):
                    pass
        with pytest.raises(ZeroDivisionError):
            journal.stored(before=1_000)
            with await journal.append(b"last"):
                raise ZeroDivisionError
        journal.stored(before=1_000)

    asyncio.run(scenario())
    assert held(log) == []


def test_what_a_crash_left_stays_until_it_is_stored(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", SMALL)
    for number in range(3):
        log.append(b"%d" % number)
    journal = StoreJournal(log, Clock())
    left = journal.left()
    assert [next(left), next(left)] == [b"0", b"1"]
    journal.stored(before=1_000)
    assert held(log) == [b"1", b"2"]  # the second is handed over when the third is asked for
    assert list(left) == [b"2"]
    log.close()
    log = Log(tmp_path / "log", SMALL)
    assert held(log) == [b"1", b"2"]
    log.close()


def test_the_log_lies_beside_an_embedded_store_and_must_hold_the_largest_call(tmp_path: Path) -> None:
    open_log(f"chdb://{tmp_path}/store", Config()).close()
    assert (tmp_path / "store-wal").is_dir()
    with pytest.raises(ConfigError, match=r"wal\.bytes must be at least"):
        open_log(f"chdb://{tmp_path}/store", Config.model_validate({"wal": {"bytes": 2**20}}))
    open_log("clickhouse://h", Config.model_validate({"wal": {"dir": str(tmp_path / "own")}})).close()
    assert (tmp_path / "own").is_dir()
