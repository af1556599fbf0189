"""The share of missing values."""

from dataclasses import dataclass
from typing import ClassVar

from core.distribution import Distribution, Kind
from core.findings import Score

from ._shares import Share, Table, verdict
from ._verdicts import Judged, remark, undecidable


@dataclass(frozen=True)
class MissingRate:
    """|share of the window's rows without a value - the reference's share|, 0..1.

    p-value: Fisher's exact test of the rows with and without a value. A field that no row of the window has is compared
    too.
    Effect: the window's share less the reference's.

    >>> reference = Distribution.of_categories(["de", "fr"], [500, 500])
    >>> window = Distribution.of_categories(["de", "fr"], [450, 450], missing=100)
    >>> MissingRate().compare(reference, window, alpha=0.05).score
    0.1
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num", "cat"})
    heavy: ClassVar[bool] = False
    of_missing: ClassVar[bool] = True

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        if undecided := undecidable(reference, window, self.kinds):
            return undecided
        before, after = _missing(reference), _missing(window)
        rise = after.part - before.part
        threshold, p_value, _ = Table.of(before, after).judge(rise, alpha)
        judged = Judged(abs(rise), threshold, p_value)
        pooled = before.part + after.part
        why = "" if 0 < pooled < 2 else f"{'no' if pooled == 0 else 'every'} value is missing, as before"
        return verdict(before, after, judged, why or remark(reference, window))


def _missing(side: Distribution) -> Share:
    gone = side.missing / (side.total * side.effective_rows) if side.squares is None else side.variances[1]
    return Share.of(side, side.missing, gone)
