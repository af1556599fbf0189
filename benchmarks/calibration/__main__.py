"""`python -m benchmarks.calibration [--quick] [--monitors N] [--use DETECTOR,…] [STREAM …]`: a table of every stream.

The full run judges 7,000 windows of each stream in 50 monitors, with `ks` (`chi_squared` for categories). STREAM is a
part of a stream's name.
"""

import argparse
import sys
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.ours import BUDGET
from benchmarks.calibration.simulate import Outcome, Size, simulate
from benchmarks.calibration.streams import STREAMS, Stream

FULL, QUICK = Size(50, 140, 20), Size(10, 100, 20)
ALLOWED = 1.2


def main() -> None:
    asked = _arguments()
    size = QUICK if asked.quick else FULL._replace(monitors=asked.monitors)
    streams = [s for s in STREAMS if not asked.streams or any(part in s.name for part in asked.streams)]
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    missed = False
    for stream in streams:
        started = time.monotonic()
        uses = asked.use.split(",") if stream.kind == "num" else ["chi_squared"]
        outcome = simulate(stream, uses, size)
        for use in uses:
            row = line(stream, use, outcome)
            missed |= row.missed
            print("| " + " | ".join(row.cells) + " |", flush=True)
        print(f"{stream.name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    sys.exit(int(missed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--monitors", type=int, default=FULL.monitors)
    parser.add_argument("--use", default="ks")
    parser.add_argument("streams", nargs="*")
    return parser.parse_args()


HEAD = (
    "stream, rows x fields",
    "detector",
    "false alarms per 100 windows",
    "within 1.2",
    "monitors over budget",
    "Evidently: any column, data set",
    "alibi-detect",
    "power",
    "Evidently's",
    "alibi-detect's",
)


class Line(NamedTuple):
    cells: tuple[str, ...]
    missed: bool


def line(stream: Stream, use: str, outcome: Outcome) -> Line:
    fired = outcome.fired[use]
    rate, (low, high) = BUDGET * fired.mean(), interval(fired)
    within = rate <= ALLOWED
    over = (alarms(fired).mean(axis=1) * BUDGET > ALLOWED).mean()
    powers = [power(outcome, name) for name in (use, "evidently", "alibi")]
    others = [f"{BUDGET * outcome.fired[name].mean():.1f}" for name in ("evidently", "evidently set", "alibi")]
    cells = (
        f"{stream.name}, {stream.rows:,} x {stream.fields:,}",
        f"`{use}`",
        f"{rate:.2f} [{BUDGET * low:.2f}, {BUDGET * high:.2f}]",
        ("yes" if within else "**no**") if stream.expected else ("yes" if within else "no: uncalibrated"),
        f"{over:.0%} ({chance_over(fired.shape[1]):.0%})",
        f"{others[0]}, {others[1]}",
        others[2],
        *(f"{p:.2f}" for p in powers),
    )
    return Line(cells, stream.expected and not within)


def interval(fired: NDArray[np.bool_]) -> tuple[float, float]:
    """95 %, of the mean over monitors: windows of one share a reference, so monitors are drawn (bootstrap)."""
    random, rates = np.random.default_rng(0), fired.mean(axis=1)
    means = random.choice(rates, (2000, len(rates))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def alarms(fired: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Windows in which a monitor goes from nothing fired to something."""
    return fired & ~np.pad(fired, ((0, 0), (1, 0)))[:, :-1]


def chance_over(windows: int) -> float:
    """Share of monitors over budget were every window to fire on its own with the budget's probability."""
    from scipy.special import bdtrc

    return float(bdtrc(int(ALLOWED * windows / BUDGET), windows, 1 / BUDGET))


def power(outcome: Outcome, name: str) -> float:
    """Share of shifted windows higher than all but 1 in BUDGET of the unchanged: at equal false-alarm rates."""
    return float((outcome.shifted[name] > np.quantile(outcome.null[name], 1 - 1 / BUDGET)).mean())


if __name__ == "__main__":
    main()
