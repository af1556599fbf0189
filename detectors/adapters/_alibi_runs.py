"""How each kind of alibi-detect's detectors is made, asked, and understood."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.distribution import Floats
from core.findings import Score
from detectors.outliers._conformal import tail

from ._alibi_classes import How
from ._arrays import Arrays
from ._own import Own, OwnOfContext, OwnOfFeatures, OwnOfOutliers
from ._verdicts import agreeing, by_p_value, joined, joint
from .protocols import Examined, Verdict


class Asked(NamedTuple):
    make: Callable[..., Any]
    options: Mapping[str, Any]
    own: Own
    data: Arrays
    alpha: float


def run_features(asked: Asked) -> Examined:
    """A test for each field; all of them share out p_val unless drift_type is `feature`."""
    coded = asked.data.coded
    tabular = (
        {"categories_per_feature": dict.fromkeys(coded)} if coded and asked.make.__name__ == "TabularDrift" else {}
    )
    drift_type = asked.own.drift_type if isinstance(asked.own, OwnOfFeatures) else "batch"
    detector = asked.make(asked.data.reference, **asked.options, **tabular)
    return of_features(detector.predict(asked.data.window, drift_type=drift_type)["data"], asked.data)


def of_features(said: Mapping[str, Any], data: Arrays) -> Examined:
    # fdr without any rejection gives all its thresholds; no p-value is below the least of them
    p_values, threshold = np.atleast_1d(said["p_val"]), np.min(said["threshold"])
    fired, distances = p_values < threshold, np.atleast_1d(said["distance"])
    return Examined(
        [
            Verdict(field, by_p_value(float(p), float(threshold), float(distance), bool(fires), data.note))
            for field, p, distance, fires in zip(data.fields, p_values, distances, fired, strict=True)
        ]
    )


def run_joint(asked: Asked) -> Examined:
    reference, window = _typed(asked)
    return of_joint(asked.make(reference, **asked.options).predict(window)["data"], asked.data)


def _typed(asked: Asked) -> tuple[NDArray[Any], NDArray[Any]]:
    """Reference and window. The models of torch and TensorFlow are float32, and so must be what they get."""
    kind = np.float32 if asked.options.get("backend") in ("pytorch", "tensorflow") else np.float64
    return asked.data.reference.astype(kind), asked.data.window.astype(kind)


def of_joint(said: Mapping[str, Any], data: Arrays) -> Examined:
    return Examined([Verdict("", joint(said, data.note))])


def run_context(asked: Asked) -> Examined:
    """The last columns are the context."""
    assert isinstance(asked.own, OwnOfContext)
    at = len(asked.data.fields) - len(asked.own.context)
    reference, window = (rows.astype(np.float32) for rows in asked.data[1:3])
    detector = asked.make(reference[:, :at], reference[:, at:], **asked.options)
    return of_joint(detector.predict(window[:, :at], window[:, at:])["data"], asked.data)


def run_online(asked: Asked) -> Examined:
    """Row by row, from its first state."""
    reference, window = _typed(asked)
    return of_online(asked.make(reference, **{"verbose": False, **asked.options}), window, asked.data)


def of_online(detector: Any, window: NDArray[Any], data: Arrays) -> Examined:
    """The moment at which a statistic was furthest above its threshold, or least below it; of each field if it can."""
    said = [detector.predict(row)["data"] for row in window]
    many = np.ndim(said[0]["test_stat"]) == 2
    # (rows, fields): of several windows the library compares the largest statistic
    statistics = np.stack([_largest(one["test_stat"]) for one in said])
    thresholds = np.stack([np.broadcast_to(one["threshold"], statistics.shape[1:]) for one in said])
    fields = data.fields if many else ("",)
    return Examined(
        [Verdict(field, _furthest(statistics[:, at], thresholds[:, at], data.note)) for at, field in enumerate(fields)]
    )


def _largest(statistics: Any) -> Floats:
    """Of (windows, fields); NaN while no window is full."""
    if np.ndim(statistics) < 2:
        return np.atleast_1d(np.asarray(statistics, dtype=np.float64))
    known = np.where(np.isnan(statistics), -np.inf, statistics).max(axis=0)
    return np.where(np.isinf(known), np.nan, known)


def _furthest(statistics: Floats, thresholds: Floats, note: str) -> Score:
    above = statistics - thresholds
    if np.isnan(above).all():
        return Score(None, None, reason=joined("fewer rows than its window is long", note))
    at = int(np.nanargmax(above))
    score = Score(float(statistics[at]), float(thresholds[at]), reason=joined(f"furthest at row {at + 1}", note))
    return agreeing(score, bool(np.nanmax(above) > 0))


def run_outliers(asked: Asked) -> Examined:
    """Fitted on the reference, and its threshold inferred from it unless one is given."""
    detector = asked.make(**asked.options)
    if hasattr(detector, "isolationforest"):
        detector.fit(asked.data.reference)
    if asked.options.get("threshold") is None:
        assert isinstance(asked.own, OwnOfOutliers)
        detector.infer_threshold(asked.data.reference, threshold_perc=asked.own.threshold_perc)
    return of_outliers(detector, asked.data, asked.alpha)


def run_series(asked: Asked) -> Examined:
    """One field as a series, row after row as they were received."""
    return _not_one(asked.data) or run_outliers(asked._replace(data=_column(asked.data)))


def of_series(detector: Any, data: Arrays, alpha: float) -> Examined:
    return _not_one(data) or of_outliers(detector, _column(data), alpha)


def _not_one(data: Arrays) -> Examined | None:
    if len(data.fields) == 1:
        return None
    reason = f"takes one field, of which `fields` says which; there are {len(data.fields)}"
    return Examined([Verdict("", Score(None, None, reason=reason))], "outlier")


def _column(data: Arrays) -> Arrays:
    return data._replace(reference=data.reference[:, 0], window=data.window[:, 0])


def of_outliers(detector: Any, data: Arrays, alpha: float) -> Examined:
    """Mahalanobis learns as it scores, so the reference is scored by what it was before the window."""
    learns = type(detector).__name__ == "Mahalanobis"
    before = deepcopy(detector) if learns else detector  # Keras models cannot be copied
    said = detector.predict(data.window)["data"]
    if np.isnan(detector.threshold).any() or np.isnan(said["instance_score"]).all():
        reason = joined("the detector's threshold or its scores are NaN, as after a training that failed", data.note)
        return Examined([Verdict("", Score(None, None, reason=reason))], "outlier")
    scores = np.full(len(data.kept), np.nan)
    scores[data.kept] = said["instance_score"]
    outliers, rows = int(np.sum(said["is_outlier"])), len(data.window)
    among = int(np.sum(before.predict(data.reference)["data"]["is_outlier"]))
    score = _share(outliers, among, (rows, len(data.reference)), alpha)
    reason = joined(f"{outliers} of {rows} rows, {among} of {len(data.reference)} of the reference", data.note)
    verdict = Score(score.score, score.threshold, score.p_value, None, reason)
    # Seq2Seq takes its threshold, which may be one for each field, off the scores
    threshold = 0.0 if type(detector).__name__ == "OutlierSeq2Seq" else float(detector.threshold)
    return Examined([Verdict("", verdict)], "outlier", scores, threshold)


def of_sequences(detector: Any, data: Arrays, alpha: float) -> Examined:
    """Rows as they were received, cut into sequences of the detector's length; what is left at the end has no score."""
    length: int = detector.shape[1]
    reference, window = (rows[: len(rows) // length * length] for rows in data[1:3])
    if not len(reference) or not len(window):
        reason = joined(f"reference or window is shorter than a sequence of {length} rows", data.note)
        return Examined([Verdict("", Score(None, None, reason=reason))], "outlier")
    kept, left = data.kept.copy(), len(data.window) - len(window)
    kept[np.flatnonzero(kept)[len(window) :]] = False
    note = joined(data.note, f"{left} rows after the last sequence of {length} were left out" if left else "")
    return of_outliers(detector, data._replace(reference=reference, window=window, kept=kept, note=note), alpha)


def _share(outliers: int, among: int, rows: tuple[int, int], alpha: float) -> Score:
    """Has the window more outliers than rows like the reference's would have? The law of `outliers/_conformal.py`."""
    n, m = rows
    at_least = tail(n, min(among + 1, m), m)
    enough = int(np.searchsorted(-at_least, -alpha, "right"))
    return Score(outliers / n, (enough - 0.5) / n, float(at_least[outliers]))


RUNS: dict[How, Callable[[Asked], Examined]] = {
    "features": run_features,
    "joint": run_joint,
    "context": run_context,
    "online": run_online,
    "outliers": run_outliers,
    "series": run_series,
}
