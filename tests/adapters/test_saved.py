"""Detectors that alibi-detect saved: the same numbers as from its own `load_detector`."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import REFERENCE, SAVED, WINDOW, Case
from test_by_name import same_features, same_joint, same_stream

from core.errors import StepFailed
from detectors import adapters
from detectors.adapters import Examined, Table
from pipelines.worker import Worker

ALONE = SAVED[:5]  # KSDrift, CVMDrift, FETDrift, ChiSquareDrift, TabularDrift


def load(case: Case, folder: str | Path, **options: Any) -> Any:
    fields = list(case.fields)
    return adapters.make("alibi_detect.load", {"path": str(folder), "fields": fields, **options}).examine


def same(found: Examined, said: Any, case: Case) -> None:
    if case.name.endswith("Online"):
        same_stream(found, said, case)
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
def test_all_give_the_library_s_numbers_beside_it(case: Case, worker: Worker, directly: dict[str, Any]) -> None:
    if case.torch and not directly["torch"]:
        pytest.skip("no torch in .venv-adapters: no wheel of torch 2.13.0 could be had")
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
