"""What chDB takes of the table `predictions` with nothing around it: `python -m benchmarks.raw_insert ROWS`.

Rows are built and put into Arrow streams beforehand; the time is that of the inserts alone, over two raw handles and
in the batches that suit chDB best (measured: 100 k rows 385 k rows/s, 250 k 472, 1 M 319). Table, settings (fsync
among them) and columns are Tidemark's, so that it is the same work.
"""

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.rows import sent, stored, stream
from storage import open_engine
from storage.migrate import migrate

BATCH_ROWS = 250_000
HANDLES = 2


def main() -> None:
    rows = pa.Table.from_batches([stored(batch) for batch in sent(int(sys.argv[1]))])
    insert = f"INSERT INTO predictions ({', '.join(rows.column_names)})"
    bodies = [_body(rows.slice(first, BATCH_ROWS)) for first in range(0, len(rows), BATCH_ROWS)]
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        handles = _handles(Path(folder) / "store")
        _insert(handles[0], insert, [_body(rows.slice(0, 1))])  # a process's first insert is slow, and not counted
        start = time.perf_counter()
        with ThreadPoolExecutor(HANDLES) as pool:
            list(pool.map(lambda k: _insert(handles[k], insert, bodies[k::HANDLES]), range(HANDLES)))
        seconds = time.perf_counter() - start
        for handle in handles:
            handle.close()
    print(json.dumps({"rows_per_second": len(rows) / seconds}))


def _body(rows: pa.Table) -> bytes:
    return stream(rows.combine_chunks().to_batches()[0])


def _handles(folder: Path) -> list[Any]:
    import chdb

    engine = open_engine(f"chdb://{folder}")
    migrate(engine)
    connect: Any = chdb.connect
    handles = [connect(f"{folder}?database=tidemark") for _ in range(HANDLES)]
    engine.close()
    return handles


def _insert(handle: Any, insert: str, bodies: list[bytes]) -> None:
    for body in bodies:
        with handle.send_insert(insert, "ArrowStream") as inserter:
            inserter.append(body)
            inserter.finish()


if __name__ == "__main__":
    main()
