"""Presets and metrics of Evidently by their names, with its HTML report."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ConfigError
from core.findings import Score
from core.options import nearest

from ._arrays import Undecidable, kind_of, refuse_missing
from ._evidently_classes import CLASSES, PRESETS, REFUSED, REQUIRED
from ._evidently_scores import DRIFT, verdicts
from ._own import Own, check_options, library, sow, split
from .protocols import Examined, Table, TableDetector, Verdict

PREFIX = "evidently"
NAMES = tuple(CLASSES)
MOST_ROWS = 100_000
_TESTS = ("tests", "share_tests")
_COMPARISONS = ("eq", "not_eq", "gt", "gte", "lt", "lte")
# The report's program and styles are long; what is drawn is JSON under a name of its own.
_BLOCK = re.compile(r"<(script|style)[^>]*>(.*?)</\1>", re.DOTALL)
_LONG = 50_000  # characters
_DRAWN = re.compile(r'\s*var metric_\w+ = \{"name"')


@dataclass(frozen=True)
class OwnOfReport(Own):
    """include_tests: let the metrics' default tests decide too, as of Evidently's Report. report: keep the HTML."""

    include_tests: bool = False
    report: bool = True


def make(name: str, options: Mapping[str, Any]) -> TableDetector:
    """`evidently.<name>`: a preset or a metric with its own options. ConfigError says what is unknown or wrong."""
    use = f"{PREFIX}.{name}"
    if name in REFUSED:
        raise ConfigError(f"Evidently's {name} {REFUSED[name]}, so it cannot be a step")
    if name not in CLASSES:
        raise ConfigError(f"Evidently has no preset or metric '{name}'; {nearest(name, NAMES)}")
    own, others = split(use, OwnOfReport, options)
    check_options(use, others, CLASSES[name], OwnOfReport)
    required = (*(("column",) if "column" in CLASSES[name] else ()), *REQUIRED.get(name, ()))
    if missing := [option for option in required if option not in options]:
        raise ConfigError(f"detector '{use}' needs the option '{missing[0]}'")
    for option in _TESTS:
        _check_tests(use, option, others.get(option, {}))
    return Evidently(name, own, others)


def _check_tests(use: str, option: str, tests: Any) -> None:
    if not isinstance(tests, Mapping) or not all(isinstance(bound, int | float) for bound in tests.values()):
        raise ConfigError(f"detector '{use}': option '{option}' is {tests!r}; write {{lt: 0.5}}")
    for test in tests:
        if test not in _COMPARISONS:
            raise ConfigError(f"detector '{use}': option '{option}': no test '{test}'; {nearest(test, _COMPARISONS)}")


@dataclass(frozen=True)
class Evidently:
    name: str
    own: OwnOfReport
    options: Mapping[str, Any]

    @property
    def fields(self) -> Sequence[str]:
        return self.own.fields or ([str(self.options["column"])] if "column" in self.options else ())

    @property
    def rows(self) -> int:
        return self.own.rows or MOST_ROWS

    def examine(self, reference: Table, window: Table, alpha: float) -> Examined:
        """Missing values stay in: what Evidently makes of them is its own affair."""
        os.environ["DO_NOT_TRACK"] = "1"  # it phones home on import otherwise
        evidently = library("evidently", "evidently")
        sow(self.own.seed)
        try:
            refuse_missing(window, self.fields)
            if not window.columns:
                raise Undecidable("window and reference share no input")
        except Undecidable as reason:
            return Examined([Verdict("", Score(None, None, reason=str(reason)))])
        decides = self.own.include_tests or self.name in (*DRIFT, "DataDriftPreset")
        report = evidently.Report([self._metric(evidently)], include_tests=decides)
        snapshot = report.run(_dataset(evidently, window), _dataset(evidently, reference))
        found = verdicts(snapshot.dict(), alone=self.name not in PRESETS)
        html = snapshot.get_html_str(as_iframe=False) if self.own.report else ""
        return Examined(found, html=html, constant=[*_constant(html)])

    def _metric(self, evidently: Any) -> Any:
        home = evidently.presets if self.name in PRESETS else evidently.metrics
        tests = {
            option: [getattr(evidently.tests, test)(bound) for test, bound in self.options[option].items()]
            for option in _TESTS
            if option in self.options
        }
        return getattr(home, self.name)(**{**self.options, **tests})


def _dataset(evidently: Any, table: Table) -> Any:
    from pandas import DataFrame

    kinds = {name: kind_of(column) for name, column in table.columns.items()}
    definition = evidently.DataDefinition(
        numerical_columns=[name for name, kind in kinds.items() if kind == "num"],
        categorical_columns=[name for name, kind in kinds.items() if kind == "cat"],
    )
    return evidently.Dataset.from_pandas(DataFrame(dict(table.columns)), data_definition=definition)


def _constant(html: str) -> Iterator[str]:
    """The parts that are the same in every report of this version."""
    for block in _BLOCK.finditer(html):
        if len(block[2]) > _LONG and not _DRAWN.match(block[2]):
            yield block[2]
