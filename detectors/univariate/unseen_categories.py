"""Categories that the reference lacks."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.contract import Contract, Held
from core.distribution import Distribution, Floats, Kind
from core.findings import Score

from ._bins import Counts, by_value
from ._roots import crossing
from ._shares import Share, declared, verdict
from ._verdicts import Judged, remark, undecidable

_TILTS = (1e-12, 1e6)


@dataclass(frozen=True)
class UnseenCategories:
    """Share of the window's rows in categories that the reference lacks or, where `models.<m>.fields.<f>.categories`
    declares them, in others than these; 0..1. Missing is no category.

    p-value against the reference: an upper bound on the probability that of these rows, dealt out at random, as many
    lie in categories that are all in the window. Each category is that with a hypergeometric probability, and their
    sum has no heavier tail than Chernoff's bound for independent ones (Joag-Dev and Proschan 1983, Ann. Stat. 11,
    286-295). Of declared categories: 0 as soon as one row is in another.
    Effect: the window's share less the reference's, which is 0 where nothing is declared.

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "it"], [480, 20])
    >>> UnseenCategories().compare(reference, window, alpha=0.05).score
    0.04
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return self.check(Contract(), {reference.kind: reference}, {window.kind: window}, alpha)

    def check(self, contract: Contract, reference: Held, window: Held, alpha: float) -> Score:
        before, after = _categories(reference), _categories(window)
        if undecided := undecidable(before, after, self.kinds):
            return undecided
        if contract.categories is not None:
            why = f"not declared: {_some(after, contract.categories)}"
            return declared(_outside(before, contract.categories), _outside(after, contract.categories), why)
        known = frozenset(before.values)
        share, law = _outside(after, known), _Together.of(by_value(before, after), _fewer(after, known))
        judged = Judged(share.part, law.critical_value(alpha), law.p_value(share.part))
        why = f"not in the reference: {_some(after, known)}" if share.part else remark(before, after)
        return verdict(Share(0.0, before.effective_rows), share, judged, why)


def _categories(held: Held) -> Distribution:
    return held["cat"] if "cat" in held else next(iter(held.values()))


def _fewer(side: Distribution, known: frozenset[str]) -> float:
    """How many rows of even weight one effective row of an unseen category may be at least: one heavy row is one."""
    if side.squares is None:
        return 1.0
    new = np.fromiter((value not in known for value in side.values), bool, len(side.values))
    effective = side.counts * (side.effective_rows / side.total)
    return float((side.counts**2 / side.squares / effective)[new].min(initial=1.0))


def _outside(side: Distribution, known: frozenset[str]) -> Share:
    new = np.fromiter((value not in known for value in side.values), bool, len(side.values))
    return Share.of(side, float(side.counts[new].sum()), float(side.variances[0][new].sum()))


def _some(side: Distribution, known: frozenset[str]) -> str:
    """The most frequent of those not known."""
    new = sorted((-count, value) for value, count in zip(side.values, side.counts, strict=True) if value not in known)
    return ", ".join(value for _, value in new[:3]) + (", …" if len(new) > 3 else "")


@dataclass(frozen=True)
class _Together:
    """The share of the window's rows in categories of which it has all: `sizes`, rows of each, and the logarithms of
    the probabilities that it has all of one.
    """

    sizes: Floats
    logarithms: Floats
    rows: float

    @classmethod
    def of(cls, counts: Counts, fewer: float) -> "_Together":
        from scipy.special import gammaln

        n, m = (float(side.sum()) * fewer for side in counts[:2])
        sizes = (counts.reference + counts.window) * fewer
        sizes = sizes[sizes <= m]
        ways = gammaln(n + m - sizes + 1) - gammaln(m - sizes + 1) - gammaln(n + m + 1) + gammaln(m + 1)
        return cls(sizes, np.minimum(ways, -1e-15), m)

    def p_value(self, share: float) -> float:
        rows = share * self.rows
        if rows <= float(self.sizes @ np.exp(self.logarithms)) or not len(self.sizes):
            return 1.0
        tilt = crossing(lambda t: 1 / max(self._at(t)[0], 1e-300), 1 / rows, _TILTS)
        return math.exp(-max(self._at(tilt)[1], 0.0))

    def critical_value(self, alpha: float) -> float:
        if not len(self.sizes):
            return 1.0
        if float(self.logarithms.sum()) > math.log(alpha):
            return 1.0  # not even all rows in such categories would be so rare
        tilt = crossing(lambda t: math.exp(-max(self._at(t)[1], 0.0)), alpha, _TILTS)
        return max(self._at(tilt)[0] / self.rows, 1e-12)

    def _at(self, tilt: float) -> tuple[float, float]:
        """Mean of the rows at a tilt, and the logarithm of the bound on reaching it, less 0."""
        with_it = self.logarithms + tilt * self.sizes
        weights = np.logaddexp(np.log(-np.expm1(self.logarithms)), with_it)
        mean = float(np.exp(with_it - weights) @ self.sizes)
        return mean, tilt * mean - float(weights.sum())
