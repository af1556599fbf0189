"""One monitor over one window: its steps in order, and the run that records them."""

import hashlib
import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

from core.config import Config, MonitorConfig, StepConfig, model_key
from core.contract import Contract
from core.errors import StoreError, TidemarkError
from core.findings import Run, Score, Window
from core.records import ModelKey
from core.tracing import span
from pipelines.alarms.budget import Allowance, allowances, spacing
from pipelines.alarms.calibrating import Calibrations
from pipelines.alarms.history import History
from pipelines.steps.modules import Module, module, run_step
from pipelines.steps.schema import STEP, schema_findings
from pipelines.steps.task import Place, Predictor, StepResult, Subject, Task
from pipelines.steps.verdict import ranked
from pipelines.windows.basis import Basis
from pipelines.windows.look import Look, Side, Sides
from pipelines.windows.reference import Reference
from pipelines.worker import Worker
from storage.engine import Engine
from storage.findings.outcomes import Outcome
from storage.findings.states import States, StoredStates
from storage.windows.cache import DirectReader
from storage.windows.distributions import CELLS
from storage.windows.relations import of_window

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tools:
    """What running a monitor takes. `modules` makes a step's detector or explainer from its configuration.

    `most_cells`: values that window and reference may each hold in memory; of larger ones some fields at a time.
    `config`: where models are declared.
    `outside` runs other libraries' detectors, where they have an interpreter of their own.
    Without `basis` windows are read from rows, without `states` those are read that were stored.
    """

    engine: Engine
    worker: Worker
    predictor: Predictor
    clock: Callable[[], datetime]
    modules: Callable[[StepConfig], Module] = module
    most_cells: int = CELLS
    config: Config = field(default_factory=Config)
    calibrations: Calibrations = field(default_factory=Calibrations)
    outside: Worker | None = None
    basis: Basis | None = None
    states: States | None = None

    def contracts(self, model: ModelKey) -> dict[str, Contract]:
        """What is declared of the model's fields."""
        return {name: declared.contract for name, declared in self.config.model(model).fields.items()}

    def window(self, monitor: MonitorConfig, window: Window) -> Side:
        """Its rows, and what reads them."""
        relation = of_window(model_key(monitor.model), window)
        return Side(relation, self.basis.reader(monitor, relation) if self.basis else DirectReader(self.engine))


class _Results(NamedTuple):
    """By name of the step; a step that had nothing to run after is in neither."""

    done: dict[str, StepResult]
    failed: dict[str, str]


def run_monitor(tools: Tools, monitor: MonitorConfig, window: Window, reference: Reference | None) -> Outcome:
    """What `monitor` finds in `window`; the same window, reference and configuration give the same rows.

    `reference` is None while it has not all its rows. A step that fails makes the run a failed one; what the other
    steps found is kept. StoreError passes.
    """
    started = tools.clock()
    model = model_key(monitor.model)
    contracts = tools.contracts(model)
    subject = Subject(_run_id(monitor, window, reference, contracts), monitor, model, window, contracts)
    if reference:
        tags = [segment.removeprefix("tags.") for segment in monitor.segments]
        expected = contracts if reference.history.lacks else None
        sides = Sides(tools.window(monitor, window), reference.side, expected)
        look = Look(tools.engine, sides, tags, tools.most_cells)
        place = Place(rows=look.window_rows, reference_rows=look.reference_rows)
        results = _undecided(subject, place) or _run_steps(tools, subject, _Looked(look, reference.history))
    else:
        place = Place()
        results = _say(subject, place, "the model has not had all the rows yet that are to be its reference")
    ended = _Run(started, tools.clock(), place.rows, reference.name if reference else "")
    return _outcome(subject, results, ended)


class _Looked(NamedTuple):
    look: Look
    history: History


def _run_steps(tools: Tools, subject: Subject, looked: _Looked) -> _Results:
    results = _Results({STEP: StepResult(schema_findings(subject, looked.look))}, {})
    apart = spacing(tools.engine, subject.monitor, subject.window)
    allowed = allowances(subject.monitor, apart)
    states = tools.states or StoredStates(tools.engine)
    for step in subject.monitor.steps:
        before = results.done.get((step.after or "").removesuffix(".fired"), StepResult())
        if step.after and not before.fired:
            continue
        allowance = allowed.get(step.name, Allowance())
        wired = tools.worker, tools.outside or tools.worker, tools.predictor, before
        task = Task(step, subject, looked.look, *wired, allowance, looked.history, tools.calibrations, states)
        try:
            with span("step", monitor=subject.monitor.name, step=step.name, use=step.use):
                results.done[step.name] = run_step(task, tools.modules(step))
        except StoreError:
            raise
        except TidemarkError as error:
            results.failed[step.name] = str(error)
        except Exception as error:  # a step is anyone's code: what goes wrong in it is its own failure
            log.exception("step %s of monitor %s failed", step.name, subject.monitor.name)
            results.failed[step.name] = f"{type(error).__name__}: {error}"
    return results


def _undecided(subject: Subject, place: Place) -> _Results | None:
    if not place.rows:
        return _say(subject, place, "no rows in the window")
    if place.reference_rows < 2:
        return _say(subject, place, f"the reference has {place.reference_rows} rows; at least 2 are needed")
    return None


def _say(subject: Subject, place: Place, reason: str) -> _Results:
    """One finding without a score for each step that would have run."""
    score = Score(None, None, reason=reason)
    steps = [step for step in subject.monitor.steps if not step.after]
    return _Results({s.name: StepResult([subject.finding(s.name, place, score)]) for s in steps}, {})


class _Run(NamedTuple):
    started: datetime
    finished: datetime
    rows: int
    reference: str


def _outcome(subject: Subject, results: _Results, ended: _Run) -> Outcome:
    run = Run(
        id=subject.run,
        monitor=subject.monitor.name,
        namespace=subject.model.namespace,
        model=subject.model.model,
        window=subject.window,
        status="failed" if results.failed else "done",
        reason="; ".join(f"{step}: {reason}" for step, reason in results.failed.items()),
        versions=_versions(),
        **ended._asdict(),
    )
    done = results.done.values()
    return Outcome(
        run,
        ranked([finding for result in done for finding in result.findings]),
        [score for result in done for score in result.scores],
        [explanation for result in done for explanation in result.explanations],
        [report for result in done for report in result.reports],
        states=[state for result in done for state in result.states],
    )


def _run_id(
    monitor: MonitorConfig, window: Window, reference: Reference | None, contracts: Mapping[str, Contract]
) -> str:
    asked = (monitor.name, monitor.model, monitor.segments, monitor.steps, monitor.false_alarms)
    made_of = (asked, window, reference.name if reference else "", *_said(contracts))
    return hashlib.blake2b(repr(made_of).encode(), digest_size=16).hexdigest()


def _said(contracts: Mapping[str, Contract]) -> tuple[str, ...]:
    """The same words for the same contracts, in every process."""
    return tuple(
        f"{name} {contract.kind} {contract.range} {sorted(contract.categories or ())}"
        for name, contract in sorted(contracts.items())
    )


@cache
def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("tidemark", "numpy")}}
