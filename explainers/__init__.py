"""Explainers: one file each, one line each in EXPLAINERS. They know no I/O, clock or configuration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.options import build

from .protocols import Attribution, Explainer, Question
from .shapley import Shapley

__all__ = ["EXPLAINERS", "Attribution", "Explainer", "Question", "make"]

EXPLAINERS: dict[str, type[Explainer]] = {
    "shapley": Shapley,
}


def make(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> Explainer:
    """The explainer `name` with its options; ConfigError names what is unknown or wrong, and the nearest known name."""
    return build("explainer", EXPLAINERS, name, options)
