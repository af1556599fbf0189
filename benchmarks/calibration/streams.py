"""What the simulated monitors see: hour after hour of a field in which nothing changes, and the same with a shift."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.distribution import Distribution, Floats, Kind

Random = np.random.Generator

BINS = 256  # above 10^4 rows, counts of so many equally likely bins are drawn instead of rows
DAY = 24


class Seen(NamedTuple):
    """One field of one window: `field` as Tidemark has it, `rows` as peers do, who know no weights."""

    field: Distribution
    rows: Distribution


Draw = Callable[[Random, int, int, float], list[Seen]]
"""random, number of the first window, how many windows, shift."""


@dataclass(frozen=True)
class Stream:
    """`reference`: so many windows make the reference, for a `seasonal` one so many days. `history`: it is in order of
    time. `shift`: what power is told for; it is added, or multiplies what is counted. `expected`: within the budget.
    `wide`: so many fields that only those which differ most are made distributions.
    """

    name: str
    rows: int
    fields: int
    draw: Draw
    shift: float
    reference: int = 10
    history: bool = False
    seasonal: bool = False
    kind: Kind = "num"
    expected: bool = True
    wide: bool = False


def joined(parts: Sequence[Distribution]) -> Distribution:
    """All rows of several windows."""
    values, where = np.unique(np.concatenate([p.values for p in parts]), return_inverse=True)
    counts: Floats = np.bincount(where, np.concatenate([p.counts for p in parts]), len(values)).astype(np.float64)
    missing = sum(p.missing for p in parts)
    if parts[0].squares is None:
        return Distribution(values, counts, missing, sum(p.effective_rows for p in parts))
    known = np.concatenate([p.squares for p in parts if p.squares is not None])
    squares: Floats = np.bincount(where, known, len(values)).astype(np.float64)
    return Distribution(values, counts, missing, float(counts.sum()) ** 2 / float(squares.sum()), squares)


def independent(make: Callable[[Random, float], Seen]) -> Draw:
    return lambda random, first, count, shift: [make(random, shift) for _ in range(count)]


def numbers(values: Floats, weights: Floats | None = None) -> Seen:
    return Seen(Distribution.of_numbers(values, weights), Distribution.of_numbers(values[~np.isnan(values)]))


def added(make: Callable[[Random], Floats]) -> Draw:
    return independent(lambda random, shift: numbers(make(random) + shift))


def measured(values: Floats) -> Floats:
    """To a thousandth: a reference of 10^5 rows has some thousand values then, and takes a tenth of the time."""
    return np.round(values, 3)


def gappy(rows: int) -> Draw:
    def make(random: Random, shift: float) -> Seen:
        return numbers(np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows) + shift))

    return independent(make)


def weighted(rows: int) -> Draw:
    """Half of the rows stand for nine others."""

    def make(random: Random, shift: float) -> Seen:
        return numbers(random.normal(size=rows) + shift, np.where(random.random(rows) < 0.5, 10.0, 1.0))

    return independent(make)


def categories(rows: int, shares: Floats) -> Draw:
    """The shift takes that part of the first category's share for the last."""
    names = np.array([f"c{n:02}" for n in range(len(shares))], dtype=object)

    def make(random: Random, shift: float) -> Seen:
        moved = shares.copy()
        moved[[0, -1]] += np.array([-shift, shift]) * shares[0]
        counts = random.multinomial(rows, moved)
        found = Distribution.of_categories(names.tolist(), counts.tolist())
        return Seen(found, found)

    return independent(make)


def binned(rows: int, level: Callable[[Random, int], float] = lambda random, hour: 0.0) -> Draw:
    """Counts of a normal variable in bins that are equally likely at level 0; `level` moves an hour's mean."""

    def draw(random: Random, first: int, count: int, shift: float) -> list[Seen]:
        means = [level(random, first + n) + shift for n in range(count)]
        return [counted(random.multinomial(rows, shares(mean))) for mean in means]

    return draw


def middles() -> Floats:
    from scipy.special import ndtri

    return ndtri((np.arange(BINS) + 0.5) / BINS)


def shares(mean: float) -> Floats:
    """Of a normal variable with this mean in each bin."""
    from scipy.special import ndtr, ndtri

    return np.diff(ndtr(ndtri(np.arange(1, BINS) / BINS) - mean), prepend=0.0, append=1.0)


