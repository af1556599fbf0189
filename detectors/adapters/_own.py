"""Options of the adapters themselves, which stand beside those of the library's class."""

import logging
import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field

from core.errors import ConfigError, StepFailed
from core.options import build, nearest

Options = TypeVar("Options", bound="Own")


@dataclass(frozen=True)
class Own:
    """fields: inputs to take, in this order; all that fit when empty. rows: of each side at most, 0 = as documented.
    seed: of Python's, numpy's, torch's and TensorFlow's random numbers."""

    fields: Sequence[str] = ()
    rows: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


@dataclass(frozen=True)
class OwnOfFeatures(Own):
    """drift_type: as of `predict`: does each field decide alone, or do all with a correction?"""

    drift_type: Literal["batch", "feature"] = "batch"


@dataclass(frozen=True)
class OwnOfContext(Own):
    """context: the fields that may differ between window and reference without it being drift."""

    context: Annotated[Sequence[str], Field(min_length=1)] = ()


@dataclass(frozen=True)
class OwnOfOutliers(Own):
    """threshold_perc: as of `infer_threshold`: how many percent of the reference's rows are no outliers."""

    threshold_perc: Annotated[float, Field(gt=0, lt=100)] = 95.0


def split(use: str, kind: type[Options], options: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
    """The adapter's own options, checked, and the others. ConfigError for a wrong one."""
    names = {field.name for field in fields(kind)}
    own = build("detector", {use: kind}, use, {name: v for name, v in options.items() if name in names})
    return own, {name: value for name, value in options.items() if name not in names}


def check_options(use: str, options: Mapping[str, Any], known: Sequence[str], own: type[Own]) -> None:
    """ConfigError for an option that the library's class does not have."""
    for name in options:
        if name not in known:
            raise ConfigError(
                f"detector '{use}' has no option '{name}'; {nearest(name, [*known, *(f.name for f in fields(own))])}"
            )


def library(name: str, extra: str) -> ModuleType:
    """The library, imported. StepFailed says how to install what is missing."""
    for chatty in (name.partition(".")[0], "tensorflow"):
        logging.getLogger(chatty).setLevel(logging.ERROR)  # not a line for each detector made
    if find_spec("tf_keras"):  # alibi-detect saves outlier detectors as Keras 2 does, and TensorFlow has Keras 3 now
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise StepFailed(f"the module '{error.name}' is not installed: pip install 'tidemark[{extra}]'") from None


def sow(seed: int) -> None:
    """Seed every generator that a library may draw from."""
    random.seed(seed)
    np.random.seed(seed)  # the libraries draw from the old global generator
    if find_spec("torch"):
        import_module("torch").manual_seed(seed)
    if "tensorflow" in sys.modules:  # which alibi-detect imports itself wherever it is
        sys.modules["tensorflow"].random.set_seed(seed)
