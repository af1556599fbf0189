"""Detectors that alibi-detect's `save_detector` wrote to a directory."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.errors import StepFailed
from core.findings import Score

from . import _saved_tests
from ._alibi_classes import CLASSES, MOST_ROWS
from ._alibi_runs import of_features, of_joint, of_online, of_outliers, of_sequences, of_series
from ._arrays import Arrays, Undecidable, left_out, refuse_missing
from ._own import library, sow
from ._saved_folder import SavedFolder
from .protocols import Examined, Table, Verdict


@dataclass(frozen=True)
class Saved:
    """path: the directory. fields: the inputs that are the saved columns, in their order.

    trusted: whoever wrote the directory may run code here, as pickles and models can. Not needed for directories that
    hold nothing but config.toml and arrays. drift_type, rows, seed: as for detectors by name.

    KSDrift, CVMDrift, FETDrift, ChiSquareDrift and TabularDrift without preprocessing run without alibi-detect.
    """

    path: Annotated[str, Field(min_length=1)]
    fields: Annotated[Sequence[str], Field(min_length=1)]
    trusted: bool = False
    drift_type: Literal["batch", "feature"] = "batch"
    rows: Annotated[int, Field(ge=1)] = MOST_ROWS
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    def examine(self, reference: Table, window: Table, alpha: float) -> Examined:
        """Drift is measured from the saved reference; outliers are counted against those among `reference`."""
        folder = SavedFolder.read(Path(self.path))
        if folder.code and not self.trusted:
            raise StepFailed(
                f"{folder.code} can run code when it is loaded: say `trusted: true` if you trust its author"
            )
        if folder.columns not in (None, len(self.fields)):
            raise StepFailed(f"the saved detector takes {folder.columns} columns, `fields` names {len(self.fields)}")
        try:
            refuse_missing(window, self.fields)
            fresh, kept = _complete(window, self.fields, folder)
            known, _ = _complete(reference, self.fields, folder)
        except Undecidable as reason:
            return Examined([Verdict("", Score(None, None, reason=str(reason)))])
        data = Arrays(tuple(self.fields), known, fresh, (), kept, left_out("window", kept))
        if folder.name in _saved_tests.TESTS and not folder.code and folder.reference is not None:
            saved = folder.reference.reshape(len(folder.reference), -1)
            return of_features(_saved_tests.predict(folder.config, saved, fresh, self.drift_type), data)
        if not folder.config and not find_spec("tensorflow"):
            raise StepFailed(
                "alibi-detect loads outlier detectors beside TensorFlow only: pip install 'alibi-detect[tensorflow]'"
            )
        return self._by_library(data, alpha)

    def _by_library(self, data: Arrays, alpha: float) -> Examined:
        load = library("alibi_detect.saving", "alibi-detect").load_detector
        sow(self.seed)
        detector = load(self.path)
        name = type(detector).__name__
        match CLASSES[name].how if name in CLASSES and name != "OutlierProphet" else "":
            case "features" if "Uncertainty" in name:  # of one number that a model makes of each row
                return of_features(detector.predict(data.window)["data"], data._replace(fields=("",)))
            case "features":
                return of_features(detector.predict(data.window, drift_type=self.drift_type)["data"], data)
            case "joint":
                return of_joint(detector.predict(data.window)["data"], data)
            case "online":
                return of_online(detector, data.window, data)
            case "outliers":
                return of_outliers(detector, data, alpha)
            case "series":
                return of_series(detector, data, alpha)
            case "sequences":
                return of_sequences(detector, data, alpha)
        raise StepFailed(f"a saved {name} does not take rows of fields")


def _complete(table: Table, fields: Sequence[str], folder: SavedFolder) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Rows without missing values, in the type of the saved reference, and which those are."""
    kind = np.dtype(np.float32) if folder.reference is None else folder.reference.dtype
    columns = [table.columns[name] for name in fields]
    kept = np.all([[v is not None and v == v for v in column] for column in columns], axis=0)
    if kept.sum() < 1:
        raise Undecidable(f"none of {len(kept)} rows is without missing values")
    return np.stack([_as(kind, name, column[kept]) for name, column in zip(fields, columns, strict=True)], axis=1), kept


def _as(kind: np.dtype[Any], field: str, column: NDArray[Any]) -> NDArray[Any]:
    """Categories named by numbers go to where the detector was trained on those numbers."""
    if kind.kind == "U" and column.dtype != object:
        raise StepFailed(f"field '{field}' holds numbers, the saved detector texts")
    try:
        return column.astype(np.str_) if kind.kind == "U" else column.astype(np.float64).astype(kind)
    except ValueError:
        raise StepFailed(f"field '{field}' holds texts, the saved detector numbers") from None
