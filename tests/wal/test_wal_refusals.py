"""What cannot be put on disk is refused with its reason; what was refused is never half there, and later frames are."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from slow_disk import Disk

from core.errors import ConfigError, Overloaded, Rejected
from storage.wal import START, Log, Settings


def payloads(log: Log) -> list[bytes]:
    return [frame.payload for frame in log.read()]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no right to mount a small disk: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_log_refuses_until_it_is_trimmed(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings(segment_bytes=1000, most_bytes=2000))
    positions = [log.append(bytes(84)) for _ in range(20)]
    with pytest.raises(Overloaded, match="full: 2000 bytes"):
        log.append(b"")
    log.trim(positions[-1])
    assert len([log.append(bytes(84)) for _ in range(10)]) == 10
    assert len(payloads(log)) == 10
    log.close()


def test_at_most_a_segment_waits_in_memory(tmp_path: Path) -> None:
    disk = Disk()
    disk.free.clear()
    log, results = Log(tmp_path, Settings(segment_bytes=1000, most_bytes=100_000), disk.sync), list[object]()
    for _ in range(10):
        log.submit(bytes(84), results.append)
    with pytest.raises(Overloaded, match="does not keep up"):
        log.submit(bytes(84), results.append)
    assert log.counters().waiting_bytes == 1000
    disk.free.set()
    log.close()
    assert len(results) == 10 and log.counters().waiting_bytes == 0


def test_a_frame_that_no_segment_can_hold_is_rejected(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings(segment_bytes=1000, most_bytes=2000))
    with pytest.raises(Rejected, match="985 bytes"):
        log.append(bytes(985))
    log.append(bytes(984))
    log.close()


@pytest.mark.parametrize("settings", [(0, 100, True), (2 << 30, 8 << 30, True), (100, 199, True)])
def test_settings_that_cannot_work_are_refused(settings: tuple[int, int, bool]) -> None:
    with pytest.raises(ConfigError, match="log"):
        Settings(*settings)


def test_after_a_failed_fsync_its_file_is_never_written_again(tmp_path: Path) -> None:
    disk = Disk()
    log = Log(tmp_path, Settings(), disk.sync)
    first = log.append(b"before")
    disk.fails = True
    for _ in range(3):
        with pytest.raises(Overloaded, match="cannot be written"):
            log.append(b"not on disk")
    assert log.counters().failing == "the log cannot be written: Input/output error"
    assert [path.stat().st_size > 0 for path in sorted(tmp_path.glob("*.wal"))] == [True, False]
    disk.fails = False
    assert log.append(b"after").segment > first.segment
    assert payloads(log) == [b"before", b"after"] and not log.counters().failing
    log.close()
    reopened = Log(tmp_path, Settings())
    assert payloads(reopened) == [b"before", b"after"]
    assert reopened.counters().damaged == reopened.counters().torn == (0, 0)
    reopened.close()


def test_a_full_disk_refuses_whole_groups_and_recovers_by_itself(small_disk: Path) -> None:
    folder, ballast = small_disk / "log", small_disk / "ballast"
    log = Log(folder, Settings(segment_bytes=100_000, most_bytes=1 << 30))
    positions = []
    with pytest.raises(Overloaded, match="the disk of the log is full"):
        while True:
            positions.append(log.append(os.urandom(7000)))
    assert sum(path.stat().st_size for path in folder.glob("*.wal")) == len(positions) * 7016
    room = os.statvfs(small_disk)
    ballast.write_bytes(bytes(room.f_bavail * room.f_frsize))
    with pytest.raises(Overloaded):
        log.append(b"small")
    log.close()
    log = Log(folder, Settings(segment_bytes=100_000, most_bytes=1 << 30))
    assert [frame.position for frame in log.read()] == positions
    log.trim(positions[50])
    assert log.append(b"room again") > positions[-1]
    log.close()
    log = Log(folder, Settings())
    assert [frame.position for frame in log.read()][:-1] == positions[51:]
    log.close()


def test_on_a_full_disk_what_is_trimmed_makes_room_although_its_segment_has_some(small_disk: Path) -> None:
    log = Log(small_disk / "log", Settings())
    newest = START
    for _ in range(3):
        with pytest.raises(Overloaded, match="the disk of the log is full"):
            while True:
                newest = log.append(os.urandom(7000))
        log.trim(newest, b"a note")
        newest = log.append(b"room again")
        assert newest > log.trimmed
    log.close()
    log = Log(small_disk / "log", Settings())
    assert payloads(log) == [b"room again"] and log.note == b"a note"
    log.close()
