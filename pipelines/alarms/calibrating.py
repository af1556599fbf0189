"""Reads a reference's blocks and compares each with it: what a step's thresholds are taken from."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from detectors import FieldDetector, MissingDetector
from pipelines.alarms.calibration import FEWEST_BLOCKS, Calibration, Shape, Tail, calibrate, shape, tail
from pipelines.alarms.history import Block, History, Stretch
from pipelines.windows.look import THREADS, Look, absent, completed, missing_in
from storage.windows.distributions import Field, Part, Totals

# Comparisons of one calibration: about ten seconds of them. More fields have fewer blocks, down to the fewest.
_MOST_COMPARISONS = 20_000


class Calibrations:
    """The newest calibration of each step; one that was asked for again has its reference unmoved."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Hashable, Calibration]] = {}

    def find(self, step: str, made_of: Hashable, make: Callable[[], Calibration]) -> Calibration:
        """Of `step`, made again when what it is made of has changed."""
        if step not in self._kept or self._kept[step][0] != made_of:
            self._kept[step] = made_of, make()
        return self._kept[step][1]


class Key(NamedTuple):
    """A field in a segment."""

    segment: str
    field: Field


def calibrated(history: History, detector: FieldDetector, look: Look, comparisons: int) -> Calibration:
    """From the blocks of `history` as `look` sees windows: its segments, its fields. `comparisons`: in one look."""
    stretches = _thinned(history.cut(), comparisons)
    blocks = sum(len(stretch.blocks) for stretch in stretches)
    tails: dict[Key, list[Tail | None]] = {}
    shapes: dict[Key, Shape | None] = {}

    def observe(at: int, key: Key, whole: Part, block: Part) -> None:
        sides = whole.fields[key.field], block.fields[key.field]
        if key not in shapes:
            shapes[key] = shape(detector.compare, *sides)
        if law := shapes[key]:
            tails.setdefault(key, [None] * blocks)[at] = tail(detector.compare, *sides, law)

    with ThreadPoolExecutor(THREADS) as threads:
        first = 0
        for stretch in stretches:
            for at, pairs in _pairs(stretch, look, detector):
                list(threads.map(lambda pair, at=first + at: observe(at, *pair), pairs))
            first += len(stretch.blocks)
    return calibrate(tails, {key: law for key, law in shapes.items() if law})


def _thinned(stretches: Sequence[Stretch], comparisons: int) -> list[Stretch]:
    """Every so many blocks of each, so that the comparisons do not get too many."""
    blocks = sum(len(stretch.blocks) for stretch in stretches)
    apart = max(min(blocks * comparisons // _MOST_COMPARISONS, blocks // FEWEST_BLOCKS), 1)
    return [Stretch(stretch.whole, stretch.blocks[::apart]) for stretch in stretches]


def _pairs(stretch: Stretch, look: Look, detector: FieldDetector) -> Iterator[tuple[int, list[tuple[Key, Part, Part]]]]:
    """Number of the block, and its fields beside those of the whole; some of the fields at a time."""
    for only in look.chunks:
        for tag in look.segments:
            wholes = {part.segment: part for part, _ in _parts(stretch.whole, tag, only)}
            for at, block in enumerate(stretch.blocks):
                yield (
                    at,
                    [
                        (Key(part.segment, field), wholes[part.segment], part)
                        for found, of in _parts(block, tag, only)
                        if found.segment in wholes
                        for part in [_compared(detector, found, of, wholes[found.segment])]
                        for field in sorted(part.fields.keys() & wholes[part.segment].fields.keys())
                        if field.kind in detector.kinds
                    ],
                )


def _compared(detector: FieldDetector, block: Part, of: Totals, whole: Part) -> Part:
    """As a window is that has the block's rows."""
    if not isinstance(detector, MissingDetector):
        return block
    return completed(block, missing_in(of, absent(block.fields, whole.fields)))


def _parts(block: Block, tag: str, only: Sequence[str] | None) -> Iterator[tuple[Part, Totals]]:
    totals = block.reader.totals(block.relation, tag)
    by_key = {(of.version, of.segment): of for of in totals}
    for part in block.reader.parts(block.relation, totals, tag, only):
        yield part, by_key[part.version, part.segment]
