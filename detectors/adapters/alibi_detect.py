"""Every drift and outlier detector of alibi-detect (>= 0.11.5 is under the Business Source License 1.1) by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from core.errors import ConfigError, StepFailed
from core.findings import Score
from core.options import build, nearest

from ._alibi_classes import CLASSES, OWN, REFUSED, Listed
from ._alibi_runs import RUNS, Asked
from ._alibi_saved import Saved
from ._arrays import Undecidable, arrays, kind_of
from ._own import Own, check_options, library, sow, split
from .protocols import Examined, Table, TableDetector, Verdict

PREFIX, LOAD = "alibi_detect", "load"
NAMES = (*CLASSES, LOAD)
# What each needs, and how it is installed.
BACKENDS = {"pytorch": ("torch", "torch"), "tensorflow": ("tensorflow", "'alibi-detect[tensorflow]'")}


def make(name: str, options: Mapping[str, Any]) -> TableDetector:
    """`alibi_detect.<name>`: a class with its own options, or `load`. ConfigError says what is unknown or wrong."""
    use = f"{PREFIX}.{name}"
    if name == LOAD:
        return build("detector", {use: Saved}, use, options)
    listed = _listed(name)
    own, others = split(use, OWN[listed.how], options)
    if refused := next((option for option in others if option in REFUSED and option not in listed.options), None):
        raise ConfigError(f"detector '{use}': option '{refused}' {REFUSED[refused]}")
    check_options(use, others, listed.options, OWN[listed.how])
    if missing := [option for option in listed.required if option not in options]:
        raise ConfigError(f"detector '{use}' needs the option '{missing[0]}'")
    if name == "ClassifierDrift" and (backend := options.get("backend", "sklearn")) != "sklearn":
        raise ConfigError(f"detector '{use}': a model of the backend '{backend}' {REFUSED['model']}")
    return AlibiDetect(name, own, others)


def _listed(name: str) -> Listed:
    if name not in CLASSES:
        raise ConfigError(f"alibi-detect has no detector '{name}'; {nearest(name, NAMES)}")
    if saved_only := CLASSES[name].saved_only:
        needs = f"needs {saved_only}, which a configuration cannot hold"
        raise ConfigError(f"alibi-detect's {name} {needs}: save the detector and use {PREFIX}.{LOAD}")
    return CLASSES[name]


@dataclass(frozen=True)
class AlibiDetect:
    """One class of alibi-detect, made anew on the reference for each window, so that results can be had again."""

    name: str
    own: Own
    options: Mapping[str, Any]

    @property
    def fields(self) -> Sequence[str]:
        return (*self.own.fields, *getattr(self.own, "context", ())) if self.own.fields else ()

    @property
    def rows(self) -> int:
        return self.own.rows or CLASSES[self.name].rows

    def examine(self, reference: Table, window: Table, alpha: float) -> Examined:
        listed = CLASSES[self.name]
        module = library(
            "alibi_detect.od" if listed.how in ("outliers", "series") else "alibi_detect.cd", "alibi-detect"
        )
        sow(self.own.seed)
        try:
            data = arrays(reference, window, listed.kinds, self._columns(window))
        except Undecidable as reason:
            return Examined([Verdict("", Score(None, None, reason=str(reason)))])
        options = _complete(self.name, {**self.options, **_seeded(listed, self.own)})
        return RUNS[listed.how](Asked(getattr(module, self.name), options, self.own, data, alpha))

    def _columns(self, window: Table) -> Sequence[str]:
        """Which to take, a context last; empty for all that fit."""
        context: Sequence[str] = getattr(self.own, "context", ())
        if not context or self.own.fields:
            return self.fields
        numbers = (name for name, column in window.columns.items() if kind_of(column) == "num")
        return [*sorted(name for name in numbers if name not in context), *context]


def _seeded(listed: Listed, own: Own) -> dict[str, Any]:
    return {"seed": own.seed} if "seed" in listed.options else {}


def _complete(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """With the backends that the extra brings or that are light to add; the library's default is TensorFlow."""
    if "backend" in CLASSES[name].options:
        options.setdefault("backend", "sklearn" if name == "ClassifierDrift" else "pytorch")
    if (backend := options.get("backend")) in BACKENDS:
        needed, install = BACKENDS[backend]
        if not find_spec(needed):
            raise StepFailed(f"the backend {backend} needs {needed}, which is not installed: pip install {install}")
    if name == "ClassifierDrift":
        options["model"] = _classifier(str(options["model"]))
    return options


def _classifier(name: str) -> Any:
    """One of scikit-learn's, with its own defaults."""
    from sklearn.utils import all_estimators

    known = dict(all_estimators(type_filter="classifier"))
    if name not in known:
        raise StepFailed(f"scikit-learn has no classifier '{name}'; {nearest(name, known)}")
    return known[name]()
