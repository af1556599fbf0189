"""The tests of alibi-detect's saved KSDrift, CVMDrift, FETDrift, ChiSquareDrift and TabularDrift, on scipy alone.

The same numbers as the library's, down to its float32; tests/adapters compares them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import StepFailed

Column = NDArray[Any]
Alternative = Literal["two-sided", "less", "greater"]
Measure = Callable[[Column, Column, Alternative], tuple[float, float]]  # of (reference, window): distance, p-value


def predict(config: Mapping[str, Any], reference: Column, window: Column, drift_type: str) -> dict[str, Any]:
    """The `data` that the detector of `config` would return for `window`, both of shape (rows, fields)."""
    p_value = float(config.get("p_val", 0.05))
    single = np.float64 if config["name"] == "FETDrift" else np.float32
    alternative: Alternative = config.get("alternative", "greater" if config["name"] == "FETDrift" else "two-sided")
    found = [_measure(config, at)(reference[:, at], window[:, at], alternative) for at in range(reference.shape[1])]
    distances, p_values = (np.array(side, dtype=single) for side in zip(*found, strict=True))
    if drift_type == "feature":
        threshold = p_value
    elif config.get("correction", "bonferroni") == "fdr":
        threshold = _false_discovery(p_values, p_value)
    else:
        threshold = p_value / len(p_values)
    return {"p_val": p_values, "distance": distances, "threshold": threshold}


def _measure(config: Mapping[str, Any], field: int) -> Measure:
    if config["name"] == "TabularDrift":
        return _chi_squared if str(field) in config.get("categories_per_feature", {}) else _kolmogorov_smirnov
    return TESTS[config["name"]]


def _kolmogorov_smirnov(reference: Column, window: Column, alternative: Alternative) -> tuple[float, float]:
    from scipy.stats import ks_2samp

    found = ks_2samp(reference, window, alternative=alternative, method="asymp")
    return float(found.statistic), float(found.pvalue)


def _cramer_von_mises(reference: Column, window: Column, _: Alternative) -> tuple[float, float]:
    from scipy.stats import cramervonmises_2samp

    found = cramervonmises_2samp(reference, window, method="auto")
    return float(found.statistic), float(found.pvalue)


def _chi_squared(reference: Column, window: Column, _: Alternative) -> tuple[float, float]:
    from scipy.stats import chi2_contingency

    categories = np.union1d(np.unique(reference), np.unique(window))
    counts = [[(side == category).sum() for category in categories] for side in (reference, window)]
    found = chi2_contingency(counts)
    return float(found.statistic), float(found.pvalue)


def _fisher(reference: Column, window: Column, alternative: Alternative) -> tuple[float, float]:
    from scipy.stats import fisher_exact

    for side in (reference, window):
        if not set(np.unique(side)) <= {0, 1}:
            raise StepFailed("FETDrift takes fields of zeros and ones only")
    known, fresh = int(reference.sum()), int(window.sum())
    table = np.array([[fresh, known], [len(window) - fresh, len(reference) - known]])
    found = fisher_exact(table, alternative=alternative)
    return float(found.statistic), float(found.pvalue)


def _false_discovery(p_values: Column, q_value: float) -> float:
    """Below it p-values are rejected (Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57, 289-300)."""
    steps = q_value * np.arange(1, len(p_values) + 1) / len(p_values)
    below = np.flatnonzero(np.sort(p_values) < steps)
    return float(steps[below.max()] if len(below) else steps.min())


TESTS: dict[str, Measure] = {
    "KSDrift": _kolmogorov_smirnov,
    "CVMDrift": _cramer_von_mises,
    "FETDrift": _fisher,
    "ChiSquareDrift": _chi_squared,
    "TabularDrift": _kolmogorov_smirnov,
}
