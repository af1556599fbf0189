"""Where the blocks of each kind of reference are: read when a threshold is to be taken from them, not before."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache, partial

from core.config import MonitorConfig, SeasonReference, TimeWindows, model_key
from core.findings import RowSpan, Window
from core.times import duration_text
from pipelines.alarms.history import MOST_BLOCKS, Block, History, Stretch, anchored, blocks, season, seasons, spread
from pipelines.windows.look import Side
from storage.engine import Engine
from storage.windows.cache import CachedReader, Reader
from storage.windows.relations import Relation, as_reference, of_window, of_windows
from storage.windows.rows import Tumbling, row_spans

# What one run remembers of the blocks: 200 of 12 merged fields are 10 MB.
_MOST_BYTES = 64 * 2**20


class Cuts:
    """Cuts references of one engine; `reader` chooses what reads the fields of predictions as a reference."""

    def __init__(self, engine: Engine, reader: Callable[[MonitorConfig, Relation], Reader]) -> None:
        self._engine, self._reader = engine, reader

    def past(self, monitor: MonitorConfig, reference: Window) -> History:
        """A stretch of time that moves on with the windows."""
        model = model_key(monitor.model)
        whole = anchored(reference, _spacing(monitor))

        def cut() -> list[Stretch]:
            return [Stretch(self._block(monitor, of_window(model, whole)), self._within(monitor, whole))]

        return self._history(monitor, repr(whole), cut)

    def first_rows(self, monitor: MonitorConfig, name: str, whole: Side, span: Callable[[], RowSpan | None]) -> History:
        """Rows that are kept as `whole`; `span` says where the predictions are, None when they are gone."""

        def cut() -> list[Stretch]:
            found = span()
            within = Window(found.first[0], found.last[0], found) if found else None
            kept = Block(whole.relation, lambda: whole.reader)
            return [Stretch(kept, self._within(monitor, within))] if within else []

        return self._history(monitor, name, cut)

    def season(self, monitor: MonitorConfig, window: Window, reference: SeasonReference) -> History:
        """Every season's own periods: one season alone has too few."""
        each = seasons(window, reference, _spacing(monitor))
        most = max(MOST_BLOCKS // len(each), 1)

        def cut() -> list[Stretch]:
            return [self._of_season(monitor, season(at, reference), window.end - window.start, most) for at in each]

        return self._history(monitor, repr(each), cut)

    def _of_season(self, monitor: MonitorConfig, whole: Sequence[Window], length: timedelta, most: int) -> Stretch:
        model = model_key(monitor.model)
        parts = [block for stretch in whole for block in blocks(stretch, length)]
        chosen = [self._block(monitor, of_window(model, parts[n])) for n in spread(len(parts), most)]
        return Stretch(self._block(monitor, of_windows(model, whole)), chosen)

    def _within(self, monitor: MonitorConfig, whole: Window) -> list[Block]:
        """As long as the monitor's windows are, or of as many rows."""
        model = model_key(monitor.model)
        if isinstance(monitor.window, TimeWindows):
            found = blocks(whole, monitor.window.length)
        else:
            begin = (whole.start, "")
            spans = row_spans(self._engine, model, Tumbling(monitor.window.rows, begin, whole.end))
            found = [Window(span.first[0], span.last[0], span) for span in spans]
        return [self._block(monitor, of_window(model, found[n])) for n in spread(len(found))]

    def _block(self, monitor: MonitorConfig, relation: Relation) -> Block:
        whole = as_reference(relation)
        return Block(whole, partial(self._reader, monitor, whole))

    def _history(self, monitor: MonitorConfig, name: str, cut: Callable[[], list[Stretch]]) -> History:
        windows = monitor.window
        block = duration_text(windows.length) if isinstance(windows, TimeWindows) else f"{windows.rows} rows"
        return History(name, block, _once(cut))


def _once(cut: Callable[[], list[Stretch]]) -> Callable[[], list[Stretch]]:
    """Made when a step first asks; the other steps of its run find the places and what was read of them."""

    @cache
    def made() -> list[Stretch]:
        readers: dict[Reader, Reader] = {}

        def cached(reader: Reader) -> Reader:
            return readers.setdefault(reader, CachedReader(reader, _MOST_BYTES))

        def remembered(block: Block) -> Block:
            return Block(block.relation, lambda: cached(block.reader))

        return [Stretch(remembered(whole), [remembered(block) for block in blocks]) for whole, blocks in cut()]

    return made


def _spacing(monitor: MonitorConfig) -> timedelta:
    return monitor.window.every if isinstance(monitor.window, TimeWindows) else timedelta(0)
