"""Detectors that alibi-detect saved: the same numbers as from its own `load_detector`."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import REFERENCE, SAVED, WINDOW, Case
from test_by_name import same_features, same_joint, same_outliers, same_stream

from core.errors import StepFailed
from detectors import adapters
from detectors.adapters import Examined, Table
from detectors.adapters._alibi_runs import of_sequences
from detectors.adapters._arrays import Arrays
from pipelines.worker import Worker

ALONE = SAVED[:5]  # KSDrift, CVMDrift, FETDrift, ChiSquareDrift, TabularDrift


def load(case: Case, folder: str | Path, **options: Any) -> Any:
    fields = list(case.fields)
    return adapters.make("alibi_detect.load", {"path": str(folder), "fields": fields, **options}).examine


def same(found: Examined, said: Any, case: Case) -> None:
    if case.name.endswith("Online"):
        same_stream(found, said, case)
    elif "instance_score" in said:
        same_outliers(found, said)
    elif isinstance(said["p_val"], list):
        same_features(found, said, ("",) if "Uncertainty" in case.name else case.fields)
    else:
        same_joint(found, said)


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.id)
def test_univariate_ones_give_the_library_s_numbers_without_it(case: Case, directly: dict[str, Any]) -> None:
    """In this process, whose environment has no alibi-detect."""
    with pytest.raises(ModuleNotFoundError):
        __import__("alibi_detect")
    saved = directly["saved"][case.id]
    same(load(case, saved["folder"])(Table(REFERENCE), Table(WINDOW), 0.05), saved["said"], case)


@pytest.mark.parametrize("case", SAVED, ids=lambda case: case.id)
def test_all_give_the_library_s_numbers_beside_it(
    case: Case, worker: Worker, directly: dict[str, Any], has_needed: Callable[[Case], None]
) -> None:
    has_needed(case)
    saved = directly["saved"][case.id]
    examine = load(case, saved["folder"], trusted=True)
    if "error" in saved:  # where the library cannot load what it saved, neither can we
        with pytest.raises(StepFailed):
            worker.call(examine, Table(REFERENCE), Table(WINDOW), 0.05)
    else:
        same(worker.call(examine, Table(REFERENCE), Table(WINDOW), 0.05), saved["said"], case)


def test_what_could_run_code_is_not_loaded_unless_its_author_is_trusted(
    directly: dict[str, Any], tmp_path: Path
) -> None:
    case = next(case for case in SAVED if case.name == "ClassifierDrift")
    refused(case, Path(directly["saved"][case.id]["folder"]), r"model\.joblib can run code .* `trusted: true`")
    plain = tmp_path / "plain"
    shutil.copytree(directly["saved"][ALONE[0].id]["folder"], plain)
    load(ALONE[0], plain)(Table(REFERENCE), Table(WINDOW), 0.05)
    config = (plain / "config.toml").read_text()
    elsewhere = tmp_path / "elsewhere.dill"
    elsewhere.write_bytes(b"")
    for bad in (f'"{elsewhere}"', '"../elsewhere.dill"'):
        (plain / "config.toml").write_text(config.replace('data_type = "None"', f"data_type = {bad}"))
        refused(ALONE[0], plain, "elsewhere.dill .* can run code")
    (plain / "config.toml").write_text(config.replace('preprocess_fn = "None"', 'preprocess_fn = {src = "@any"}'))
    refused(ALONE[0], plain, "preprocess_fn in .* can run code")


def test_a_pickled_array_is_not_read(directly: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(directly["saved"][ALONE[0].id]["folder"], tmp_path / "saved")
    np.save(tmp_path / "saved/x_ref.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(ALONE[0], tmp_path / "saved", r"x_ref\.npy cannot be read: .*allow_pickle")


class Sequences:
    """Of 10 rows, as alibi-detect's OutlierSeq2Seq takes them; rows above 1 are outliers."""

    shape, threshold = (-1, 10, 1), [1.0]

    def predict(self, rows: Any) -> Any:
        scores = rows.reshape(self.shape).reshape(-1) - 1
        return {"data": {"instance_score": scores, "is_outlier": scores > 0}}


Sequences.__name__ = "OutlierSeq2Seq"


def test_rows_that_fill_no_sequence_have_no_score() -> None:
    kept = np.arange(26) != 3
    data = Arrays(("a",), np.zeros((34, 1)), np.arange(25.0)[:, None], (), kept, "one missing")
    found = of_sequences(Sequences(), data, 0.05)
    assert found.scores is not None and np.isnan(found.scores).nonzero()[0].tolist() == [3, 21, 22, 23, 24, 25]
    assert ((found.scores > found.threshold).sum(), found.verdicts[0].score.score) == (18, 0.9)
    left = "one missing; 5 rows after the last sequence of 10 were left out"
    assert found.verdicts[0].score.reason == f"18 of 20 rows, 0 of 30 of the reference; {left}"
    found = of_sequences(Sequences(), data._replace(window=data.window[:9], kept=kept[:10]), 0.05)
    assert found.verdicts[0].score.reason.startswith("reference or window is shorter than a sequence of 10 rows")


def test_a_detector_that_gives_no_numbers_gives_no_verdict() -> None:
    rows = np.full((30, 1), np.nan)
    found = of_sequences(Sequences(), Arrays(("a",), rows, rows, (), np.ones(30, dtype=bool), ""), 0.05)
    assert (found.verdicts[0].score.score, found.scores) == (None, None)
    assert found.verdicts[0].score.reason.startswith("the detector's threshold or its scores are NaN")


def test_what_only_tensorflow_loads_says_so_without_it(tmp_path: Path) -> None:
    """In this process, whose environment has no TensorFlow."""
    (tmp_path / "meta.dill").write_bytes(b"")
    with pytest.raises(StepFailed, match=r"beside TensorFlow only: pip install 'alibi-detect\[tensorflow\]'"):
        load(ALONE[0], tmp_path, trusted=True)(Table(REFERENCE), Table(WINDOW), 0.05)


def test_what_does_not_fit_is_said(directly: dict[str, Any], tmp_path: Path) -> None:
    folder = directly["saved"][ALONE[0].id]["folder"]
    refused(ALONE[0]._replace(fields=("a",)), folder, "takes 2 columns, `fields` names 1")
    refused(ALONE[0]._replace(fields=("a", "city")), folder, "'city' holds texts, the saved detector numbers")
    refused(ALONE[0], tmp_path / "gone", "gone is not a directory that save_detector wrote")
    found = load(ALONE[0]._replace(fields=("a", "z")), folder)(Table(REFERENCE), Table(WINDOW), 0.05)
    assert found.verdicts[0].score.reason == "window and reference do not share the input z"


def refused(case: Case, folder: Path, reason: str) -> None:
    with pytest.raises(StepFailed, match=reason):
        load(case, folder)(Table(REFERENCE), Table(WINDOW), 0.05)
