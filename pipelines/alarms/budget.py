"""From the false alarms that a user can bear to the probability of one in each look of each step."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from core.config import MonitorConfig, RowWindows, StepConfig, TimeWindows, model_key
from core.findings import Window
from detectors import SEQUENTIAL
from explainers import EXPLAINERS
from storage.engine import Engine
from storage.windows.rows import received_since

# Without a budget: the probability of a false alarm of one step in one look, shared out over all it compares.
ALPHA = 0.05

# More would be an alarm at every toss of a coin, whatever the budget.
_MOST = 0.5

# How far back rows are counted to know how far apart windows of rows are.
_PACE = timedelta(days=7)


class Allowance(NamedTuple):
    """`alpha`: the probability of a false alarm of one step in one look. `declared`: a budget was."""

    alpha: float = ALPHA
    declared: bool = False


def allowances(monitor: MonitorConfig, spacing: timedelta) -> Mapping[str, Allowance]:
    """By name of the step, for looks that are `spacing` apart.

    An alarm takes a look in which something fires, so the budget over the number of looks is a probability for each
    that is safe: overlapping windows fire together, and several looks that fire in a row are one alarm. Streams decide
    by their own parameters, so they take no part of it.
    """
    steps = [step for step in monitor.steps if step.use not in EXPLAINERS and step.use not in SEQUENTIAL]
    own = {step.name: step.false_alarms.each_look(spacing) for step in steps if step.false_alarms}
    if monitor.false_alarms:
        left = max(monitor.false_alarms.each_look(spacing) - sum(own.values()), 0.0)
        own |= _shared(left, [step for step in steps if step.name not in own])
        own |= {step.name: ALPHA for step in monitor.steps if step.use in SEQUENTIAL}
    return {name: Allowance(min(alpha, _MOST), True) for name, alpha in own.items()}


def _shared(alpha: float, steps: Sequence[StepConfig]) -> dict[str, float]:
    return {step.name: alpha / len(steps) for step in steps}


def spacing(engine: Engine, monitor: MonitorConfig, window: Window) -> timedelta:
    """How far apart the monitor's windows are: those of rows, by how fast rows came in the week before `window` ended.

    It is read off the stored rows alone, so that the same window gives the same answer whenever it is asked.
    """
    if isinstance(monitor.window, TimeWindows):
        return monitor.window.every
    return _row_spacing(engine, monitor, monitor.window, window)


def _row_spacing(engine: Engine, monitor: MonitorConfig, windows: RowWindows, window: Window) -> timedelta:
    rates = [monitor.false_alarms, *(step.false_alarms for step in monitor.steps)]
    if not any(rate and rate.timed for rate in rates):
        return timedelta(0)  # nothing is asked by time
    seen = received_since(engine, model_key(monitor.model), window.end - _PACE, window.end)
    return seen.length * (windows.rows / max(seen.rows, windows.rows))
