"""Drift and outlier detectors: one file each, one line each in their family's dict. They know no I/O, clock or
configuration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.options import build

from . import adapters
from .multivariate import MULTIVARIATE
from .outliers import OUTLIERS
from .protocols import (
    LAW_AT,
    NO_LAW,
    ContractDetector,
    FieldDetector,
    JointDetector,
    JointScore,
    MissingDetector,
    RowDetector,
    RowScores,
    StreamDetector,
    StreamScores,
)
from .sequential import SEQUENTIAL
from .univariate import UNIVARIATE

__all__ = [
    "DETECTORS",
    "LAW_AT",
    "NO_LAW",
    "SEQUENTIAL",
    "ContractDetector",
    "Detector",
    "FieldDetector",
    "JointDetector",
    "JointScore",
    "MissingDetector",
    "RowDetector",
    "RowScores",
    "StreamDetector",
    "StreamScores",
    "adapters",
    "make",
]

Detector = FieldDetector | RowDetector | JointDetector | StreamDetector
DETECTORS: Mapping[str, type[Detector]] = {**UNIVARIATE, **OUTLIERS, **MULTIVARIATE, **SEQUENTIAL}


def make(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> Detector:
    """The detector `name` with its options; ConfigError names what is unknown or wrong, and the nearest known name."""
    detector: Detector = build("detector", DETECTORS, name, options)
    return detector
