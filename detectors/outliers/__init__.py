"""Scores of whole rows: which of a window's rows are unlike those of the reference."""

from detectors.protocols import RowDetector

from .isolation_forest import IsolationForest
from .mahalanobis import Mahalanobis

OUTLIERS: dict[str, type[RowDetector]] = {
    "isolation_forest": IsolationForest,
    "mahalanobis": Mahalanobis,
}
