"""Which step is what: the names that `use` may take, and what runs each of them."""

from dataclasses import fields
from typing import Any

import detectors
import explainers
from core.config import StepConfig
from core.errors import ConfigError
from core.options import build, nearest
from detectors import Detector, FieldDetector, JointDetector, RowDetector, StreamDetector, adapters
from detectors.adapters import TableDetector
from explainers import Explainer
from pipelines.steps.explain import explain
from pipelines.steps.fields import compare_fields
from pipelines.steps.joint import JointOptions, compare_rows
from pipelines.steps.rows import score_rows
from pipelines.steps.streams import ErrorOptions, ValueOptions, watch
from pipelines.steps.tables import examine
from pipelines.steps.task import StepResult, Task

Module = Detector | TableDetector | Explainer


def module(step: StepConfig) -> Module:
    """What `use` names, with its options; ConfigError says what there is instead.

    Some options are the step's own: an explainer's `output`, `field` of what compares rows or watches streams.
    """
    if step.use in explainers.EXPLAINERS:
        return explainers.make(step.use, {name: value for name, value in step.options.items() if name != "output"})
    if step.use in detectors.DETECTORS:
        own = vars(_own(step)) if _takes(step.use) else {}
        return detectors.make(step.use, {name: value for name, value in step.options.items() if name not in own})
    if adapters.adapter(step.use):
        return adapters.make(step.use, step.options)
    known = nearest(step.use, [*detectors.DETECTORS, *explainers.EXPLAINERS, *adapters.names()])
    raise ConfigError(f"step '{step.name}': no detector or explainer is named '{step.use}'; {known}")


def run_step(task: Task, module: Module) -> StepResult:
    """StepFailed when the step did; StoreError when the store did."""
    if isinstance(module, FieldDetector):
        return compare_fields(task, module)
    if isinstance(module, RowDetector):
        return score_rows(task, module)
    if isinstance(module, JointDetector):
        return compare_rows(task, module, _own(task.step))
    if isinstance(module, StreamDetector):
        return watch(task, module, _own(task.step))
    if isinstance(module, TableDetector):
        return examine(task, module)
    return explain(task, module)


def _takes(use: str) -> type[Any] | None:
    """The step's own options for this detector, beside the detector's."""
    detector = detectors.DETECTORS[use]
    if hasattr(detector, "compare_rows"):
        return JointOptions
    if hasattr(detector, "update"):
        feeds: str = vars(detector)["feeds"]
        return ErrorOptions if feeds == "errors" else ValueOptions
    return None


def _own(step: StepConfig) -> Any:
    kind = _takes(step.use)
    assert kind
    known = {field.name for field in fields(kind)}
    return build("step", {step.name: kind}, step.name, {n: v for n, v in step.options.items() if n in known})
