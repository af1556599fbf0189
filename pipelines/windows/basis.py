"""Whether what a monitor looks at is merged from profiles or counted from rows: decided here and nowhere else."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from core.config import Config, MonitorConfig, TimeWindows, model_key
from core.errors import StoreError, StoreUnavailable
from core.findings import Window
from core.records import ModelKey
from storage.engine import Engine
from storage.findings.runs import newest_states
from storage.profiles.cover import days_ago
from storage.profiles.grains import KEPT_DAYS, MINUTE
from storage.profiles.profiler import Profiler
from storage.profiles.reader import ProfileReader
from storage.windows.cache import CachedReader, DirectReader, Reader
from storage.windows.relations import Relation, of_window

log = logging.getLogger(__name__)


def merges(monitor: MonitorConfig) -> bool:
    """Time windows of whole minutes, unless the monitor asks for exact ones."""
    windows = monitor.window
    if not isinstance(windows, TimeWindows) or monitor.exact:
        return False
    return not windows.every % MINUTE.length and not windows.length % MINUTE.length


class Basis:
    """Gives the reader of a relation, once the states it merges are up to date."""

    def __init__(self, engine: Engine, config: Config, clock: Callable[[], datetime]) -> None:
        kept = {**KEPT_DAYS, **config.retention}
        self.profiler = Profiler(engine, _tags(config), kept)
        self._engine, self._clock = engine, clock
        self._rows: Reader = DirectReader(engine)
        self._merged: Reader = ProfileReader(engine, lambda: days_ago(clock(), kept))

    def reader(self, monitor: MonitorConfig, relation: Relation) -> Reader:
        """Rows too, while the states of a window cannot all be made yet: a back-fill may take its time."""
        return self._merged if merges(monitor) and self.up_to_date(relation) else self._rows

    def newest(self, model: ModelKey, window: Window) -> int:
        """The newest revision of the minutes of a time window, once they are up to date; 0 for other windows."""
        relation = of_window(model, window)
        self.up_to_date(relation)
        return newest_states(self._engine, model, window) if relation.stretch else 0

    def up_to_date(self, relation: Relation) -> bool:
        """Makes the states of a window, as far as that is little work; False when some are missing."""
        if relation.stretch is None:
            return False
        try:
            return self.profiler.ready(relation.stretch.model, relation.stretch.window, self._clock())
        except StoreUnavailable:
            raise
        except StoreError as error:
            log.error("windows of %s are counted from rows: %s", relation.stretch.model.model, error)
            return False


class KeptBasis(Basis):
    """Merges the states that are there and makes none: states made anew would have live windows run again.

    What was read is remembered: the blocks of one reference are mostly those of the next.
    """

    def __init__(self, engine: Engine, config: Config, clock: Callable[[], datetime]) -> None:
        super().__init__(engine, config, clock)
        self._rows, self._merged = CachedReader(self._rows), CachedReader(self._merged)

    def up_to_date(self, relation: Relation) -> bool:
        """Whether the states hold all rows that are stored; they hold more where rows have been deleted since."""
        if relation.stretch is None:
            return False
        merged, rows = (
            {totals.version: totals.rows for totals in reader.totals(relation, "")}
            for reader in (self._merged, self._rows)
        )
        return all(merged.get(version, 0) >= count for version, count in rows.items())


def _tags(config: Config) -> Mapping[ModelKey, tuple[str, ...]]:
    """The tags by which any monitor of a model looks at segments."""
    found: dict[ModelKey, set[str]] = {}
    for monitor in config.watched:
        tags = {segment.removeprefix("tags.") for segment in monitor.segments}
        found.setdefault(model_key(monitor.model), set()).update(tags)
    return {model: tuple(sorted(tags)) for model, tags in found.items() if tags}
