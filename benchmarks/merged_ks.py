"""How far KS from merged states is from KS of the rows: 1 M + 1 M values in 60 states each, of seven shapes."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.profiling import KEY, store
from benchmarks.rows import MODEL, START
from benchmarks.table import Row
from core.distribution import Distribution
from core.findings import Window
from core.records import PREDICTIONS
from core.times import from_micros
from detectors.univariate.ks import largest_difference
from storage.engine import Engine
from storage.profiles.profiler import Profiler
from storage.profiles.reader import ProfileReader
from storage.windows.distributions import Field
from storage.windows.relations import of_window

ROWS, MINUTES, MOST = 1_000_000, 60, 0.002
BATCH_ROWS = 100_000
HOUR = timedelta(hours=1)
FIRST = from_micros(START)
SHAPES = ("normal", "offset", "lognormal", "discrete", "zeros", "priced", "tied")


def run() -> list[Row]:
    rng = np.random.default_rng(0)
    sides = [{shape: _values(rng, shape, side) for shape in SHAPES} for side in (0, 1)]
    with store() as engine:
        for side, values in enumerate(sides):
            _insert(engine, values, side)
        # Whole hours are merged from hours, those without their first minute from minutes.
        merged = [[_merged(engine, side, minutes_off) for side in (0, 1)] for minutes_off in (0, 1)]
    return [
        _row(shape, [side[shape] for side in sides], [[found[shape] for found in both] for both in merged])
        for shape in SHAPES
    ]


def _values(rng: np.random.Generator, shape: str, side: int) -> NDArray[np.float64]:
    """A little changed on the other side."""
    match shape:
        case "normal":
            return rng.normal(0.02 * side, 1, ROWS)
        case "offset":
            return rng.normal(300 + 0.06 * side, 3, ROWS)
        case "lognormal":
            return rng.lognormal(0.04 * side, 2, ROWS)
        case "discrete":
            return rng.poisson(2000 + side, ROWS).astype(np.float64)
        case "zeros":
            filled: NDArray[np.float64] = np.where(rng.random(ROWS) < 0.9 - 0.01 * side, 0.0, rng.lognormal(size=ROWS))
            return filled
        case "priced":
            prices: NDArray[np.float64] = np.floor(rng.lognormal(3 + 0.02 * side, 1, ROWS)) + 0.99
            return prices
        case _:
            tied: NDArray[np.float64] = np.random.default_rng(1).normal(size=700)[
                (700 * rng.random(ROWS) ** (1 + 0.02 * side)).astype(int)
            ]
            return tied


def _insert(engine: Engine, values: dict[str, NDArray[np.float64]], side: int) -> None:
    times = START + side * 3_600_000_000 + 60_000_000 + np.arange(ROWS) * 3600  # the first minute of each hour is empty
    for first in range(0, ROWS, BATCH_ROWS):
        rows = slice(first, first + BATCH_ROWS)
        keys = pa.DictionaryArray.from_arrays(
            pa.array(np.tile(np.arange(len(SHAPES), dtype=np.int32), BATCH_ROWS)), pa.array(SHAPES)
        )
        cells = pa.array(np.column_stack([values[shape][rows] for shape in SHAPES]).ravel())
        offsets = pa.array(np.arange(BATCH_ROWS + 1, dtype=np.int32) * len(SHAPES))
        columns = {
            "time": pa.array(times[rows]).cast(PREDICTIONS.field("time").type),
            "id": [f"{side}-{n}" for n in range(first, first + BATCH_ROWS)],
            "content": pa.array(np.arange(first, first + BATCH_ROWS, dtype=np.uint64)),
            "namespace": ["default"] * BATCH_ROWS,
            "model": [MODEL] * BATCH_ROWS,
            "status": pa.array(np.full(BATCH_ROWS, 200, dtype=np.uint16)),
            "inputs_num": pa.MapArray.from_arrays(offsets, keys, cells),
        }
        engine.insert("predictions", pa.table(columns))


def _merged(engine: Engine, side: int, minutes_off: int) -> dict[str, Distribution]:
    start = FIRST + side * HOUR + timedelta(minutes=minutes_off)
    window = Window(start, FIRST + side * HOUR + HOUR)
    profiler = Profiler(engine, {})
    while not profiler.ready(KEY, window, FIRST + 24 * HOUR):
        pass
    reader, relation = ProfileReader(engine, dict), of_window(KEY, window)
    (part,) = reader.parts(relation, reader.totals(relation, ""), "", None)
    return {shape: part.fields[Field(shape, "num")] for shape in SHAPES}


def _row(shape: str, rows: list[NDArray[np.float64]], merged: list[list[Distribution]]) -> Row:
    """The worse of both ways to merge; only the rows of the window are compared."""
    errors = []
    for sides in merged:
        both = zip(rows, sides, strict=True)
        exact = largest_difference(*(Distribution.of_numbers(values[: round(side.total)]) for values, side in both))
        errors.append((abs(largest_difference(*sides) - exact), exact, sum(side.merged_error or 0.0 for side in sides)))
    error, exact, bound = max(errors)
    name = f"KS of {shape} values, 1 M + 1 M, merged from hours or minutes"
    return Row(
        name, f"{error:.5f} off, bound {bound:.4f}", f"{exact:.4f}: of the rows", "-", f"≤ {MOST}", error <= MOST
    )
