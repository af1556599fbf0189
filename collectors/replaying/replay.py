"""Dead letters brought in once what was wrong is mended: each goes again the way it went at first.

A call that was refused is made again at its own tap, inside this process, as of the time it was received. What had been
accepted and could not be stored goes straight to the store, which says at once whether it takes it now.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from collectors.accepting.into import Into
from collectors.accepting.items import Called, Item, Labels, Rows
from collectors.accepting.journal import read_frame
from collectors.accounting.counting import count_labels, count_stored
from collectors.accounting.ledger import Ledger, Line
from collectors.building.exchanges import Exchange, Naming, to_rows
from collectors.labels import TAP, label_line
from collectors.replaying.call_again import MakeTap, call_again
from core.errors import Rejected, StoreUnavailable
from core.metrics import Metrics
from core.protocols import Sink
from core.records import DeadLetter, FieldInfo, Half, ModelKey, Replayed


@dataclass(frozen=True)
class Ports:
    """What a replay is wired to.

    `taps` are by their paths. `record` keeps what came of each attempt; after it the `ledger` hears of a letter that
    stood for accepted rows and is stored. `clock` gives microseconds since 1970.
    """

    into: Into
    taps: Mapping[str, MakeTap]
    sink: Sink
    naming: Callable[[ModelKey], Naming]
    decode: Callable[[Half], Half]
    metrics: Metrics
    record: Callable[[Replayed], None]
    ledger: Ledger
    clock: Callable[[], int]


class Replay:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._under_way: set[str] = set()

    def hindrance(self, letter: DeadLetter) -> str:
        """Why the letter cannot be brought in at all, '' when it can."""
        return hindrance(letter, self._ports.taps)

    async def __call__(self, letter: DeadLetter, who: str) -> Replayed:
        """The letter is stored, or in the log. Doing it twice stores the same once.

        Rejected: 409 when it cannot be replayed, else with why it is refused now; the letter stays open. Overloaded
        and StoreUnavailable: it can be tried again, and nothing is recorded.
        """
        if why := self.hindrance(letter):
            raise Rejected(409, "not_replayable", why)
        if letter.letter in self._under_way:
            raise Rejected(409, "replay_under_way", "it is being replayed just now")
        self._under_way.add(letter.letter)
        try:
            return await self._recorded(letter, who)
        finally:
            self._under_way.discard(letter.letter)

    async def _recorded(self, letter: DeadLetter, who: str) -> Replayed:
        tried = Replayed(letter.letter, self._ports.clock(), who, "stored", rows=letter.rows)
        try:
            done = tried._replace(detail=await self._bring_in(letter))
        except Rejected as error:
            failed = tried._replace(outcome="rejected", reason=error.code, detail=str(error))
            await asyncio.to_thread(self._ports.record, failed)
            raise
        await asyncio.to_thread(self._ports.record, done)
        if letter.rows:
            self._ports.ledger.brought_in(_line(letter), letter.rows)
        return done

    async def _bring_in(self, letter: DeadLetter) -> str:
        if letter.path:
            return await self._call(letter)
        if letter.reason == "store_refused":
            store = self._store_labels if letter.source == TAP else self._store
            return await asyncio.to_thread(store, _refused_rows(letter.body))
        return await self._frame(letter.body)

    async def _call(self, letter: DeadLetter) -> str:
        into, path = self._ports.into, letter.path.partition("?")[0]
        refused = await call_again(letter, self._ports.taps[path], into)
        if refused:
            await into.bury(refused)
        return f"{len(refused)} parts of it are refused again and are letters of their own" if refused else ""

    async def _frame(self, frame: bytes) -> str:
        """What the collector once took from the log: halves are paired again, all else goes to the store."""
        found = await asyncio.to_thread(self._read, frame)
        if isinstance(found, Rows):
            return await asyncio.to_thread(self._store, found.batch, found.fields)
        if isinstance(found, Labels):
            return await asyncio.to_thread(self._store_labels, found.batch)
        if isinstance(found, Called):
            return await asyncio.to_thread(self._store_exchange, found.exchange)
        await self._ports.into.accept([(found, frame)])
        return ""

    def _read(self, frame: bytes) -> Item:
        try:
            return read_frame(frame, self._ports.decode)
        except Exception as error:
            raise _still("unreadable_frame", error) from None

    def _store_exchange(self, exchange: Exchange) -> str:
        try:
            (group,) = to_rows([exchange], self._ports.naming)
        except Exception as error:
            raise _still("internal", error) from None
        return self._store(group.batch, group.fields)

    def _store(self, batch: pa.RecordBatch, fields: Sequence[FieldInfo] = ()) -> str:
        """Not through the collector: it remembers these rows, and would leave them out as sent again."""
        with _store_answers():
            self._ports.sink.store(batch)
            if fields:
                self._ports.sink.store_fields(fields)
        count_stored(batch, self._ports.metrics)
        return ""

    def _store_labels(self, batch: pa.RecordBatch) -> str:
        with _store_answers():
            self._ports.sink.store_labels(batch)
        count_labels(batch, self._ports.metrics)
        return ""


@contextmanager
def _store_answers() -> Iterator[None]:
    """What the store refuses is refused still; that it is away passes."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception as error:
        raise _still("store_refused", error) from None


def hindrance(letter: DeadLetter, taps: Mapping[str, MakeTap]) -> str:
    """Why a letter cannot be brought in, '' when it can be tried."""
    path = letter.path.partition("?")[0]
    if letter.reason == "disconnected":
        return "the sender went away before the call was whole"
    if path.startswith("/tap/"):
        return (
            "it is one side of an inference that passed the proxy tap: what could be read of it is stored with an "
            "error, and to call the model again would be another inference"
        )
    if letter.body_bytes > 0 and not letter.body:
        return f"its {letter.body_bytes} bytes are not kept: too many, withheld, or in another letter of the same call"
    if letter.body_bytes > len(letter.body):
        return f"only {len(letter.body)} of its {letter.body_bytes} bytes are kept"
    if path and path not in taps:
        return f"nothing here takes calls at {path}"
    if not path and letter.reason not in ("store_refused", "unreadable_frame", "internal"):
        return "it was written by a version that did not keep where the call went"
    return ""


def _line(letter: DeadLetter) -> Line:
    if letter.source == TAP:
        return label_line(letter.namespace, letter.model)
    return Line(letter.source, letter.namespace, letter.model)


def _still(code: str, error: Exception) -> Rejected:
    if isinstance(error, Rejected):
        return Rejected(422, error.code, error.detail, error.field)
    return Rejected(422, code, f"{type(error).__name__}: {error}")


def _refused_rows(body: bytes) -> pa.RecordBatch:
    with pa.ipc.open_stream(body) as reader:
        return reader.read_next_batch()
