"""What a monitor compares its windows with."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from core.config import (
    Config,
    DatasetConfig,
    DatasetReference,
    MonitorConfig,
    RowsReference,
    SeasonReference,
    WindowReference,
    model_key,
)
from core.errors import ConfigError
from core.findings import RowSpan, Window
from core.options import nearest
from core.records import ModelKey
from core.times import EPOCH, rfc3339
from pipelines.alarms.cutting import Cuts
from pipelines.alarms.history import History, no_history, season
from pipelines.windows.basis import Basis, merges
from pipelines.windows.look import Side
from pipelines.windows.schedule import ROW_SETTLE
from storage.engine import Engine
from storage.profiles.references import ReferenceReader
from storage.windows import references
from storage.windows.cache import CachedReader, DirectReader, Reader
from storage.windows.distributions import CELLS
from storage.windows.references import ReferenceVersion
from storage.windows.relations import Relation, as_reference, of_window, of_windows
from storage.windows.rows import Tumbling, row_spans


@dataclass(frozen=True)
class Reference:
    """`name` says what it is, content and all, wherever a run is recorded."""

    name: str
    side: Side
    history: History = field(default_factory=no_history)


class References:
    """Finds the reference of a monitor, loading data sets when they are first needed or have changed."""

    def __init__(self, engine: Engine, config: Config, basis: Basis | None = None) -> None:
        """Without `basis` all are read from rows."""
        self._engine, self._config, self._basis = engine, config, basis
        self._direct = DirectReader(engine)
        self._counted = CachedReader(self._direct)
        self._profiled = CachedReader(ReferenceReader(engine))
        self._files: dict[tuple[str, int, int], ReferenceVersion] = {}
        self._first: dict[str, ReferenceVersion] = {}
        self._cuts = Cuts(engine, self._reader)

    def prepare(self, monitor: MonitorConfig, now: datetime) -> None:
        """Load a reference that stays the same, and read it, before a window waits for it. ConfigError as `find`."""
        if version := self._fixed(monitor, now):
            reader = self._of_version(monitor)
            totals = reader.totals(version.relation, "")
            if sum(sum(part.cells) for part in totals) <= CELLS:
                reader.parts(version.relation, totals, "", None)

    def find(self, monitor: MonitorConfig, window: Window, now: datetime) -> Reference | None:
        """None while a reference of first rows has not all of them; ConfigError says which data set is missing."""
        match monitor.reference:
            case WindowReference(window=length, offset=offset):
                end = window.start - offset
                return self._past(monitor, Window(end - length, end))
            case SeasonReference() as same:
                return self._season(monitor, window, same)
        version = self._fixed(monitor, now)
        if version is None:
            return None
        side, name = Side(version.relation, self._of_version(monitor)), f"{version.name}@{version.hash}"
        if not isinstance(monitor.reference, RowsReference):
            return Reference(name, side, no_history())
        span = partial(self._still_stored, model_key(monitor.model), monitor.reference.first_rows, version, now)
        return Reference(name, side, self._cuts.first_rows(monitor, name, side, span))

    def _of_version(self, monitor: MonitorConfig) -> Reader:
        return self._profiled if self._basis and merges(monitor) else self._counted

    def _side(self, monitor: MonitorConfig, relation: Relation) -> Side:
        """Predictions as a reference: all versions as one."""
        whole = as_reference(relation)
        return Side(whole, self._reader(monitor, whole))

    def _reader(self, monitor: MonitorConfig, relation: Relation) -> Reader:
        return self._basis.reader(monitor, relation) if self._basis else self._direct

    def _fixed(self, monitor: MonitorConfig, now: datetime) -> ReferenceVersion | None:
        match monitor.reference:
            case DatasetReference(dataset=name):
                return self.dataset(name)
            case RowsReference(first_rows=rows):
                return self._first_rows(model_key(monitor.model), rows, now)
        return None

    def dataset(self, name: str) -> ReferenceVersion:
        """A data set of the configuration, or a file's path, or added by `tidemark reference add`, in this order."""
        if declared := self._config.datasets.get(name):
            return self._file(name, declared)
        if Path(name).is_file():
            return self._file(name, DatasetConfig(path=name))
        if added := references.newest(self._engine, name):
            return added
        known = sorted([*self._config.datasets, *references.stored(self._engine)])
        raise ConfigError(f"no data set and no file is named '{name}'; {nearest(name, known)}")

    def _file(self, name: str, dataset: DatasetConfig) -> ReferenceVersion:
        try:
            stat = Path(dataset.path).stat()
        except OSError as error:
            raise ConfigError(f"data set '{name}': {dataset.path}: {error.strerror}") from None
        key = (name, stat.st_mtime_ns, stat.st_size)
        if key not in self._files:
            self._files[key] = references.add_file(self._engine, name, dataset)
        return self._files[key]

    def _first_rows(self, model: ModelKey, rows: int, now: datetime) -> ReferenceVersion | None:
        """Kept under a name of their own, so that they stay what they are when the rows' retention ends."""
        name = f"{model.namespace}/{model.model}/first-{rows}-rows"
        if name not in self._first:
            kept = references.newest(self._engine, name)
            if kept is None and (span := first_rows(self._engine, model, rows, now)):
                window = Window(span.first[0], span.last[0], span)
                kept = references.add_window(self._engine, name, model, window)
            if kept is None:
                return None
            self._first[name] = kept
        return self._first[name]

    def _still_stored(self, model: ModelKey, rows: int, version: ReferenceVersion, now: datetime) -> RowSpan | None:
        """Where the predictions are that `version` was copied from; None when retention has taken some."""
        span = first_rows(self._engine, model, rows, now)
        if span and references.origin(model, Window(span.first[0], span.last[0])) == version.origin:
            return span
        return None

    def _past(self, monitor: MonitorConfig, whole: Window) -> Reference:
        model = model_key(monitor.model)
        name = f"{model.namespace}/{model.model} {rfc3339(whole.start)} to {rfc3339(whole.end)}"
        return Reference(name, self._side(monitor, of_window(model, whole)), self._cuts.past(monitor, whole))

    def _season(self, monitor: MonitorConfig, window: Window, same: SeasonReference) -> Reference:
        model, parts = model_key(monitor.model), season(window, same)
        end, start = rfc3339(window.end), rfc3339(parts[-1].start)
        name = f"{model.namespace}/{model.model} {same.same} of {end} back to {start}"
        side = self._side(monitor, of_windows(model, parts))
        return Reference(name, side, self._cuts.season(monitor, window, same))


def first_rows(engine: Engine, model: ModelKey, rows: int, now: datetime) -> RowSpan | None:
    """Where the model's first `rows` rows are whose inference succeeded; None while there are fewer."""
    spans = row_spans(engine, model, Tumbling(rows, (EPOCH, ""), now - ROW_SETTLE, only_ok=True))
    return spans[0] if spans else None