def counted(counts: NDArray[np.int64]) -> Seen:
    held = counts > 0
    found = Distribution(middles()[held], counts[held].astype(np.float64), 0.0, float(counts.sum()))
    return Seen(found, found)


def season(size: float) -> Callable[[Random, int], float]:
    return lambda random, hour: size * np.sin(2 * np.pi * hour / DAY)


def wandering(size: float) -> Callable[[Random, int], float]:
    return lambda random, hour: size * random.normal()


def autocorrelated(rows: int, memory: float) -> Draw:
    """A first-order autoregression with variance 1 that runs on from window to window."""

    def draw(random: Random, first: int, count: int, shift: float) -> list[Seen]:
        from scipy.signal import lfilter

        noise = random.normal(size=count * rows) * np.sqrt(1 - memory**2)
        values, _ = lfilter([1.0], [1.0, -memory], noise, zi=[memory * random.normal()])
        return [numbers(measured(window + shift)) for window in values.reshape(count, rows)]

    return draw


PRICES = np.array([4.99, 9.99, 19.99, 49.99, 99.99])
ZIPF = 1 / np.arange(1, 9) / (1 / np.arange(1, 9)).sum()


def normal(rows: int) -> Draw:
    return added(lambda random: random.normal(size=rows))


def thousandths(rows: int) -> Draw:
    return independent(lambda random, shift: numbers(measured(random.normal(size=rows) + shift)))


def poisson(random: Random, shift: float) -> Seen:
    return numbers(random.poisson(3 * (1 + shift), 1000) * 1.0)


def prices(random: Random, shift: float) -> Seen:
    return numbers(PRICES[random.binomial(4, 0.4 + shift, 1000)])


def mostly_zero(random: Random, shift: float) -> Seen:
    return numbers((random.random(1000) < 0.1 + shift) * random.exponential(size=1000))


HUGE = 1_000_000
DAYS_56 = 56

STREAMS = (
    Stream("normal", 50, 1, normal(50), 0.65),
    Stream("normal", 50, 10, normal(50), 0.75),
    Stream("normal", 1000, 1, normal(1000), 0.14),
    Stream("normal", 10_000, 1, thousandths(10_000), 0.045),
    Stream("normal, counts", 100_000, 1, binned(100_000), 0.014),
    Stream("normal, counts", HUGE, 1, binned(HUGE), 0.0045),
    Stream("normal, counts", 1000, 100, binned(1000), 0.19, wide=True),
    Stream("normal, counts", 50, 1000, binned(50), 1.0, wide=True),
    Stream("heavy tails: t, 2 d.f.", 1000, 1, added(lambda random: random.standard_t(2, 1000)), 0.16),
    Stream("discrete: Poisson(3)", 1000, 1, independent(poisson), 0.09),
    Stream("tied: prices n.99", 1000, 1, independent(prices), 0.035),
    Stream("tied: 90 % zeros", 1000, 1, independent(mostly_zero), 0.04),
    Stream("20 % missing", 1000, 1, gappy(1000), 0.16),
    Stream("weights 1 and 10", 1000, 1, weighted(1000), 0.19),
    Stream("8 categories", 1000, 1, categories(1000, ZIPF), 0.1, kind="cat"),
    Stream("8 categories", 100_000, 1, categories(100_000, ZIPF), 0.01, kind="cat"),
    Stream("autocorrelated, 0.9", 1000, 1, autocorrelated(1000, 0.9), 0.55, 200, history=True),
    Stream("autocorrelated, 28 hours known", 1000, 3, autocorrelated(1000, 0.9), 0.6, 28, history=True),
    Stream("hours differ by 0.02 s.d.", HUGE, 1, binned(HUGE, wandering(0.02)), 0.06, 200, history=True),
    Stream("the same, 28 hours known", HUGE, 3, binned(HUGE, wandering(0.02)), 0.06, 28, history=True),
    Stream("daily season of 0.05 s.d.", 100_000, 1, binned(100_000, season(0.05)), 0.06, 200, history=True),
    Stream("the same, seasonal reference", 100_000, 1, binned(100_000, season(0.05)), 0.014, DAYS_56, True, True),
    Stream("the same, no history", 100_000, 1, binned(100_000, season(0.05)), 0.06, 200, expected=False),
)
