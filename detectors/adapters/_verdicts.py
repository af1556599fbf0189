"""What a library says, as scores that fire exactly when it does."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.findings import Score

P_VALUES = "score and threshold are 1 - p-value"


def agreeing(score: Score, fired: bool) -> Score:
    """The same score, its threshold moved by the last bit where rounding or >= would make it fire differently."""
    if score.score is None or score.threshold is None or score.fired == fired:
        return score
    threshold = float(np.nextafter(score.score, -np.inf)) if fired else score.score
    return Score(score.score, threshold, score.p_value, score.effect, score.reason)


def by_p_value(p_value: float, threshold: float, distance: float | None, fired: bool, note: str = "") -> Score:
    """For tests that know no critical distance: small p-values are high scores."""
    if not np.isfinite(p_value):
        return Score(None, None, reason=joined("the library gave no p-value", note))
    effect = distance if distance is not None and np.isfinite(distance) else None
    scale = P_VALUES if effect is None else f"{P_VALUES}, effect is the distance"
    return agreeing(Score(1 - p_value, 1 - threshold, p_value, effect, joined(scale, note)), fired)


def joint(said: Mapping[str, Any], note: str = "") -> Score:
    """Of the `data` that alibi-detect's joint tests return: by the critical distance where they have one."""
    fired, distance = bool(said["is_drift"]), float(said["distance"])
    p_value, critical = float(said["p_val"]), said.get("distance_threshold")
    if critical is not None and np.isfinite(distance) and (distance > float(critical)) == fired:
        return Score(distance, float(critical), p_value, None, note)
    return by_p_value(p_value, float(said["threshold"]), distance, fired, note)


def joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
