"""`python -m benchmarks.calibration.whole_rows [DETECTOR …]`: false alarms of steps that look at whole rows.

50 monitors of 140 windows of 100 rows for each stream, each with a reference of 40 such windows of its own, at a budget
of 1 alarm in 100 windows. Prints a Markdown table with the share of windows that fire by the detector's own law, and
with thresholds from the reference's blocks; beside them the share of windows found that are shifted.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.calibration.__main__ import interval
from benchmarks.calibration.ours import BUDGET
from core.distribution import Floats
from detectors import JointDetector, make
from pipelines.alarms.calibration import Calibration
from pipelines.alarms.history import Block, Stretch
from pipelines.alarms.whole_rows import Judge, Judged, decide, evidence, of_blocks
from storage.windows.rows import Matrix, pooled

MONITORS, WINDOWS, SHIFTED, BLOCKS = 50, 140, 20, 40
ROWS, FIELDS = 100, 3
ALPHA = 1 / BUDGET

Random = np.random.Generator


def normal(random: Random) -> Floats:
    return random.normal(size=(ROWS, FIELDS))


def heavy(random: Random) -> Floats:
    return random.standard_t(2, size=(ROWS, FIELDS))


def levels(random: Random) -> Floats:
    return normal(random) + random.normal(0, 0.3, FIELDS)


def bursts(random: Random) -> Floats:
    """Rows that follow each other: 0.9 of one goes on in the next."""
    rows = normal(random)
    for n in range(1, ROWS):
        rows[n] = 0.9 * rows[n - 1] + (1 - 0.9**2) ** 0.5 * rows[n]
    return rows


STREAMS: Mapping[str, tuple[Callable[[Random], Floats], float]] = {  # with the shift that power is told for
    "normal": (normal, 0.5),
    "heavy tails: t, 2 d.f.": (heavy, 1.0),
    "windows differ by 0.3 s.d.": (levels, 1.5),
    "autocorrelated, 0.9": (bursts, 2.0),
}
# Of the kernels' 4000 rows of a reference 500 do, in a tenth of the time.
USES: Mapping[str, Mapping[str, Any]] = {
    "energy": {"rows": 500},
    "mmd": {"rows": 500},
    "pca_reconstruction": {},
    "mahalanobis": {"contamination": 0.05},
}


class Fired(NamedTuple):
    """Each of shape (monitors, windows): by the law alone and with the blocks; and shifted windows with the blocks."""

    law: Any
    usual: Any
    shifted: Any


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration.whole_rows", description=__doc__)
    parser.add_argument("uses", nargs="*", metavar="DETECTOR", help=", ".join(USES))
    uses = parser.parse_args().uses or list(USES)
    if unknown := sorted({*uses} - {*USES}):
        parser.error(f"no detector '{unknown[0]}'; there are: {', '.join(USES)}")
    print("| stream | detector | by its law alone | with the reference's blocks | power |\n|---|---|---|---|---|")
    for name, (draw, shift) in STREAMS.items():
        for use in uses:
            started = time.monotonic()
            monitors = [_monitor(use, draw, shift, seed) for seed in range(MONITORS)]
            found = Fired(*(np.array(each) for each in zip(*monitors, strict=True)))
            cells = [f"{BUDGET * fired.mean():.2f} {_between(fired)}" for fired in (found.law, found.usual)]
            print(f"| {name} | `{use}` | {cells[0]} | {cells[1]} | {found.shifted.mean():.2f} |", flush=True)
            print(f"{name}, {use}: {time.monotonic() - started:.0f} s", file=sys.stderr)


def _between(fired: Any) -> str:
    low, high = interval(fired)
    return f"[{BUDGET * low:.2f}, {BUDGET * high:.2f}]"


def _monitor(use: str, draw: Callable[[Random], Floats], shift: float, seed: int) -> Fired:
    random, judge = np.random.default_rng([seed, len(use)]), _judge(use)
    blocks = [_matrix(draw(random)) for _ in range(BLOCKS)]
    found, reference = _calibrated(blocks, judge), pooled(blocks)
    windows = [_matrix(draw(random)) for _ in range(WINDOWS)]
    shifted = [_matrix(draw(random) + shift * np.eye(FIELDS)[0]) for _ in range(SHIFTED)]
    judged = [judge(reference, window, ALPHA) for window in (*windows, *shifted)]
    fired = [decide(one, found, ALPHA, evidence(reference, windows[0])).fired for one in judged]
    return Fired([one.score.fired for one in judged[:WINDOWS]], fired[:WINDOWS], fired[WINDOWS:])


def _judge(use: str) -> Judge:
    detector: Any = make(use, USES[use])

    def judge(reference: Matrix, window: Matrix, alpha: float) -> Judged:
        if isinstance(detector, JointDetector):
            joint = detector.compare_rows(reference.values, window.values, alpha)
            return Judged(joint.verdict, joint.law, joint.most)
        rows = detector.score(reference.values, window.values, alpha)
        return Judged(rows.verdict, rows.law, 1.0)

    return judge


def _calibrated(blocks: list[Matrix], judge: Judge) -> Calibration:
    given: Any = [Block(block, NotImplemented) for block in blocks]  # type: ignore[arg-type]
    return of_blocks([Stretch(given[0], given)], lambda relation, version=None: relation, 100_000, judge)


def _matrix(rows: Floats) -> Matrix:
    return Matrix((), (), tuple(map(str, range(FIELDS))), rows, np.ones(len(rows), dtype=np.bool_))


if __name__ == "__main__":
    main()
