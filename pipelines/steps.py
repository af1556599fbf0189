"""Which step is what: the names that `use` may take, and what runs each of them."""

import detectors
import explainers
from core.config import StepConfig
from core.errors import ConfigError
from core.options import nearest
from detectors import FieldDetector, RowDetector, adapters
from detectors.adapters import TableDetector
from explainers import Explainer
from pipelines.explain_step import explain
from pipelines.field_step import compare_fields
from pipelines.row_step import score_rows
from pipelines.table_step import examine
from pipelines.task import StepResult, Task

Module = FieldDetector | RowDetector | TableDetector | Explainer


def module(step: StepConfig) -> Module:
    """What `use` names, with its options; an explainer also takes `output`. ConfigError says what there is instead."""
    if step.use in explainers.EXPLAINERS:
        return explainers.make(step.use, {name: value for name, value in step.options.items() if name != "output"})
    if step.use in detectors.DETECTORS:
        return detectors.make(step.use, step.options)
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
    if isinstance(module, TableDetector):
        return examine(task, module)
    return explain(task, module)
