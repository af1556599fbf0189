"""Calls alibi-detect and Evidently as their documentation does, in their own environment, on the rows of `cases`.

`python directly.py FOLDER` saves detectors there and prints what the libraries said, as JSON. Nothing of Tidemark is
imported here.
"""

import contextlib
import json
import os
import random
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"
for name in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMBA_NUM", "TF_NUM_INTEROP", "TF_NUM_INTRAOP"):
    os.environ[f"{name}_THREADS"] = "1"  # as in the worker: what is drawn in parallel differs with their number
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # alibi-detect cannot save outlier detectors of Keras 3
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import reports  # noqa: E402
from cases import CASES, REFERENCE, REPORTS, SAVED, WINDOW, Case  # noqa: E402

with contextlib.suppress(ImportError):
    import torch
with contextlib.suppress(ImportError):
    import networks
    import tensorflow


def main(folder: Path) -> dict[str, Any]:
    has = {library: sys.modules[library].__version__ for library in ("torch", "tensorflow") if library in sys.modules}
    cases = [case for case in CASES if not case.needs or case.needs in has]
    saved = [case for case in SAVED if not case.needs or case.needs in has]
    return {
        "has": has,
        "named": {case.id: called(case) for case in cases},
        "saved": {case.id: save(case, folder / f"{at}") for at, case in enumerate(saved)},
        "reports": [report(case) for case in REPORTS],
        "classes": classes(),
    }


def seed() -> None:
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        torch.manual_seed(0)
    if "tensorflow" in sys.modules:
        tensorflow.random.set_seed(0)


def matrix(rows: dict[str, Any], fields: tuple[str, ...]) -> Any:
    """Categories by their place in the alphabet."""
    places = {name: float(at) for at, name in enumerate(sorted({"Rome", "Oslo", "Lima", "Bern"}))}
    places |= {"free": 0.0, "paid": 1.0}
    columns = [[places.get(value, value) for value in rows[field]] for field in fields]
    return np.ascontiguousarray(np.array(columns, dtype=np.float64).T)


def called(case: Case) -> Any:
    import alibi_detect.cd as cd
    import alibi_detect.od as od

    seed()
    reference, window = matrix(REFERENCE, case.fields), matrix(WINDOW, case.fields)
    if case.needs:
        reference, window = reference.astype(np.float32), window.astype(np.float32)
    options = dict(case.options)
    if case.name == "ClassifierDrift":
        options["model"] = logistic()
    if case.name in ("ClassifierDrift", "SpotTheDiffDrift"):
        options["seed"] = 0
    if case.name == "TabularDrift":
        options["categories_per_feature"] = {1: None, 3: None}
    if case.name == "ContextMMDDrift":
        detector = cd.ContextMMDDrift(reference[:, :2], reference[:, 2:], **options)
        return plain(detector.predict(window[:, :2], window[:, 2:])["data"])
    if case.name.endswith("Online"):
        return stream(getattr(cd, case.name)(reference, verbose=False, **options), window)
    if hasattr(cd, case.name):
        return plain(getattr(cd, case.name)(reference, **options).predict(window, **case.own)["data"])
    detector = getattr(od, case.name)(**options)
    if case.name == "SpectralResidual":
        reference, window = reference[:, 0], window[:, 0]
    if case.name == "IForest":
        detector.fit(reference)
    detector.infer_threshold(reference, **case.own)
    return {**plain(detector.predict(window)["data"]), "threshold": float(detector.threshold)}


def stream(detector: Any, window: Any) -> Any:
    """What the detector said after each row."""
    return [plain(detector.predict(row)["data"]) for row in window]


def save(case: Case, folder: Path) -> Any:
    """Save the detector, load it again, and say what the loaded one finds; how saving or loading failed, if it did."""
    from alibi_detect.saving import load_detector, save_detector

    seed()
    kind = np.float32 if case.needs else np.float64
    reference, window = (matrix(rows, case.fields).astype(kind) for rows in (REFERENCE, WINDOW))
    if case.name == "SpectralResidual":
        reference, window = reference[:, 0], window[:, 0]
    try:
        save_detector(made(case, reference), folder)
        seed()
        detector = load_detector(folder)
        said = stream(detector, window) if case.name.endswith("Online") else plain(detector.predict(window)["data"])
        if "instance_score" in said:  # OutlierSeq2Seq gives what is left above its threshold
            said["threshold"] = 0.0 if case.name == "OutlierSeq2Seq" else float(detector.threshold)
    except Exception as error:
        return {"folder": str(folder), "error": f"{type(error).__name__}: {error.__cause__ or error}"[:300]}
    return {"folder": str(folder), "said": said}


def made(case: Case, reference: Any) -> Any:
    import alibi_detect.cd as cd
    import alibi_detect.od as od

    if hasattr(cd, case.name):
        return getattr(cd, case.name)(reference, **{**case.options, **model(case)})
    code = {"log_prob": log_density} if case.name == "LLR" else {}
    detector = getattr(od, case.name)(**case.options, **networks.of(case.name), **code)
    if case.name not in ("Mahalanobis", "SpectralResidual"):
        detector.fit(reference, **networks.training(case.name))
    detector.infer_threshold(reference, threshold_perc=95)
    return detector


def log_density(rows: Any, predicted: Any) -> Any:
    """Of a normal law. Here, where functions are saved as a whole and not by name, and so with its import inside."""
    import tensorflow

    return -tensorflow.square(rows - predicted)


def model(case: Case) -> dict[str, Any]:
    if case.needs == "tensorflow":
        return networks.of(case.name)
    if case.name == "ClassifierDrift":
        return {"model": logistic(), "seed": 0}
    if case.name == "ClassifierUncertaintyDrift":
        return {"model": torch.nn.Sequential(torch.nn.Linear(2, 3))}
    if case.name == "RegressorUncertaintyDrift":
        return {"model": torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))}
    if case.name == "LearnedKernelDrift":
        from alibi_detect.utils.pytorch import DeepKernel

        return {"kernel": DeepKernel(torch.nn.Sequential(torch.nn.Linear(2, 4)), eps=0.01)}
    return {}


def logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def plain(said: dict[str, Any]) -> dict[str, Any]:
    wanted = ("is_drift", "p_val", "distance", "threshold", "distance_threshold", "test_stat", "is_outlier")
    return {name: np.asarray(said[name]).tolist() for name in (*wanted, "instance_score") if said.get(name) is not None}


def report(case: tuple[str, dict[str, Any]]) -> Any:
    seed()
    return reports.of(*case)


def classes() -> dict[str, Any]:
    """What the libraries have: classes with the options of their constructors, by family."""
    import inspect

    import alibi_detect.cd as cd
    import alibi_detect.od as od
    import evidently.metrics
    import evidently.presets

    own: dict[str, list[str] | None] = {}
    for module in (cd, od):
        for name in module.__all__:
            kind = getattr(module, name)
            own[name] = [*inspect.signature(kind.__init__).parameters][1:] if inspect.isclass(kind) else None
    theirs = {
        name: [*getattr(module, name).__fields__]
        for module in (evidently.presets, evidently.metrics)
        for name in module.__all__
    }
    return {"alibi_detect": own, "evidently": theirs}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # the libraries print too
        said = main(Path(sys.argv[1]))
    print(json.dumps(said, default=str))
