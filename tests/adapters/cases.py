"""The same rows and the same options for the adapters and for the libraries called directly. Imported by both sides."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NUMBERS, CATEGORIES, BINARY = ("a", "b"), ("city", "plan"), ("flag", "flop")
SMALL = ("b", "flag")  # as networks want them: near 0


class Case(NamedTuple):
    """A class of alibi-detect. `options` are its constructor's, `own` the adapter's; `fields` its columns, in order.

    `needs`: a library without which it is skipped.
    """

    name: str
    fields: tuple[str, ...]
    options: Mapping[str, Any] = MappingProxyType({})
    own: Mapping[str, Any] = MappingProxyType({})
    needs: str = ""

    @property
    def id(self) -> str:
        said = {**self.options, **self.own}
        return f"{self.name}({', '.join(f'{name}={value}' for name, value in said.items())})"


TORCH = {"backend": "pytorch", "p_val": 0.01}
TENSORFLOW = {"backend": "tensorflow", "p_val": 0.01}
QUICK = {"ert": 20, "n_bootstraps": 100}
CASES = [
    Case("KSDrift", NUMBERS),
    Case("KSDrift", NUMBERS, {"p_val": 0.01, "correction": "fdr", "alternative": "less"}),
    Case("KSDrift", NUMBERS, own={"drift_type": "feature"}),
    Case("CVMDrift", NUMBERS),
    Case("FETDrift", BINARY, {"alternative": "two-sided"}),
    Case("ChiSquareDrift", CATEGORIES),
    Case("TabularDrift", ("a", "city", "b", "plan")),
    Case("MMDDrift", NUMBERS, {**TORCH, "n_permutations": 50}, needs="torch"),
    Case("LSDDDrift", NUMBERS, {**TORCH, "n_permutations": 50}, needs="torch"),
    Case("ContextMMDDrift", ("a", "b", "flag"), {**TORCH, "n_permutations": 50}, {"context": ["flag"]}, needs="torch"),
    Case("ClassifierDrift", NUMBERS, {"backend": "sklearn", "model": "LogisticRegression"}),
    Case("SpotTheDiffDrift", NUMBERS, {**TORCH, "learning_rate": 0.1}, needs="torch"),
    Case("CVMDriftOnline", NUMBERS, {**QUICK, "window_sizes": [5, 10]}),
    Case("FETDriftOnline", BINARY, {**QUICK, "window_sizes": [5, 10]}),
    Case("MMDDriftOnline", NUMBERS, {**QUICK, "backend": "pytorch", "window_size": 5}, needs="torch"),
    Case("LSDDDriftOnline", NUMBERS, {**QUICK, "backend": "pytorch", "window_size": 5}, needs="torch"),
    Case("IForest", NUMBERS, {"n_estimators": 50}, {"threshold_perc": 90.0}),
    Case("Mahalanobis", NUMBERS, {"n_components": 2}),
    Case("SpectralResidual", ("a",), {"window_amp": 10, "window_local": 10, "n_est_points": 5}),
]

# Saved by alibi-detect itself; the first five run without it.
SAVED = [
    Case("KSDrift", NUMBERS, {"p_val": 0.02}),
    Case("CVMDrift", NUMBERS, {"correction": "fdr"}),
    Case("FETDrift", BINARY, {"alternative": "greater"}),
    Case("ChiSquareDrift", ("flag", "flop")),
    Case("TabularDrift", ("a", "flag", "b"), {"categories_per_feature": {1: None}}),
    Case("MMDDrift", NUMBERS, {**TORCH, "n_permutations": 50}, needs="torch"),
    Case("CVMDriftOnline", NUMBERS, {**QUICK, "window_sizes": [5, 10]}),
    Case("ClassifierDrift", NUMBERS, {"backend": "sklearn", "model": "LogisticRegression"}),
    Case("ClassifierUncertaintyDrift", NUMBERS, {"backend": "pytorch", "preds_type": "logits"}, needs="torch"),
    Case("RegressorUncertaintyDrift", NUMBERS, {"backend": "pytorch", "n_evals": 5}, needs="torch"),
    Case("LearnedKernelDrift", NUMBERS, {**TORCH, "n_permutations": 50, "epochs": 1}, needs="torch"),
]

# TensorFlow is in no environment that `make` builds, for its size; docs/adapters.md says how to run these.
_BY_NAME = [
    Case("MMDDrift", NUMBERS, {**TENSORFLOW, "n_permutations": 50}),
    Case("LSDDDrift", NUMBERS, {**TENSORFLOW, "n_permutations": 50}),
    Case("ContextMMDDrift", ("a", "b", "flag"), {**TENSORFLOW, "n_permutations": 50}, {"context": ["flag"]}),
    Case("SpotTheDiffDrift", NUMBERS, {**TENSORFLOW, "learning_rate": 0.1}),
    Case("MMDDriftOnline", NUMBERS, {**QUICK, "backend": "tensorflow", "window_size": 5}),
    Case("LSDDDriftOnline", NUMBERS, {**QUICK, "backend": "tensorflow", "window_size": 5}),
]
_SAVED = [
    Case("MMDDrift", NUMBERS, {**TENSORFLOW, "n_permutations": 50}),
    Case("MMDDriftOnline", NUMBERS, {**QUICK, "backend": "tensorflow", "window_size": 5}),
    Case("ClassifierDrift", SMALL, TENSORFLOW),
    Case("ClassifierUncertaintyDrift", SMALL, {"backend": "tensorflow", "preds_type": "logits"}),
    Case("RegressorUncertaintyDrift", SMALL, {"backend": "tensorflow", "n_evals": 5}),
    Case("LearnedKernelDrift", NUMBERS, {**TENSORFLOW, "n_permutations": 50, "epochs": 1}),
    Case("OutlierAE", SMALL),
    Case("OutlierVAE", SMALL, {"latent_dim": 2, "samples": 3}),
    Case("OutlierAEGMM", SMALL, {"n_gmm": 2}),
    Case("OutlierVAEGMM", SMALL, {"n_gmm": 2, "latent_dim": 2, "samples": 3}),
    Case("OutlierSeq2Seq", SMALL, {"seq_len": 10, "latent_dim": 4}),
    Case("LLR", SMALL),
    Case("IForest", NUMBERS, {"n_estimators": 50}),
    Case("Mahalanobis", NUMBERS, {"n_components": 2}),
    Case("SpectralResidual", ("a",), {"window_amp": 10, "window_local": 10, "n_est_points": 5}),
]
CASES += [case._replace(needs="tensorflow") for case in _BY_NAME]
SAVED += [case._replace(needs="tensorflow") for case in _SAVED]

# Presets and metrics of Evidently with their options.
REPORTS: list[tuple[str, dict[str, Any]]] = [
    ("DataDriftPreset", {}),
    ("DataDriftPreset", {"num_method": "wasserstein", "cat_threshold": 0.2, "drift_share": 0.3}),
    ("DataSummaryPreset", {}),
    ("DatasetStats", {}),
    ("ValueStats", {"column": "a"}),
    ("ValueDrift", {"column": "a", "method": "psi"}),
    ("ValueDrift", {"column": "city"}),
    ("DriftedColumnsCount", {"columns": ["a", "b"]}),
    *((f"{name}Value", {"column": "a"}) for name in ("Min", "Max", "Mean", "Median", "Std", "Sum")),
    ("QuantileValue", {"column": "a", "quantile": 0.9}),
    ("CategoryCount", {"column": "city", "category": "Rome"}),
    ("InRangeValueCount", {"column": "a", "left": -1, "right": 1}),
    ("OutRangeValueCount", {"column": "a", "left": -1, "right": 1}),
    ("InListValueCount", {"column": "city", "values": ["Rome", "Oslo"]}),
    ("OutListValueCount", {"column": "city", "values": ["Rome", "Oslo"]}),
    ("MissingValueCount", {"column": "city"}),
    ("UniqueValueCount", {"column": "city"}),
    ("RowCount", {}),
    ("ColumnCount", {}),
    ("DuplicatedRowCount", {}),
    ("DuplicatedColumnsCount", {}),
    ("DatasetMissingValueCount", {}),
    ("AlmostConstantColumnsCount", {}),
    ("AlmostDuplicatedColumnsCount", {}),
    ("ConstantColumnsCount", {}),
    ("EmptyRowsCount", {}),
    ("EmptyColumnsCount", {}),
]


def rows(seed: int, count: int, shift: float) -> dict[str, NDArray[Any]]:
    """Two normal fields far from 0 and one of them moved, categories with one that only the window has, and flags."""
    rng = np.random.default_rng(seed)
    cities = ["Rome", "Oslo", "Lima", "Bern"][: 4 if shift else 3]
    return {
        "a": rng.normal(300 + 3 * shift, 3, count),
        "b": rng.normal(0, 1, count),
        "city": rng.choice(cities, count).astype(object),
        "plan": rng.choice(["free", "paid"], count, p=[0.7 - 0.3 * shift, 0.3 + 0.3 * shift]).astype(object),
        "flag": (rng.random(count) < 0.2 + 0.3 * shift).astype(float),
        "flop": (rng.random(count) < 0.5).astype(float),
    }


REFERENCE, WINDOW = rows(1, 120, 0.0), rows(2, 80, 0.7)
