"""What a reference's own blocks say of a step that looks at whole rows."""

from collections.abc import Sequence
from typing import NamedTuple

from core.findings import Score
from pipelines.alarms.calibration import FEWEST_BLOCKS, Calibration
from pipelines.alarms.whole_rows import Judge, Judged, Read, decide, of_blocks
from pipelines.steps.task import Task
from storage.windows.distributions import CELLS
from storage.windows.relations import Relation
from storage.windows.rows import Choice, Matrix, matrix, numeric


class Usual(NamedTuple):
    """`found` is None where nothing is known; `lacks` says why."""

    found: Calibration | None
    lacks: str

    def decide(self, judged: Judged, alpha: float, rows: float) -> Score:
        """What the law says, or what is usual where that is known. `rows`: as `evidence` has it."""
        return decide(judged, self.found, alpha, rows) if self.found else judged.score


class Rows(NamedTuple):
    """How a step reads its rows: those `fields` of a relation, at most so many of each side."""

    fields: Sequence[str]
    read: Read
    most: int


def numeric_rows(task: Task, most: int) -> Rows:
    """The numeric inputs that window and reference share, of at most so many rows."""
    engine, window, reference = task.look.engine, task.look.window.relation, task.look.reference.relation
    fields = sorted(numeric(engine, window) & numeric(engine, reference))
    limit = min(most, CELLS // max(1, len(fields)))

    def read(relation: Relation, version: str | None = None) -> Matrix:
        return matrix(engine, relation, fields, Choice(limit, version=version))

    return Rows(fields, read, limit)


def usual(task: Task, rows: Rows, judge: Judge) -> Usual:
    """Kept until the reference has moved on, as `judge` needs a second or two for each block."""
    history = task.history
    if not task.allowance.declared or history.lacks:
        return Usual(None, history.lacks)
    made_of = repr((task.step, history.name, rows.fields))
    found = task.calibrations.find(
        f"{task.subject.monitor.name} {task.step.name}",
        made_of,
        lambda: of_blocks(history.cut(), rows.read, rows.most, judge),
    )
    if not found.margins:
        lacks = f"the reference has {found.blocks} blocks of {history.block}, {FEWEST_BLOCKS} are needed"
        return Usual(None, lacks)
    return Usual(found, "")
