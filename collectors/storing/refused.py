"""Rows that the store refuses as dead letters, so that nothing vanishes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from core.records import DeadLetter

REFUSED_BYTES = 512 * 1024  # of rows in one letter: below core.records.LETTER_BYTES, where it would be cut
_LINE = ("source", "namespace", "model")


def letters(batch: pa.RecordBatch, detail: str) -> Iterator[tuple[DeadLetter, int]]:
    """The rows as Arrow IPC streams, with how many rows each holds: of one source and model, at most REFUSED_BYTES."""
    for line in _lines(batch):
        step = max(1, len(line) * REFUSED_BYTES // max(1, line.nbytes))
        for start in range(0, len(line), step):
            rows = line.slice(start, step)
            yield _letter(rows, detail), len(rows)


def _lines(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows of each source and model: a letter says whose it is."""
    if len(batch) == 1:
        yield batch
        return
    names = list(zip(*(batch.column(name).to_pylist() for name in _LINE), strict=True))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    lines = np.array([numbers[name] for name in names])
    for number in range(len(numbers)):
        yield batch.filter(pa.array(lines == number))


def _letter(rows: pa.RecordBatch, detail: str) -> DeadLetter:
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, rows.schema) as writer:
        writer.write_batch(rows)
    first = {name: rows.column(name)[0].as_py() for name in (*_LINE, "id")}
    return DeadLetter(
        **first,
        received=rows.column("received")[0].value,
        reason="store_refused",
        detail=detail,
        field="",
        body=buffer.getvalue().to_pybytes(),
        rows=len(rows),
    )
