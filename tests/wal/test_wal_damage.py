"""Whatever happens to the bytes on disk: the log opens, whole frames are read, and the rest is kept and counted."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.wal import Log, Settings
from storage.wal.frames import HEADER, read_at

SMALL = Settings(segment_bytes=200, most_bytes=10_000, fsync=False)
FRAMES = [bytes([65 + number]) * (20 + number) for number in range(12)]  # 4 to 5 of them in a segment


class Written:
    """A closed log of FRAMES, to be copied and damaged."""

    def __init__(self, folder: Path) -> None:
        log = Log(folder / "log", SMALL)
        self.folder, self.positions = folder / "log", [log.append(frame) for frame in FRAMES]
        log.close()
        self.segments = sorted(self.folder.glob("*.wal"))

    def frames(self, segment: int) -> list[tuple[int, int, bytes]]:
        """Start, end and payload of each frame in a segment, counted from 0."""
        here = zip(self.positions, FRAMES, strict=True)
        return [
            (at.offset - HEADER.size - len(frame), at.offset, frame) for at, frame in here if at.segment == segment + 1
        ]

    def read_with(self, segment: int, content: bytes) -> "Read":
        """What a log reads in whose segment stands something else."""
        with TemporaryDirectory() as scratch:
            copy = Path(scratch) / "log"
            shutil.copytree(self.folder, copy)
            (copy / self.segments[segment].name).write_bytes(content)
            return Read(copy)

    def survivors(self, segment: int, content: bytes) -> list[bytes]:
        """All frames but those whose bytes changed."""
        before = self.segments[segment].read_bytes()
        hurt = {frame for start, end, frame in self.frames(segment) if before[start:end] != content[start:end]}
        return [frame for frame in FRAMES if frame not in hurt]


class Read:
    """What is read, from a log opened twice: the second time nothing may be counted again."""

    def __init__(self, folder: Path) -> None:
        for _ in range(2):
            log = Log(folder, SMALL)
            self.frames = [frame.payload for frame in log.read()]
            self.damaged, self.torn = log.counters().damaged, log.counters().torn
            log.append(b"next")
            log.close()
        assert self.frames.pop() == b"next"
        self.quarantine = b"".join(path.read_bytes() for path in sorted((folder / "quarantine").glob("*")))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("written"))


@pytest.mark.parametrize("segment", [0, 2])
def test_a_flipped_bit_costs_the_frame_it_is_in(written: Written, segment: int) -> None:
    content = written.segments[segment].read_bytes()
    for start, end, frame in written.frames(segment):
        for offset in range(start, end):
            flipped = bytearray(content)
            flipped[offset] ^= 1 << offset % 8
            read = written.read_with(segment, bytes(flipped))
            assert read.frames == [other for other in FRAMES if other != frame]
            assert read.damaged.bytes + read.torn.bytes == end - start
            assert read.damaged.stretches + read.torn.stretches == 1
            assert read.torn.stretches == (frame == FRAMES[-1])
            assert read.quarantine == flipped[start:end]


def test_a_wrong_length_costs_its_frame_alone(written: Written) -> None:
    content = written.segments[1].read_bytes()
    for length in (0, 1, 19, 21, len(content), 1 << 20, (1 << 32) - 1):
        wrong = bytearray(content)
        wrong[8:12] = length.to_bytes(4, "little")
        read = written.read_with(1, bytes(wrong))
        assert read.frames == [frame for frame in FRAMES if frame != written.frames(1)[0][2]]


@pytest.mark.parametrize("segment", [0, 2])
def test_a_segment_cut_anywhere_keeps_its_whole_frames(written: Written, segment: int) -> None:
    content = written.segments[segment].read_bytes()
    for length in range(len(content)):
        cut = content[:length]
        whole = max([0] + [end for _, end, _ in written.frames(segment) if end <= length])
        read = written.read_with(segment, cut)
        assert read.frames == written.survivors(segment, cut)
        assert read.quarantine == cut[whole:]
        assert (read.torn if segment == 2 else read.damaged).bytes == length - whole


def test_zeros_at_the_end_are_no_damage(written: Written) -> None:
    for blank in (1, 15, 16, 4096, 200_000):
        read = written.read_with(2, written.segments[2].read_bytes() + bytes(blank))
        assert read.frames == FRAMES
        assert read.damaged == read.torn == (0, 0)


def test_half_a_frame_before_zeros_is_torn(written: Written) -> None:
    content = written.segments[2].read_bytes()
    read = written.read_with(2, content + content[:30] + bytes(5000))
    assert read.frames == FRAMES
    assert read.torn == (1, 5030) and read.damaged == (0, 0)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_blocks_of_zeros_noise_or_other_frames_cost_what_they_cover(written: Written, data: st.DataObject) -> None:
    segment = data.draw(st.sampled_from([0, 1, 2]))
    content = written.segments[segment].read_bytes()
    size = data.draw(st.integers(1, len(content)))
    start, source = (data.draw(st.integers(0, len(content) - size)) for _ in range(2))
    block = data.draw(st.sampled_from([bytes(size), b"\xff" * size, content[source : source + size]]))
    damaged = content[:start] + block + content[start + size :]
    read = written.read_with(segment, damaged)
    survivors = written.survivors(segment, damaged)
    assert read.frames == survivors
    lost = sum(HEADER.size + len(frame) for frame in FRAMES if frame not in survivors)
    tail = damaged[max([0] + [end for _, end, frame in written.frames(segment) if frame in survivors]) :]
    blank = len(tail) if segment == 2 and not tail.strip(b"\0") else 0
    assert read.damaged.bytes + read.torn.bytes == lost - blank == len(read.quarantine)


def test_a_payload_made_of_frames_is_never_taken_for_frames(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings())
    log.append(b"first")
    (path,) = tmp_path.glob("*.wal")
    stolen = path.read_bytes()
    outer = log.append(stolen * 50).offset
    log.append(b"last")
    content = bytearray(path.read_bytes())
    content[outer - 1] ^= 1
    path.write_bytes(content)
    assert [frame.payload for frame in log.read()] == [b"first", b"last"]
    log.close()


def test_damage_far_larger_than_memory_windows_is_passed_over_and_kept(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings())
    sizes = (5, 3 << 20, 100_000, 70_000, 9, 1 << 20, 7)
    positions = [log.append(os.urandom(size)) for size in sizes]
    (path,) = tmp_path.glob("*.wal")
    content = bytearray(path.read_bytes())
    for position in positions[1:4]:
        content[position.offset - 1] ^= 255
    path.write_bytes(content)
    assert [len(frame.payload) for frame in log.read()] == [5, 9, 1 << 20, 7]
    assert log.counters().damaged == (1, positions[3].offset - positions[0].offset)
    (kept,) = (tmp_path / "quarantine").iterdir()
    assert kept.read_bytes() == content[positions[0].offset : positions[3].offset]
    log.close()


def test_the_next_frame_is_found_wherever_it_starts(tmp_path: Path) -> None:
    for size in range((1 << 16) - 30, (1 << 16) + 10):
        log = Log(tmp_path / str(size), Settings(fsync=False))
        log.append(bytes(size))
        log.append(b"next")
        (path,) = (tmp_path / str(size)).glob("*.wal")
        content = bytearray(path.read_bytes())
        content[0] ^= 1
        path.write_bytes(content)
        assert [frame.payload for frame in log.read()] == [b"next"]
        log.close()


def test_a_segment_of_a_stranger_is_kept_whole_and_stops_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path, Settings())
    log.append(b"ours")
    log.close()
    (tmp_path / f"{0:010}-{'ab' * 16}.wal").write_bytes(b"not a log" * 1000)
    reopened = Log(tmp_path, Settings())
    assert [frame.payload for frame in reopened.read()] == [b"ours"]
    assert reopened.identity == log.identity
    assert reopened.counters().damaged == (1, 9000)
    reopened.close()


def test_a_quarantine_that_takes_no_copy_stops_nothing_and_cuts_nothing_off(written: Written, tmp_path: Path) -> None:
    copy = tmp_path / "log"
    shutil.copytree(written.folder, copy)
    (copy / "quarantine").write_bytes(b"a file where the folder should be")
    newest = copy / written.segments[2].name
    newest.write_bytes(newest.read_bytes() + b"torn")
    log = Log(copy, SMALL)
    assert [frame.payload for frame in log.read()] == FRAMES
    assert log.counters().torn == (1, 4)
    assert newest.read_bytes().endswith(b"torn")
    log.close()


def test_blocks_that_cannot_be_read_come_as_zeros_and_their_neighbours_whole() -> None:
    lowest = int(Path("/proc/self/maps").read_text().split("-")[0], 16)
    with open("/proc/self/mem", "rb", buffering=0) as memory:  # below the lowest mapping every read is an EIO
        assert read_at(memory, 11_000, lowest - 9_000) == bytes(9_000) + os.pread(memory.fileno(), 2_000, lowest)
        assert os.pread(memory.fileno(), 2_000, lowest).strip(b"\0")
