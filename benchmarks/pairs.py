"""Single KServe event pairs on one core, the sender on another: what the receive path takes, event by event."""

import json
import sys
from typing import Any

from benchmarks.service import Service, run_pinned, serve, up
from benchmarks.table import Row

PREDICTIONS, CONNECTIONS, ROUNDS = 40_000, 64, 3
SERVER_CORE, SENDER_CORE = 0, 1
TARGET = 4_000
# TrustyAI's service on the same pairs, measured on 2 cores of this kind: it is a Java service, not part of this run.
TRUSTYAI = (44, 47)

BARE = [
    "-m",
    "uvicorn",
    "benchmarks.bare_asgi:app",
    "--loop",
    "uvloop",
    "--http",
    "httptools",
    "--log-level",
    "warning",
]


def run() -> list[Row]:
    with serve([sys.executable, *BARE], "/", SERVER_CORE) as bare:
        limit = max((_sent(bare) for _ in range(ROUNDS)), key=_rate)
    with up("auto: false", core=SERVER_CORE) as service:
        ours = max((_sent_and_stored(service, k) for k in range(1, ROUNDS + 1)), key=_rate)
    rate, most = _rate(ours), _rate(limit)
    return [
        Row(
            "KServe event pairs, one core, 64 connections",
            f"{rate:,.0f} predictions/s, p99 {ours['p99_ms']:.0f} ms",
            f"{most:,.0f}: a bare ASGI app that parses the JSON",
            f"{rate / most:.2f}",
            f"≥ {TARGET:,} predictions/s and ≥ 1/3",
            rate >= TARGET and rate >= most / 3 and not ours["refused"],
        ),
        Row(
            "the same, against TrustyAI",
            f"{rate:,.0f} predictions/s",
            f"{TRUSTYAI[0]}-{TRUSTYAI[1]} predictions/s (stated)",
            f"{rate / TRUSTYAI[1]:.0f}",
            "-",
            rate > TRUSTYAI[1],
        ),
    ]


def _sent_and_stored(service: Service, rounds: int) -> dict[str, Any]:
    """A figure counts only when every prediction of it is in the store."""
    figures = _sent(service)
    service.wait_for(f"SELECT count() = {rounds * PREDICTIONS} FROM predictions WHERE model = 'income'")
    return figures


def _sent(service: Service) -> dict[str, Any]:
    arguments = map(str, (service.port, PREDICTIONS, CONNECTIONS))
    found: dict[str, Any] = json.loads(
        run_pinned([sys.executable, "-m", "benchmarks.kserve_pairs", *arguments], SENDER_CORE)
    )
    return found


def _rate(figures: dict[str, Any]) -> float:
    return float(figures["predictions_per_second"])
