"""Answers while predictions are offered at a steady rate, with the store up and away, and a backlog that drains."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from threading import Event, Thread

import orjson

from benchmarks.bulk import rows_per_second
from benchmarks.service import Service, free_port, run_pinned, serve, up
from benchmarks.table import Row

PER_SECOND, CONNECTIONS, SECONDS = 2_000, 64, 15
SERVER_CORE, SENDER_CORE = 0, 1
BACKLOG_CALLS, ROWS_PER_CALL = 10_000, 100
MOST_WAIT = 300
IN_MEMORY = "auto: false\nwal: {{dir: {}/wal, fsync: false}}"


def run() -> list[Row]:
    return [_paced(), _logged_bulk(), _away(), _backlog()]


def _paced() -> Row:
    with up("auto: false", core=SERVER_CORE) as service:
        found = [_offered(service.port, PER_SECOND) for _ in range(3)]
    best = min(found, key=lambda figures: figures["p99_ms"])
    kept_up = best["predictions_per_second"] >= 0.98 * PER_SECOND and not best["refused"]
    return Row(
        f"pairs offered at {PER_SECOND:,} predictions/s, {CONNECTIONS} connections, one core, fsync",
        f"p99 {best['p99_ms']:.1f} ms, p50 {best['p50_ms']:.1f} ms",
        "-",
        "-",
        "p99 < 20 ms",
        best["p99_ms"] < 20 and kept_up,
    )


def _logged_bulk() -> Row:
    with up("auto: false") as service:
        ours = max(rows_per_second(service, seed) for seed in range(3))
    with TemporaryDirectory(dir="/dev/shm") as memory, up(IN_MEMORY.format(memory)) as service:
        beside = max(rows_per_second(service, seed) for seed in range(3))
    return Row(
        "bulk rows with the log, until queryable",
        f"{ours / 1e3:.0f} k rows/s",
        f"{beside / 1e3:.0f} k rows/s: its log in memory, without fsync",
        f"{ours / beside:.2f}",
        "≥ 150 k rows/s and ≥ 0.75",
        ours >= 150_000 and ours >= 0.75 * beside,
    )


def _away() -> Row:
    with collecting() as (service, store):
        up_p99 = min(_offered(service.port, PER_SECOND // 2)["p99_ms"] for _ in range(2))
        store.send_signal(signal.SIGKILL)
        away = min((_offered(service.port, PER_SECOND // 2) for _ in range(2)), key=lambda f: f["p99_ms"])
    return Row(
        f"answers at {PER_SECOND // 2:,} predictions/s with the store killed (collect, fsync)",
        f"p99 {away['p99_ms']:.1f} ms",
        f"{up_p99:.1f} ms with the store up",
        f"{away['p99_ms'] / up_p99:.2f}",
        "≤ 1, nothing refused",
        away["p99_ms"] <= up_p99 and not away["refused"],
    )


def _backlog() -> Row:
    """Rows that came while the store hung, in calls of a hundred, and 2,000 a second more while they are stored."""
    with collecting() as (service, store):
        store.send_signal(signal.SIGSTOP)
        for number in range(BACKLOG_CALLS):
            _send_rows(service, f"b{number}")
        peak, stop = [service.resident_mb()], Event()
        more = Thread(target=_keep_sending, args=(service, stop, peak))
        start = time.perf_counter()
        store.send_signal(signal.SIGCONT)
        more.start()
        _until_stored(service, BACKLOG_CALLS * ROWS_PER_CALL)
        seconds = time.perf_counter() - start
        stop.set()
        more.join()
    rate = BACKLOG_CALLS * ROWS_PER_CALL / seconds
    return Row(
        f"a backlog of {BACKLOG_CALLS * ROWS_PER_CALL / 1e6:.0f} M rows, with 2,000 rows/s more",
        f"{rate / 1e3:.0f} k rows/s, peak {max(peak):.0f} MB",
        "-",
        "-",
        "≥ 20 k rows/s, memory bounded",
        rate >= 20_000,
    )


@contextmanager
def collecting() -> Iterator[tuple[Service, "Popen[bytes]"]]:
    """`tidemark collect` over a `tidemark serve-store` of its own."""
    tidemark = str(Path(sys.executable).with_name("tidemark"))
    with TemporaryDirectory(prefix="tidemark-bench-") as name:
        folder, port = Path(name), free_port()
        command = [tidemark, "serve-store", "--store", f"chdb://{folder / 'store'}", "--port", str(port)]
        store = Popen(command, cwd=folder, stdout=sys.stderr)
        try:
            url = f"clickhouse://127.0.0.1:{port}/tidemark"
            _answering(port)
            with serve([tidemark, "collect", "--store", url], "/readyz", folder=folder) as service:
                yield service, store
        finally:
            store.send_signal(signal.SIGCONT)
            store.kill()
            store.wait()


def _answering(port: int) -> None:
    service = Service(port, 0, 0.0)
    for _ in range(600):
        try:
            service.get("/ping")
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the store does not answer")


def _offered(port: int, per_second: int) -> dict[str, float]:
    arguments = map(str, (port, per_second * SECONDS, CONNECTIONS, per_second))
    printed = run_pinned([sys.executable, "-m", "benchmarks.kserve_pairs", *arguments], SENDER_CORE)
    found: dict[str, float] = json.loads(printed)
    return found


def _send_rows(service: Service, name: str) -> None:
    rows = [
        {"id": f"{name}-{n}", "inputs": {f"f{k}": n + k / 7 for k in range(12)}, "outputs": {"p": 0.5}}
        for n in range(ROWS_PER_CALL)
    ]
    service.post("/api/predictions", orjson.dumps({"model": "backlog", "predictions": rows}), "application/json")


def _keep_sending(service: Service, stop: Event, peak: list[float]) -> None:
    number = 0
    while not stop.wait(ROWS_PER_CALL / PER_SECOND):
        _send_rows(service, f"m{number}")
        peak.append(service.resident_mb())
        number += 1


def _until_stored(service: Service, rows: int) -> None:
    deadline = time.monotonic() + MOST_WAIT
    while _stored(service) < rows:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{_stored(service)} of {rows} rows after {MOST_WAIT} s")
        time.sleep(0.1)


def _stored(service: Service) -> int:
    entries = orjson.loads(service.get("/api/ledger"))["entries"]
    return sum(entry["stored"] for entry in entries if entry["unit"] == "row")
