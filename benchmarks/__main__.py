"""`python -m benchmarks [NAME …]`: run all benchmarks, or those named, and print one Markdown table."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from benchmarks import (
    bulk,
    delivery,
    drift_30d,
    ks,
    log,
    lookup,
    merged_ks,
    pairs,
    profiled_ingest,
    profiling,
    start,
    tap,
)
from benchmarks.table import Row, markdown

BENCHMARKS: Mapping[str, Callable[[], list[Row]]] = {
    "start": start.run,
    "bulk": bulk.run,
    "pairs": pairs.run,
    "tap": tap.run,
    "log": log.run,
    "delivery": delivery.run,
    "ks": ks.run,
    "lookup": lookup.run,
    "profiling": profiling.run,
    "merged_ks": merged_ks.run,
    "drift_30d": drift_30d.run,
    "profiled_ingest": profiled_ingest.run,
}


def main() -> None:
    names = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        sys.exit(f"no benchmark '{unknown[0]}'; there are: {', '.join(BENCHMARKS)}")
    rows = [row for name in names for row in _measured(name)]
    print(f"{_machine()}\n\n{markdown(rows)}")


def _measured(name: str) -> list[Row]:
    print(f"running {name}", file=sys.stderr, flush=True)
    return BENCHMARKS[name]()


def _machine() -> str:
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("chdb", "numpy", "pyarrow", "uvicorn"))
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({cpu.partition(': ')[2]}), {memory:.0f} GB, Python {sys.version.split()[0]}, {versions}"


if __name__ == "__main__":
    main()
