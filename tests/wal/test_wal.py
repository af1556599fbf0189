"""What is appended is on disk, once, in order, until it is trimmed, over restarts."""

import asyncio
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from slow_disk import Disk

from core.errors import ConfigError, Overloaded
from storage.wal import START, AsyncLog, Log, Position, Settings
from storage.wal.committer import GROUP_FRAMES

HOLDS = """
import sys
from pathlib import Path
from storage.wal import Log, Settings
log = Log(Path(sys.argv[1]), Settings())
print("ready", flush=True)
sys.stdin.read()
"""


def payloads(log: Log, after: Position | None = None) -> list[bytes]:
    return [frame.payload for frame in log.read(after)]


def test_frames_are_read_in_order_from_anywhere_while_others_are_appended(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings(segment_bytes=100, most_bytes=10_000))
    positions = [log.append(b"%d" % number * 10) for number in range(9)]
    assert positions == sorted(set(positions)) and positions[0] > START
    reading = log.read(positions[3])
    assert next(reading).payload == b"4" * 10
    log.append(b"9" * 10)
    assert [frame.payload for frame in reading] == [b"%d" % number * 10 for number in range(5, 10)]
    assert payloads(log, positions[-1]) == [b"9" * 10]
    log.close()


def test_a_frame_is_fsynced_before_append_returns(tmp_path: Path) -> None:
    disk = Disk()
    disk.free.clear()
    log = Log(tmp_path, Settings(), disk.sync)
    with ThreadPoolExecutor() as pool:
        appending = pool.submit(log.append, b"frame")
        with pytest.raises(TimeoutError):
            appending.result(timeout=0.05)
        assert payloads(log) == []
        disk.free.set()
        position = appending.result()
    assert disk.synced == [position.offset]
    assert payloads(log) == [b"frame"]
    log.close()


def test_what_comes_during_an_fsync_shares_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Disk()
        disk.free.clear()
        log = Log(tmp_path, Settings(), disk.sync)
        appends = AsyncLog(log)
        first = appends.append(b"first")
        while log.counters().groups == 0 and not list(tmp_path.glob("*.wal")):
            await asyncio.sleep(0)
        rest = [appends.append(b"%d" % number) for number in range(2000)]
        disk.free.set()
        positions = await asyncio.gather(first, *rest)
        assert positions == sorted(positions)
        assert log.counters().frames == 2001
        assert log.counters().groups == 1 + math.ceil(2000 / GROUP_FRAMES)
        log.close()

    asyncio.run(main())


def test_a_sender_that_stops_waiting_loses_nothing_and_disturbs_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        disk, disturbed = Disk(), list[object]()
        disk.free.clear()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: disturbed.append(context))
        log = Log(tmp_path, Settings(), disk.sync)
        appends = AsyncLog(log)
        futures = [appends.append(payload) for payload in (b"first", b"gone", b"stays")]
        futures[1].cancel()
        disk.free.set()
        await futures[2]
        assert payloads(log) == [b"first", b"gone", b"stays"] and not disturbed
        log.close()

    asyncio.run(main())


def test_every_thread_finds_its_frames_once_and_in_its_order(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings(segment_bytes=1 << 13, most_bytes=1 << 20))

    def append(thread: int) -> list[Position]:
        return [log.append(b"%d %d " % (thread, number) + bytes(100)) for number in range(100)]

    with ThreadPoolExecutor(16) as pool:
        positions = list(pool.map(append, range(16)))
    read = [(frame.position, frame.payload.split()[:2]) for frame in log.read()]
    assert [position for position, _ in read] == sorted(position for own in positions for position in own)
    for thread, own in enumerate(positions):
        assert [at for at, words in read if words[0] == b"%d" % thread] == own == sorted(own)
    log.close()


def test_closing_commits_what_was_submitted_and_refuses_more(tmp_path: Path) -> None:
    log, results = Log(tmp_path, Settings()), list[Position | Exception]()
    for number in range(50):
        log.submit(b"%d" % number, results.append)
    log.close()
    log.close()
    assert len(results) == 50 and not any(isinstance(result, Exception) for result in results)
    with pytest.raises(Overloaded, match="closed"):
        log.append(b"late")
    reopened = Log(tmp_path, Settings())
    assert payloads(reopened) == [b"%d" % number for number in range(50)]
    reopened.close()


def test_a_restart_continues_after_the_trim_with_the_same_identity_and_new_positions(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings(segment_bytes=100, most_bytes=10_000))
    positions = [log.append(bytes(20)) for _ in range(10)]
    log.trim(positions[5])
    assert log.counters().bytes == 4 * 36
    log.trim(positions[6])
    log.trim(positions[2])
    assert log.counters().bytes == 4 * 36
    log.close()
    reopened = Log(tmp_path, Settings())
    assert [frame.position for frame in reopened.read()] == positions[7:]
    assert reopened.identity == log.identity
    reopened.trim(positions[-1])
    assert reopened.append(b"next") > positions[-1]
    with pytest.raises(ValueError, match="not in the log"):
        reopened.trim(Position(99, 0))
    assert payloads(reopened) == [b"next"]
    reopened.close()


def test_a_checkpoint_that_cannot_be_read_costs_a_second_reading(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings())
    log.trim([log.append(b"%d" % number) for number in range(3)][1])
    log.close()
    checkpoint = tmp_path / "checkpoint"
    written = checkpoint.read_bytes()
    for damaged in (b"", written[:-4], written.replace(b"1 ", b"9 ", 1), b"\xff" * 20):
        checkpoint.write_bytes(damaged)
        reopened = Log(tmp_path, Settings())
        assert payloads(reopened) == [b"0", b"1", b"2"]
        reopened.close()


def test_positions_grow_even_when_somebody_deleted_the_segments(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings())
    position = log.append(b"frame")
    log.trim(position)
    log.close()
    for path in tmp_path.glob("*.wal"):
        path.unlink()
    reopened = Log(tmp_path, Settings())
    assert reopened.append(b"frame") > position
    assert payloads(reopened) == [b"frame"]
    reopened.close()


def test_one_process_has_the_log_and_the_others_hear_so_in_one_line(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline() == b"ready\n"
    with pytest.raises(ConfigError, match=f"the log in {tmp_path} is in use"):
        Log(tmp_path, Settings())
    holder.kill()
    holder.communicate()
    log = Log(tmp_path, Settings())
    with pytest.raises(ConfigError, match="is in use"):
        Log(tmp_path, Settings())
    log.close()


def test_a_sender_whose_callback_fails_does_not_stop_the_log(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings())
    log.submit(b"frame", lambda result: [][0])
    log.append(b"next")
    assert payloads(log) == [b"frame", b"next"]
    log.close()
