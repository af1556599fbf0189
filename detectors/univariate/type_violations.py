"""Values of another kind than they should be of."""

from dataclasses import dataclass
from typing import ClassVar

from core.contract import Contract, Held
from core.distribution import Distribution, Kind
from core.findings import Score

from ._shares import Share, Table, declared, verdict
from ._verdicts import WORDS, Judged, remark, undecidable


@dataclass(frozen=True)
class TypeViolations:
    """Share of the window's rows that hold the field as text where numbers are declared
    (`models.<m>.fields.<f>.kind`), or as a number where categories are; 0..1. Where nothing is declared, the kind is
    that of most of the reference's rows.

    p-value against the reference, whose share may be above 0: of a share that is greater by as much, when the rows are
    dealt out at random (hypergeometric, one-sided). Of a declared kind: 0 as soon as one row is of the other.
    Effect: the window's share less the reference's.

    >>> import numpy as np
    >>> numbers = Distribution.of_numbers(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> texts = Distribution.of_categories(["1.0", "2.0"], [2, 2])
    >>> TypeViolations().check(Contract("num"), {"num": numbers}, {"cat": texts}, alpha=0.05).score
    1.0
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"num", "cat"})
    heavy: ClassVar[bool] = False

    def compare(self, reference: Distribution, window: Distribution, alpha: float) -> Score:
        return self.check(Contract(), {reference.kind: reference}, {window.kind: window}, alpha)

    def check(self, contract: Contract, reference: Held, window: Held, alpha: float) -> Score:
        one, other = (next(iter(held.values())) for held in (reference, window))
        if undecided := undecidable(one, other, self.kinds, same_kind=False):
            return undecided
        most: Kind = max(reference, key=lambda kind: float(reference[kind].counts.sum()))
        right: Kind = contract.kind or most
        before, after = _wrong(reference, right), _wrong(window, right)
        why = f"{WORDS[_other(right)]} where {WORDS[right]} are {'declared' if contract.kind else 'usual'}"
        if contract.kind:
            return declared(before, after, why)
        rise = after.part - before.part
        threshold, p_value, _ = Table.of(before, after).judge(rise, alpha, rise=True)
        return verdict(
            before, after, Judged(max(rise, 0.0), threshold, p_value), why if rise > 0 else remark(one, other)
        )


def _wrong(held: Held, right: Kind) -> Share:
    wrong = held.get(_other(right))
    if wrong is None:
        return Share(0.0, held[right].effective_rows)
    return Share.of(wrong, float(wrong.counts.sum()), float(wrong.variances[0].sum()))


def _other(kind: Kind) -> Kind:
    return "cat" if kind == "num" else "num"
