"""The reverse proxy tap: /tap/<name>/<path> goes to the upstream unchanged; what passes on infer paths is recorded.

Recording happens after the answer and can neither change, delay nor fail it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import aiohttp
from yarl import URL

from collectors.accounting.ledger import Ledger
from collectors.accounting.receipts import Receipt, Receipts
from collectors.building.naming import Names
from collectors.taps.asgi import Receive, Scope, Send, answer_error, header_map
from collectors.taps.forward import ClientGone, Incoming, UpstreamFailed, bad_gateway, forward, upstream_session
from collectors.taps.infer_paths import Target, infer_target
from collectors.taps.metadata import METADATA_SECONDS, Metadata
from collectors.taps.passed import Copy, Passed
from collectors.taps.recording import Call, Recorded, Recorder
from collectors.taps.tenants import check_passing
from core.config import Config, TapConfig
from core.errors import Rejected
from core.metrics import Metrics
from core.tracing import span

CLIENT_GONE = 499  # nginx's status for a client that did not wait for its answer

log = logging.getLogger("tidemark.tap")


@dataclass(frozen=True)
class Proxied:
    """What all proxy taps share. `clock` gives microseconds since 1970."""

    config: Config
    recorder: Recorder
    names: Names
    metrics: Metrics
    ledger: Ledger
    clock: Callable[[], int]


class ProxyTap:
    """An ASGI application in front of one upstream."""

    def __init__(self, tap: TapConfig, shared: Proxied) -> None:
        self._tap, self._shared = tap, shared
        self._upstream = tap.upstream.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._metadata = Metadata(tap, shared.names)
        self._receipts = Receipts(shared.ledger, shared.metrics, tap.name)
        self._logged_after = shared.metrics.logged_after.labels(tap.name)
        self._key_of = lru_cache(maxsize=4096)(shared.config.key_of)  # which looks through all models
        self._recordings: set[asyncio.Task[None]] = set()
        self._recording_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`scope["tap_path"]` is the path behind /tap/<name>, as raw bytes."""
        path: bytes = scope["tap_path"]
        target = infer_target(path.decode("latin-1"), self._tap.name) if scope["method"] == "POST" else None
        limit = self._shared.config.limits.body_bytes if target else 0
        passed = Passed(Copy(limit), Copy(limit))
        received, started = self._shared.clock(), time.perf_counter()
        error = ""
        try:
            await forward(self._client(), self._url(scope, path), Incoming(scope, receive, send), passed)
        except ClientGone as failure:
            error, passed.status = str(failure), passed.status or CLIENT_GONE
        except UpstreamFailed as failure:
            error = str(failure)
            await self._failed(error, send, passed)
        except BaseException as failure:
            error, passed.status = f"{type(failure).__name__}: {failure}", passed.status or 500
            raise
        finally:
            if target:
                seconds = time.perf_counter() - started
                self._record(target, Call(header_map(scope), passed, received, seconds, error, _called(scope)))

    def check(self, scope: Scope) -> None:
        """Rejected(403) for a call that its sender may not make."""
        check_passing(scope, self._tap.name, self._key_of)

    async def close(self) -> None:
        """Finish what is being recorded, then let go of the upstream."""
        if self._recordings:
            await asyncio.wait(self._recordings, timeout=METADATA_SECONDS + 1)
        if self._session:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = upstream_session()
        return self._session

    def _url(self, scope: Scope, path: bytes) -> URL:
        query = scope["query_string"]
        text = self._upstream + path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
        return URL(text, encoded=True)

    async def _failed(self, error: str, send: Send, passed: Passed) -> None:
        """502, unless the answer has begun: one that is left unfinished is broken off by the server."""
        said = self._shared.recorder.masks.said(error)
        log.warning("tap %s: the upstream failed: %s", self._tap.name, said)
        if not passed.status:
            passed.status = 502
            await bad_gateway(send)

    def _record(self, target: Target, call: Call) -> None:
        if call.headers.get("seldon-skip-logging", "").lower() == "true":
            return
        answered = time.perf_counter()
        receipt = self._receipts.begin(lambda: self._logged_after.observe(time.perf_counter() - answered))
        size = call.passed.bytes
        if not call.passed.whole or self._recording_bytes + size > self._shared.config.limits.spool_bytes:
            receipt.rest("shed")
            receipt.close()
            log.warning("tap %s: an inference of %d bytes passed unrecorded", self._tap.name, size)
            return
        task = asyncio.get_running_loop().create_task(self._recorded(target, call, receipt))
        self._recordings.add(task)
        self._recording_bytes += size
        task.add_done_callback(lambda done: self._done(done, size))

    def _done(self, task: asyncio.Task[None], size: int) -> None:
        self._recordings.discard(task)
        self._recording_bytes -= size

    async def _recorded(self, target: Target, call: Call, receipt: Receipt) -> None:
        try:
            model = self._key_of(target.model)
            host = call.headers.get("host", "")
            known = partial(self._metadata.learn, self._client(), model, target.metadata, host)
            masks = self._shared.recorder.masks
            with span("receive", call.headers, quotes_errors=not masks.on, tap=self._tap.name, model=model.model):
                recorded = Recorded(self._tap, model, target.version, call, known)
                await self._shared.recorder.record(recorded, receipt)
        except Exception as error:
            receipt.rest("error")
            self._shared.recorder.masks.log(
                f"tap {self._tap.name}: an inference passed but could not be recorded", error
            )
        except BaseException:
            receipt.rest("shed")
            raise
        finally:
            receipt.close()


def _called(scope: Scope) -> str:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


class Taps:
    """All proxy taps under /tap/."""

    def __init__(self, shared: Proxied) -> None:
        self._taps: Mapping[str, ProxyTap] = {tap.name: ProxyTap(tap, shared) for tap in shared.config.taps}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope["raw_path"]
        name, _, _ = raw.removeprefix(b"/tap/").partition(b"/")
        tap = self._taps.get(name.decode("latin-1"))
        if tap is None:
            known = ", ".join(self._taps) or "none: add one under 'taps' in tidemark.yaml"
            await answer_error(send, Rejected(404, "unknown_tap", f"configured taps: {known}", "path"))
            return
        call = {**scope, "tap_path": raw[len(b"/tap/") + len(name) :] or b"/"}
        try:
            tap.check(call)
        except Rejected as error:
            await answer_error(send, error)
        else:
            await tap(call, receive, send)

    async def close(self) -> None:
        await asyncio.gather(*(tap.close() for tap in self._taps.values()))
