"""Drift and outlier detectors: one file each, one line each in their family's dict. They know no I/O, clock or
configuration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.options import build

from . import adapters
from .outliers import OUTLIERS
from .protocols import FieldDetector, RowDetector, RowScores
from .univariate import UNIVARIATE

__all__ = ["DETECTORS", "FieldDetector", "RowDetector", "RowScores", "adapters", "make"]

DETECTORS: Mapping[str, type[FieldDetector] | type[RowDetector]] = {**UNIVARIATE, **OUTLIERS}


def make(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> FieldDetector | RowDetector:
    """The detector `name` with its options; ConfigError names what is unknown or wrong, and the nearest known name."""
    detector: FieldDetector | RowDetector = build("detector", DETECTORS, name, options)
    return detector
