"""A directory that alibi-detect's `save_detector` wrote, read without running anything in it."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import StepFailed

CONFIG, REFERENCE = "config.toml", "x_ref.npy"
_DATA = {".toml", ".npy"}
# What the library would make by calling what the configuration names.
_MADE = ("preprocess_fn", "preprocess_batch_fn", "model", "optimizer", "reg_loss_fn", "dataset", "tokenizer")


@dataclass(frozen=True)
class SavedFolder:
    path: Path
    config: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "SavedFolder":
        """StepFailed when it is no such directory. Before 0.10, and for outliers still, there is no config.toml."""
        if not path.is_dir():
            raise StepFailed(f"{path} is not a directory that save_detector wrote")
        try:
            text = (path / CONFIG).read_text("utf-8") if (path / CONFIG).exists() else ""
            return cls(path, _without_none(tomllib.loads(text)))
        except (OSError, ValueError) as error:
            raise StepFailed(f"{path / CONFIG} cannot be read: {error}") from None

    @property
    def name(self) -> str:
        return str(self.config.get("name", ""))

    @cached_property
    def code(self) -> str:
        """What could run code when the library loads the directory, '' when nothing could."""
        for file in sorted(self.path.rglob("*")):
            if file.is_file() and file.suffix not in _DATA:
                return str(file)
        for key in _MADE:
            if key in self.config:
                return f"{key} in {self.path / CONFIG}"
        root = self.path.resolve()
        for text in _texts(self.config):  # a path that leads elsewhere, perhaps to a pickle
            if (self.path / text).exists() and not (self.path / text).resolve().is_relative_to(root):
                return f"{text} in {self.path / CONFIG}"
        return ""

    @cached_property
    def reference(self) -> NDArray[Any] | None:
        """The saved reference, shape (rows, …); None where it is part of a pickle."""
        if not (self.path / REFERENCE).exists():
            return None
        try:
            return np.load(self.path / REFERENCE, allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            raise StepFailed(f"{self.path / REFERENCE} cannot be read: {error}") from None

    @property
    def columns(self) -> int | None:
        """How many fields the detector takes, where the directory says it."""
        shape = self.config.get("input_shape")
        # what a model makes of the rows is saved in their place
        made = self.config.keys() & {"preprocess_fn", "model"}
        if shape is None and not made and self.reference is not None:
            shape = self.reference.shape[1:]
        return None if shape is None else math.prod(shape)


def _without_none(config: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null; the library writes it as text."""
    return {key: value for key, value in config.items() if value != "None"}


def _texts(config: Mapping[str, Any]) -> Iterator[str]:
    for value in config.values():
        if isinstance(value, dict):
            yield from _texts(value)
        elif isinstance(value, str) and not value.startswith("@"):
            yield value
