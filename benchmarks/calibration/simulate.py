"""Many monitors of one stream, each with a reference of its own, over windows without and with a shift."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import peers
from benchmarks.calibration.ours import Monitor, block, part
from benchmarks.calibration.streams import DAY, Random, Seen, Stream, counted, joined, middles, shares
from core.distribution import Floats
from pipelines.alarms.history import Stretch
from storage.windows.distributions import Part

SEASONS = 3  # as many of the 24 as `pipelines.alarms.history.seasons` takes of 56 days


class Size(NamedTuple):
    monitors: int
    windows: int
    shifted: int


class Outcome(NamedTuple):
    """For each method by name: fired, shape (monitors, windows), and heights of unchanged and of shifted windows."""

    fired: dict[str, NDArray[np.bool_]]
    null: dict[str, Floats]
    shifted: dict[str, Floats]


def simulate(stream: Stream, uses: Sequence[str], size: Size) -> Outcome:
    found = [_monitor(stream, uses, size, seed) for seed in range(size.monitors)]
    names = [*uses, "evidently", "evidently set", "alibi"]
    return Outcome(
        {name: np.array([[w.fired[name] for w in null] for null, _ in found]) for name in names},
        {name: np.array([w.height[name] for null, _ in found for w in null]) for name in names},
        {name: np.array([w.height[name] for _, shifted in found for w in shifted]) for name in names},
    )


class _Judged(NamedTuple):
    fired: dict[str, bool]
    height: dict[str, float]


def _monitor(stream: Stream, uses: Sequence[str], size: Size, seed: int) -> tuple[list[_Judged], list[_Judged]]:
    """What the windows of one monitor are judged to be: those in which nothing changes, and the shifted ones."""
    random = np.random.default_rng([seed, stream.rows, stream.fields])
    if stream.wide:
        counts = random.multinomial(stream.rows * stream.reference, shares(0.0), size=stream.fields)
        monitors = {use: Monitor(use, stream.fields) for use in uses}
        return tuple(  # type: ignore[return-value]
            [_judge(stream, monitors, *_farthest(random, counts, stream.rows, shift)) for _ in range(windows)]
            for windows, shift in ((size.windows, 0.0), (size.shifted, stream.shift))
        )
    past = stream.reference * (DAY if stream.seasonal else 1)
    before = list(zip(*(stream.draw(random, -past, past, 0.0) for _ in range(stream.fields)), strict=True))
    seasons = [before[hour::DAY] for hour in range(DAY)] if stream.seasonal else [before]
    references = [_whole(season) for season in seasons]
    stretches = [
        _stretch(stream, seasons[n], references[n]) for n in range(0, len(seasons), len(seasons) // SEASONS or 1)
    ]
    monitors = {use: Monitor(use, stream.fields, stretches if stream.history else ()) for use in uses}
    return tuple(  # type: ignore[return-value]
        [
            _judge(stream, monitors, references[hour % len(references)], window)
            for hour, window in enumerate(_windows(stream, random, windows, shift))
        ]
        for windows, shift in ((size.windows, 0.0), (size.shifted, stream.shift))
    )


def _whole(windows: Sequence[Sequence[Seen]]) -> list[Seen]:
    return [
        Seen(joined([w.field for w in column]), joined([w.rows for w in column]))
        for column in zip(*windows, strict=True)
    ]


def _stretch(stream: Stream, windows: Sequence[Sequence[Seen]], whole: Sequence[Seen]) -> Stretch:
    return Stretch(block(_part(stream, whole)), [block(_part(stream, window)) for window in windows])


def _part(stream: Stream, fields: Sequence[Seen]) -> Part:
    return part([seen.field for seen in fields], stream.kind)


def _windows(stream: Stream, random: Random, count: int, shift: float) -> Iterator[tuple[Seen, ...]]:
    """The first field is the one that is shifted."""
    fields = [stream.draw(random, 0, count, shift if n == 0 else 0.0) for n in range(stream.fields)]
    return zip(*fields, strict=True)


def _farthest(random: Random, reference: NDArray[np.int64], rows: int, shift: float) -> tuple[list[Seen], list[Seen]]:
    """Reference and window of the two fields that differ most from it, by KS and by Wasserstein's distance."""
    fields, bins = reference.shape
    drawn = random.integers(0, bins, size=(fields, rows)) + np.arange(fields)[:, None] * bins
    counts = np.bincount(drawn.ravel(), minlength=fields * bins).reshape(fields, bins)
    counts[0] = random.multinomial(rows, shares(shift))
    apart = np.abs(np.cumsum(counts / rows - reference / reference[0].sum(), axis=1))
    chosen = sorted({int(apart.max(axis=1).argmax()), int((apart[:, :-1] @ np.diff(middles())).argmax())})
    return [counted(reference[n]) for n in chosen], [counted(counts[n]) for n in chosen]


def _judge(
    stream: Stream, monitors: Mapping[str, Monitor], reference: Sequence[Seen], window: Sequence[Seen]
) -> _Judged:
    sides = _part(stream, reference), _part(stream, window)
    height = {use: monitor.highest(*sides) for use, monitor in monitors.items()}
    peer = peers.judge([seen.rows for seen in reference], [seen.rows for seen in window], stream.fields)
    fired = {use: found > 1 for use, found in height.items()}
    return _Judged(
        fired | {"evidently": peer.evidently_column, "evidently set": peer.evidently_set, "alibi": peer.alibi},
        height | {"evidently": peer.evidently_highest, "evidently set": 0.0, "alibi": peer.alibi_highest},
    )
