"""The demo from start to end, and whether it showed what it promises."""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live

from examples.breast_cancer import MODEL
from examples.breast_cancer.configuration import write
from tidemark.demo.clinic import Clinic
from tidemark.demo.processes import free_port, running
from tidemark.demo.screen import Moment, view
from tidemark.demo.story import State, Watcher

FOLDER = Path("tidemark-demo")
SHIFT_AFTER = 0.45  # of the demo's time; without an end the shift comes after SHIFT_SECONDS
SHIFT_SECONDS = 25.0
LOOK_SECONDS = 1.0
SETTLE_SECONDS = 4.0  # until the last window has been run and the last rows are stored


@dataclass(frozen=True)
class Demo:
    """What the user asked for; `seconds` None = until Ctrl-C."""

    seconds: float | None
    seed: int
    shift: bool
    port: int

    @property
    def shift_at(self) -> float | None:
        if not self.shift:
            return None
        return SHIFT_SECONDS if self.seconds is None else self.seconds * SHIFT_AFTER


@dataclass
class Told:
    """What happened, for the last three lines."""

    state: State
    shift: datetime | None
    lost: int
    extra: int
    rows: int
    failed: int


def run(demo: Demo, console: Console) -> int:
    """0 when everything promised happened; 1 with the reasons otherwise."""
    folder = _fresh(FOLDER)
    upstream = f"http://127.0.0.1:{free_port()}"
    store = f"chdb://{folder / 'store'}"
    config = write(folder, upstream)
    url = f"http://127.0.0.1:{demo.port}"
    serve = ["up", "--store", store, "--config", str(config), "--port", str(demo.port)]
    with ExitStack() as stack, console.status("starting the model's server and `tidemark up`"):
        model = ["--port", upstream.rpartition(":")[2]]
        stack.enter_context(
            running("examples.breast_cancer.server", model, folder / "model.log", f"{upstream}/v2/health/ready")
        )
        stack.enter_context(running("tidemark.cli", serve, folder / "tidemark.log", f"{url}/readyz"))
        console.print(f"tidemark up is at {url}, its store and log in {folder}/")
        processes = stack.pop_all()
    with processes:
        told = asyncio.run(_watch(demo, url, console))
    _tell(told, console, f"--store {store}", url if demo.seconds is None else "")
    wrong = list(_wrong(demo, told))
    for reason in wrong:
        console.print(f"[bold red]FAILED[/] {reason}")
    return 1 if wrong else 0


def _fresh(folder: Path) -> Path:
    """The demo's own folder, without the store and the log of an earlier demo."""
    for part in ("store", "store-wal"):
        shutil.rmtree(folder / part, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    return folder


async def _watch(demo: Demo, url: str, console: Console) -> Told:
    started = datetime.now(UTC)
    clinic = Clinic(f"{url}/tap/{MODEL}", demo.seed)
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
        watcher = Watcher(session, url)
        sending = asyncio.create_task(clinic.run(stop))
        shift = await _follow(demo, clinic, watcher, (console, started, stop))
        stop.set()
        await sending
        await asyncio.sleep(SETTLE_SECONDS)
        state, (rows, ids) = await watcher.look(started), await watcher.count()
        lost = len(clinic.sent.ids - await watcher.stored_ids())
    return Told(state, shift, lost, rows - ids, clinic.sent.rows, clinic.sent.failed)


async def _follow(
    demo: Demo, clinic: Clinic, watcher: Watcher, around: tuple[Console, datetime, asyncio.Event]
) -> datetime | None:
    """Look once a second until the end; returns when the population shifted."""
    console, started, stop = around
    shift: datetime | None = None
    before = 0
    state = State()
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while not stop.is_set() and (demo.seconds is None or _since(started) < demo.seconds):
            seconds, at = _since(started), demo.shift_at
            if shift is None and at is not None and seconds >= at:
                clinic.shifted, shift = True, datetime.now(UTC)
            with contextlib.suppress(aiohttp.ClientError):
                state = await watcher.look(started)
            rate, before = (clinic.sent.rows - before) / LOOK_SECONDS, clinic.sent.rows
            moment = Moment(seconds, clinic.shifted, None if at is None else max(0.0, at - seconds), rate)
            live.update(view(moment, clinic.sent, state))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
    return shift


def _since(started: datetime) -> float:
    return (datetime.now(UTC) - started).total_seconds()


def _wrong(demo: Demo, told: Told) -> Iterator[str]:
    """Everything that is not as the demo promises."""
    if told.lost or told.extra or told.failed:
        yield f"{told.lost} predictions lost, {told.extra} stored twice, {told.failed} calls failed"
    early = [r for r in told.state.fired if told.shift is None or _end(r) <= told.shift]
    if early:
        first = early[-1]
        yield f"{first['step']} fired on {first['field'] or 'rows'} before any shift: {first['reason']}"
    if demo.seconds is not None and demo.shift and not [r for r in told.state.fired if r["step"] == "drift"]:
        yield "the shift was not found"
    if demo.seconds is not None and demo.shift and told.state.explained is None:
        yield "no outlier was explained"


def _tell(told: Told, console: Console, store: str, url: str) -> None:
    """What happened, whether anything was lost, and what to try."""
    kept = f"{told.rows} predictions were answered, {told.rows - told.lost} of them are stored, {told.lost} lost."
    sql = "SELECT field, max(score) AS worst, any(threshold) FROM results GROUP BY field ORDER BY worst DESC"
    console.print(f"\n[bold]1.[/] {_found(told)}")
    console.print(f"[bold]2.[/] {kept}")
    console.print(f'[bold]3.[/] Try:  {_program()} query {store} "{sql}"', soft_wrap=True)
    if url:
        console.print(f"   and in a browser: {url}/docs, {url}/metrics", soft_wrap=True)


def _program() -> str:
    """As the user called it: from a fresh clone `tidemark` alone is not on the path."""
    return sys.argv[0] if Path(sys.argv[0]).name == "tidemark" else "tidemark"


def _found(told: Told) -> str:
    if told.shift is None:
        return f"The population stayed as it was, and {'yet something' if told.state.fired else 'nothing'} fired."
    drift = [r for r in told.state.fired if r["step"] == "drift"]
    if not drift:
        return f"The population shifted at {told.shift:%H:%M:%S} UTC and Tidemark did not find it."
    first = min(drift, key=_end)
    worst = max(drift, key=lambda r: r["score"])
    seconds = (_end(first) - told.shift).total_seconds()
    why = " The furthest outliers were explained." if told.state.explained else ""
    return (
        f"The population shifted at {told.shift:%H:%M:%S} UTC; the window that ended {seconds:.0f} s later showed it: "
        f"drift in {len({r['field'] for r in drift})} fields, most in {worst['field']} "
        f"(D {worst['score']:.2f} > {worst['threshold']:.2f}).{why}"
    )


def _end(result: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(result["window_end"])
