"""Reconstruction error by principal components."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from core.distribution import Distribution, Floats
from core.findings import Score
from detectors.protocols import LAW_AT, Bools, Indices, JointScore
from detectors.univariate.ks import KS

from ._columns import Samples, nothing, sampled, shares

_FEWEST_ROWS = 20  # half of them are fitted on
_ROUNDING = 1e-9
_FARTHEST = 1e6  # standard deviations


@dataclass(frozen=True)
class PCAReconstruction:
    """Whether the first principal components of the reference restore rows of the window as well, or as badly, as rows
    of the reference (Jackson and Mudholkar 1979, Technometrics 21, 341-349): drift of how the fields go together.

    Components are fitted on one half of the reference; the distances from what they restore are compared between the
    other half and the window. Score: the KS test's largest difference D of the two distributions, 0..1, with its exact
    p-value. Effect: shift of the mean distance in standard deviations. Shifts along the components leave the distance
    as it is: other detectors see those.

    variance: share of the variance that the components must hold, above 0 and below 1; at least one is left out.
    rows: most rows of each sample, 20 and up. seed: of the halves.

    >>> rng = np.random.default_rng(1)
    >>> reference = rng.normal(size=(2000, 1)) + 0.3 * rng.normal(size=(2000, 3))
    >>> window = rng.permuted(reference, axis=0)  # each field is as it was, but they do not go together
    >>> PCAReconstruction().compare_rows(reference, window, alpha=0.001).verdict.fired
    True
    """

    variance: Annotated[float, Field(gt=0, lt=1)] = 0.65
    rows: Annotated[int, Field(ge=_FEWEST_ROWS)] = 50_000
    seed: Annotated[int, Field(ge=0)] = 0
    heavy: ClassVar[bool] = False

    def compare_rows(
        self, reference: Floats, window: Floats, alpha: float, fields: Indices | None = None
    ) -> JointScore:
        kept = sampled((reference, window), fields, self.rows, self.seed, _FEWEST_ROWS)
        if isinstance(kept, str):
            return nothing(reference, fields, kept)
        fitted, other = np.array_split(kept.reference, 2)
        components = _Components.of(fitted, self.variance)
        if not components.left_out:
            return nothing(reference, fields, "no two fields of the reference vary: there is nothing to leave out")
        before, after = components.errors(other), components.errors(kept.window)
        usual, found = (Distribution.of_numbers(_distance(errors)) for errors in (before, after))
        verdict = KS().compare(usual, found, alpha)
        contributions = _contributions(verdict, kept, after.mean(axis=0) - before.mean(axis=0))
        law = [KS().compare(usual, found, at).threshold for at in LAW_AT]
        return JointScore(verdict, contributions, np.array(law, dtype=np.float64), most=1.0)


def _distance(errors: Floats) -> Floats:
    distance = np.sqrt(errors.sum(axis=1))
    return np.where(distance < _ROUNDING, 0.0, distance)


def _contributions(verdict: Score, kept: Samples, grown: Floats) -> Floats:
    """By how much the mean squared error grew in each field; where it fell in all, by how much it fell."""
    both = np.tile(kept.fields, 2)
    by_field = np.bincount(both, grown, int(kept.fields.max()) + 1).astype(np.float64)
    fell = by_field.max() <= 0
    return shares(-by_field if fell else by_field) if verdict.fired else np.zeros(len(by_field))


class _Components(NamedTuple):
    """Of the columns and, behind them, of where each is missing; missing cells are the median.

    What does not vary in the rows fitted on cannot be restored: there any change is all error.
    """

    median: Floats
    centre: Floats
    deviation: Floats
    axes: Floats
    left_out: int

    @classmethod
    def of(cls, rows: Floats, variance: float) -> "_Components":
        gaps = np.isnan(rows)
        median = np.array([np.median(c[~g]) if not g.all() else 0.0 for c, g in zip(rows.T, gaps.T, strict=True)])
        columns = _with_gaps(rows, gaps, median)
        varied = columns.min(axis=0) < columns.max(axis=0)
        centre, deviation = columns.mean(axis=0), np.where(varied, columns.std(axis=0), 1.0)
        scaled = (columns - centre) / deviation * varied
        values, vectors = np.linalg.eigh(scaled.T @ scaled / len(rows))
        held = np.cumsum(values[::-1]) / max(float(values.sum()), _ROUNDING)
        rank = int((values > _ROUNDING).sum())
        count = min(int(np.searchsorted(held, variance)) + 1, rank - 1)
        return cls(median, centre, deviation, vectors[:, ::-1][:, : max(count, 0)], rank - count if rank > 1 else 0)

    def errors(self, rows: Floats) -> Floats:
        """Squared error of each cell, that of a missing one added to that of the column of gaps: (rows, 2 columns)."""
        columns = _with_gaps(rows, np.isnan(rows), self.median)
        scaled = np.clip((columns - self.centre) / self.deviation, -_FARTHEST, _FARTHEST)
        errors: Floats = (scaled - (scaled @ self.axes) @ self.axes.T) ** 2
        return errors


def _with_gaps(rows: Floats, gaps: Bools, median: Floats) -> Floats:
    return np.hstack([np.where(gaps, median, rows), gaps])
