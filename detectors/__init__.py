"""Drift and outlier detectors: one file each, one line each in DETECTORS. They know no I/O, clock or configuration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.options import build

from .chi_squared import ChiSquared
from .isolation_forest import IsolationForest
from .jensen_shannon import JensenShannon
from .ks import KS
from .mahalanobis import Mahalanobis
from .protocols import FieldDetector, RowDetector, RowScores
from .psi import PSI

__all__ = ["DETECTORS", "FieldDetector", "RowDetector", "RowScores", "make"]

DETECTORS: dict[str, type[FieldDetector] | type[RowDetector]] = {
    "chi_squared": ChiSquared,
    "isolation_forest": IsolationForest,
    "jensen_shannon": JensenShannon,
    "ks": KS,
    "mahalanobis": Mahalanobis,
    "psi": PSI,
}


def make(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> FieldDetector | RowDetector:
    """The detector `name` with its options; ConfigError names what is unknown or wrong, and the nearest known name."""
    detector: FieldDetector | RowDetector = build("detector", DETECTORS, name, options)
    return detector
