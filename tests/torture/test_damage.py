"""The log's files are damaged after a kill: `up` starts, keeps the damage apart, and has everything else."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from calls import Call, Pair
from checks import Found, read
from client import Client
from killable import Killable, eventually

from collectors.accepting.items import Halves, Rows
from collectors.accepting.journal import read_frame
from collectors.taps.events import decoded_again
from storage.wal.folder import read_checkpoint, segments
from storage.wal.frames import HEADER, Frame, Position, scan

HALVES, CALLS = 40, 40
BLOCK = 4096


class Part(NamedTuple):
    """A frame of the log, and whose it is."""

    start: int
    end: int
    ids: tuple[str, ...]
    waits: bool  # a half, which the ledger has counted and which has not found its end


class Crashed(NamedTuple):
    """What a kill left: halves that had waited for some seconds, and rows of the last moment. All acknowledged."""

    folder: Path
    file: str
    parts: list[Part]
    ids: set[str]

    @property
    def content(self) -> bytes:
        return (self.folder / "store-wal" / self.file).read_bytes()


Damage = Callable[[bytearray, list[Part]], None]


def flip(at: int, content: bytearray) -> None:
    content[at] ^= 0x10


def flip_both(first: Part, last: Part, content: bytearray) -> None:
    flip(first.start + HEADER.size, content)
    flip(last.end - 1, content)


def zero(at: int, content: bytearray) -> None:
    """The disk's block there."""
    start = at - at % BLOCK
    content[start : start + BLOCK] = bytes(len(content[start : start + BLOCK]))


DAMAGES: dict[str, Damage] = {
    "a flipped bit in the header of a half": lambda content, parts: flip(parts[3].start, content),
    "a flipped bit in the length of a frame": lambda content, parts: flip(parts[5].start + 9, content),
    "a flipped bit in a payload": lambda content, parts: flip((parts[-4].start + parts[-4].end) // 2, content),
    "flipped bits in the first frame and the last": lambda content, parts: flip_both(parts[0], parts[-1], content),
    "zeros in the middle": lambda content, parts: zero(parts[len(parts) // 2].start, content),
    "zeros at the end": lambda content, parts: zero(len(content) - 1, content),
    "a torn end": lambda content, parts: content.__delitem__(slice(len(content) - 7, None)),
    "half of it gone": lambda content, parts: content.__delitem__(slice(parts[len(parts) // 2].start + 3, None)),
}


# The full run is `make torture`.
EVERY = "TORTURE_KILLS" in os.environ
CASES = list(DAMAGES)[:: 1 if EVERY else 2]
CHECKPOINTS = [b"1 2 3\n", b"", b"\0" * BLOCK][: 3 if EVERY else 1]


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashed]:
    folder = tmp_path_factory.mktemp("crashed")
    up = Killable(folder)
    up.start()
    client = Client(up.port)
    pairs = [Pair(f"half-{number}", 1, 0) for number in range(HALVES)]
    calls = [Call([f"row-{number}-{row}" for row in range(3)], 0) for number in range(CALLS)]
    for pair in pairs:
        pair.send(client, "request")
    eventually(lambda: (folder / "store-wal" / "checkpoint").exists() and up.ledger()["entries"][1:] != [])
    eventually(lambda: read_noted(folder) == HALVES)
    for call in calls:
        call.send(client)
    up.kill()
    client.close()
    file, parts = parts_of(folder / "store-wal")
    ids = {pair.id for pair in pairs} | {id for call in calls for id in call.ids}
    yield Crashed(folder, file, parts, ids)


def read_noted(folder: Path) -> int:
    """How many halves the log's note says wait."""
    return len(json.loads(read_checkpoint(folder / "store-wal").note)[4])


def parts_of(log: Path) -> tuple[str, list[Part]]:
    """The name of the only segment, and the frames of it that are not trimmed."""
    (segment,) = segments(log)
    trimmed, parts, start = read_checkpoint(log).position, [], 0
    extent = segment.extent()
    with extent.file:
        for found in scan(extent):
            assert isinstance(found, Frame)
            if found.position > Position(*trimmed):
                item = read_frame(found.payload, decoded_again)
                ids = item.batch.column("id").to_pylist() if isinstance(item, Rows) else [item.halves[0].key.request_id]
                parts.append(Part(start, found.position.offset, tuple(ids), isinstance(item, Halves)))
            start = found.position.offset
    return segment.path.name, parts


@pytest.mark.parametrize("damage", CASES)
def test_damage_costs_the_damaged_frames_only_and_is_shown(damage: str, crashed: Crashed, tmp_path: Path) -> None:
    content = bytearray(crashed.content)
    DAMAGES[damage](content, crashed.parts)
    hurt = [part for part in crashed.parts if content[part.start : part.end] != crashed.content[part.start : part.end]]
    assert hurt
    up = copied(crashed, tmp_path)
    (tmp_path / "store-wal" / crashed.file).write_bytes(content)
    difference, damaged_bytes = started_and_stopped(up)
    found, lost = read(up.store), {id for part in hurt for id in part.ids}
    times = there(found)
    assert {id: times.get(id, 0) for id in crashed.ids - lost if times.get(id) != 1} == {}
    assert {id: n for id, n in times.items() if n != 1} == {} and times.keys() <= crashed.ids
    # Of halves the ledger knew. Of rows that came after its last note only the quarantine tells.
    assert difference == sum(part.waits for part in hurt) == sum(line["difference"] for line in found.ledger)
    kept = {path.name: path.stat().st_size for path in (tmp_path / "store-wal" / "quarantine").glob("*")}
    assert damaged_bytes == sum(size for name, size in kept.items() if name.endswith(".damaged"))
    assert sum(kept.values()) == sum(len(content[part.start : part.end]) for part in hurt if whole(part, content))


def whole(part: Part, content: bytearray) -> bool:
    """Something of it is left, other than zeros at the end of the file."""
    return any(content[part.start :])


@pytest.mark.parametrize("left", CHECKPOINTS)
def test_without_a_readable_checkpoint_everything_is_read_again_and_nothing_is_there_twice(
    left: bytes, crashed: Crashed, tmp_path: Path
) -> None:
    up = copied(crashed, tmp_path)
    (tmp_path / "store-wal" / "checkpoint").write_bytes(left)
    assert started_and_stopped(up) == (0, 0)
    assert there(read(up.store)) == dict.fromkeys(crashed.ids, 1)


def copied(crashed: Crashed, folder: Path) -> Killable:
    for name in ("store", "store-wal"):
        shutil.copytree(crashed.folder / name, folder / name, symlinks=True)
    return Killable(folder)


def started_and_stopped(up: Killable) -> tuple[int, float]:
    """The ledger's difference once everything is taken up, and the damaged bytes that are exported."""
    up.start()
    try:
        eventually(lambda: up.ledger()["entries"])
        said, damaged_bytes = up.ledger()["difference"], up.metric("tidemark_log_damaged_bytes")
        up.stop()
    finally:
        up.kill()
    return said, damaged_bytes


def there(found: Found) -> dict[str, int]:
    """How often each id is among predictions or waiting halves."""
    counted = {id: n for (_, id, _, _), n in found.predictions.items()}
    return counted | {id: n for (id, _, _), n in found.waiting.items()}
