"""chDB's handles: one serves one call at a time, so each call borrows one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from typing import Any
from urllib.parse import urlencode

from core.errors import StoreError
from core.priority import give_way
from storage.engine import SESSION
from storage.engines.faults import store_error
from storage.engines.statement import Insert

DATABASE = "tidemark"
MOST_IDLE = 8
GRACE_SECONDS = 2.0
# What chDB says when it cannot have the folder's lock; the reason itself goes to stderr only.
LOCKED = "Error initializing EmbeddedServer"


class Handles:
    """Handles on one folder, all on the database `tidemark` in UTC; a process can have one folder open at a time.

    A handle is opened in 0.3 ms and can only be given its settings then. After an error it is thrown away: what a
    failed query had already written comes out in front of the next result (seen with chDB 4.4).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = Condition()
        self._idle: list[Any] = []
        self._lent = 0
        self._closed = False
        self._first = _connect(str(folder))  # the engine stops with its last handle
        _run(self._first, f"CREATE DATABASE IF NOT EXISTS {DATABASE}")

    @contextmanager
    def borrow(self, **settings: str | int | float) -> Iterator[Any]:
        """A handle for one call; with `settings` one of its own, closed after it. Engine errors become StoreError."""
        handle = self._take(settings)
        try:
            yield handle
        except BaseException as e:
            handle.close()
            handle = None
            if isinstance(e, RuntimeError):
                raise store_error(str(e)) from None
            raise
        finally:
            self._give_back(handle, keep=not settings)

    def insert(self, insert: Insert, rows: bytes, **settings: str | int | float) -> Any:
        """The engine's result of an INSERT of `rows`, given as a file in memory.

        Not by chDB's send_insert: it reports success, rows and all, when the table refuses the block (too many parts or
        partitions, a constraint, a view that raises; chDB 4.4).
        """
        file = os.memfd_create("insert")
        try:
            with open(file, "wb", closefd=False) as writer:
                writer.write(rows)
            with self.borrow(**settings) as handle:
                return handle.query(insert.sql_from_file(f"/proc/self/fd/{file}"), "Null")
        finally:
            os.close(file)

    def close(self) -> None:
        """Let calls under way end, killing them after GRACE_SECONDS, then close every handle.

        Leaving the interpreter inside a call is a segmentation fault, so this returns when there is none.
        """
        with self._changed:
            self._closed = True
            if not self._changed.wait_for(lambda: not self._lent, GRACE_SECONDS):
                _run(self._first, "KILL QUERY WHERE query_id != queryID() ASYNC")
                self._changed.wait_for(lambda: not self._lent)
            for handle in [*self._idle, self._first]:
                handle.close()
            self._idle.clear()

    def _take(self, settings: dict[str, str | int | float]) -> Any:
        give_way()  # and so do the engine's threads that this call starts
        with self._changed:
            if self._closed:
                raise StoreError("the store is closed")
            self._lent += 1
            if self._idle and not settings:
                return self._idle.pop()
        try:
            return self._open(settings)
        except BaseException:
            self._give_back(None, keep=False)
            raise

    def _give_back(self, handle: Any, keep: bool) -> None:
        with self._changed:
            if handle is not None and keep and len(self._idle) < MOST_IDLE:
                self._idle.append(handle)
            elif handle is not None:
                handle.close()
            self._lent -= 1
            self._changed.notify_all()

    def _open(self, settings: dict[str, str | int | float]) -> Any:
        house = {
            "database": DATABASE,
            **SESSION,
            # Four times as fast as the defaults, which go through the Arrow library and compress with lz4.
            "output_format_arrow_use_native_writer": 1,
            "output_format_arrow_compression_method": "none",
        }
        return _connect(f"{self._folder}?{urlencode(house | settings)}")


def _connect(address: str) -> Any:
    import chdb

    try:
        return chdb.connect(address)  # type: ignore[no-untyped-call]
    except RuntimeError as e:
        raise store_error(str(e)) from None


def _run(handle: Any, sql: str) -> None:
    try:
        handle.query(sql)
    except RuntimeError as e:
        raise store_error(str(e)) from None
