"""Fisher's exact test."""

from dataclasses import dataclass
from typing import ClassVar

from core.distribution import Distribution, Kind
from core.findings import Score
from detectors._power import of_distance

from ._bins import Counts, by_value
from ._design import effects
from ._detectable import detectable
from ._shares import Share, Table
from ._verdicts import Judged, undecidable, verdict


@dataclass(frozen=True)
class Fisher:
    """|p - q|, p and q the shares of one of two categories in reference and window; 0..1 (Fisher 1935, J. R. Stat. Soc.
    98, 39-54). Missing is a category; of more than two there is no decision: use `chi_squared` or `g_test`.

    p-value: exact, the sum of the probabilities of all tables with the same margins that are no likelier: SciPy's
    `fisher_exact`. Weighted rows count as the nearest whole number of effective ones.
    Effect: total variation distance, which is the score.

    >>> reference = Distribution.of_categories(["no", "yes"], [95, 5])
    >>> window = Distribution.of_categories(["no", "yes"], [40, 10])
    >>> Fisher().compare(reference, window, alpha=0.05).fired
    True
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        counts = by_value(reference, window)
        if len(counts.reference) > 2:
            among = ", missing among them" if reference.missing + window.missing else ""
            return Score(None, None, reason=f"{len(counts.reference)} categories{among}; this is for two")
        threshold, p_value, deviation = _table(counts).judge(_signed(counts), alpha)
        shown = detectable(
            reference, window, lambda r, w: _difference(by_value(r, w)), of_distance(threshold, deviation)
        )
        judged = Judged(_difference(counts), threshold, p_value, shown, threshold < 1)
        return verdict(reference, window, judged)


def _difference(counts: Counts) -> float:
    return abs(_signed(counts))


def _signed(counts: Counts) -> float:
    n, m = float(counts.reference.sum()), float(counts.window.sum())
    return float(counts.window[0]) / m - float(counts.reference[0]) / n


def _table(counts: Counts) -> Table:
    fewer = 1 / max(float(effects(counts).max()), 1.0) if len(counts.reference) > 1 else 1.0
    before, after = (Share(float(side[0] / side.sum()), float(side.sum()) * fewer) for side in counts[:2])
    return Table.of(before, after)
