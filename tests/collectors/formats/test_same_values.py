"""The same values are the same stored fields, whichever format they come in.

Known exceptions, all of what a format can express: binary data has no null but NaN; JSON integers beyond 64 bits and
numbers of JSON as FP32 are kept as the digits sent.
"""

import json
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.building.exchanges import Exchange, Naming, to_rows
from collectors.formats import Hints, decode
from collectors.rows import Defaults
from collectors.taps.rows import READERS
from core.records import Half, RequestKey

NOW = 1_800_000_000_000_000
ARROW = {"FP64": pa.float64(), "INT64": pa.int64(), "UINT64": pa.uint64(), "BOOL": pa.bool_(), "BYTES": pa.string()}
JSON = Hints()
DTYPES = {"FP64": "<f8", "INT64": "<i8", "UINT64": "<u8", "BOOL": "?"}
_EDGES = [2**53 - 1, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 2**63 - 1, -(2**63), 0, -1]
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ["", "\0", "NaN", "1", "é\u0301"]
)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "FP64": st.floats() | st.sampled_from([-0.0, 5e-324, 1e22, 2.0**53 + 2, 2.0**60, -math.inf]) | st.none(),
    "INT64": st.integers(-(2**63), 2**63 - 1) | st.sampled_from(_EDGES) | st.none(),
    "UINT64": st.integers(0, 2**64 - 1) | st.sampled_from([2**63, 2**64 - 1, 2**53 + 1, 7]) | st.none(),
    "BOOL": st.booleans() | st.none(),
    "BYTES": _TEXT | st.none(),
}


class Table(NamedTuple):
    """One tensor, rows first. `width` is None for the shape [N], else the second axis."""

    datatype: str
    width: int | None
    rows: list[list[Any]]
    declared: frozenset[str]  # fields declared `cat`

    @property
    def shape(self) -> list[int]:
        return [len(self.rows)] if self.width is None else [len(self.rows), self.width]

    @property
    def names(self) -> list[str]:
        return ["x"] if self.width in (None, 1) else [f"x_{j}" for j in range(self.width or 0)]

    @property
    def flat(self) -> list[Any]:
        return [cell for row in self.rows for cell in row]

    @property
    def nested(self) -> list[Any]:
        return [row[0] for row in self.rows] if self.width is None else self.rows


@st.composite
def tables(draw: st.DrawFn) -> Table:
    datatype, width = draw(st.sampled_from(list(CELLS))), draw(st.sampled_from([None, 1, 2, 3]))
    rows = draw(st.lists(st.lists(CELLS[datatype], min_size=width or 1, max_size=width or 1), min_size=1, max_size=4))
    names = ["x"] if width in (None, 1) else [f"x_{j}" for j in range(width or 0)]
    return Table(datatype, width, rows, draw(st.frozensets(st.sampled_from(names))))


Fields = list[dict[str, str]]  # each row's fields, as `num x` and the like, with their values written out


def v2_json(table: Table) -> Fields:
    return _inference(_v2(table, table.nested), table)


def v2_flat_json(table: Table) -> Fields:
    return _inference(_v2(table, table.flat), table)


def v2_binary(table: Table) -> Fields:
    if table.datatype == "BYTES":
        data = b"".join(struct.pack("<I", len(t)) + t for t in [cell.encode() for cell in table.flat])
    else:
        cells = [math.nan if cell is None else cell for cell in table.flat]
        data = np.array(cells, DTYPES[table.datatype]).tobytes()
    tensor = {"name": "x", "shape": table.shape, "datatype": table.datatype}
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}]}).encode()
    return _inference(head + data, table, Hints("application/octet-stream", len(head)))


def v1(table: Table) -> Fields:
    return _inference(json.dumps({"instances": [{"x": value} for value in table.nested]}).encode(), table)


def json_rows(table: Table) -> Fields:
    body = json.dumps({"model": "m", "predictions": _predictions(table)}).encode()
    return _rows("application/json", body, table)


def ndjson_rows(table: Table) -> Fields:
    body = "\n".join(json.dumps({"model": "m", **row}, ensure_ascii=False) for row in _predictions(table))
    return _rows("application/x-ndjson", body.encode(), table)


def arrow_rows(table: Table) -> Fields:
    columns = zip(table.names, zip(*table.rows, strict=True), strict=True)
    return _arrow({name: pa.array(list(cells), ARROW[table.datatype]) for name, cells in columns}, table)


FORMATS: Mapping[str, Callable[[Table], Fields]] = {
    "V2 JSON, flat": v2_flat_json,
    "V2 binary": v2_binary,
    "V1": v1,
    "JSON rows": json_rows,
    "NDJSON rows": ndjson_rows,
    "Arrow rows": arrow_rows,
}


@pytest.mark.parametrize("name", FORMATS)
@given(table=tables())
@settings(max_examples=200, deadline=None)
def test_every_format_stores_the_fields_that_v2_json_does(name: str, table: Table) -> None:
    if name == "V2 binary" and table.datatype != "FP64" and None in table.flat:
        return  # it has no null
    if name == "V1" and (table.datatype == "BYTES" or None in table.flat):
        return  # whose types are those of the cells together: of a column of nulls nobody knows them
    assert FORMATS[name](table) == v2_json(table)


@given(
    lists=st.lists(st.lists(st.floats(width=32) | st.just(1e300), min_size=4, max_size=4), min_size=1, max_size=3),
    datatype=st.sampled_from(["FP64", "INT64"]),
)
@settings(max_examples=100, deadline=None)
def test_a_deep_tensor_is_the_vector_that_a_list_is(lists: list[list[float]], datatype: str) -> None:
    if datatype == "INT64":
        lists = [[2**53 + 1, 2**60, -1, int(cells[0] == 0)] for cells in lists]
    deep = [[cells[:2], cells[2:]] for cells in lists]
    table = Table(datatype, 1, [[cells] for cells in lists], frozenset())
    tensor = {"name": "x", "shape": [len(lists), 2, 2], "datatype": datatype, "data": deep}
    found = _inference(json.dumps({"inputs": [tensor]}).encode(), table)
    assert found == json_rows(table) == ndjson_rows(table)
    assert found == _arrow({"x": pa.array(lists, pa.list_(ARROW[datatype]))}, table)


def _arrow(columns: Mapping[str, pa.Array], table: Table) -> Fields:
    named = {f"inputs.{name}": column for name, column in columns.items()}
    batch = pa.RecordBatch.from_pydict({"model": ["m"] * len(table.rows), **named})
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, batch.schema) as writer:
        writer.write_batch(batch)
    return _rows("application/vnd.apache.arrow.stream", buffer.getvalue().to_pybytes(), table)


def _v2(table: Table, data: Any) -> bytes:
    tensor = {"name": "x", "shape": table.shape, "datatype": table.datatype, "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


def _predictions(table: Table) -> list[dict[str, Any]]:
    return [{"inputs": dict(zip(table.names, row, strict=True))} for row in table.rows]


def _naming(table: Table) -> Naming:
    return Naming(lambda tensor, width: (), lambda tensor, width: (), dict.fromkeys(table.declared, "cat"))


def _inference(body: bytes, table: Table, hints: Hints = JSON) -> Fields:
    half = Half(RequestKey("default", "m", "r"), "request", decode(body, "request", hints), NOW, NOW, "t")
    (group,) = to_rows([Exchange(half, None)], lambda model: _naming(table))
    return _fields(group.batch)


def _rows(content_type: str, body: bytes, table: Table) -> Fields:
    found = READERS[content_type](body, Defaults("default", "", "", "api", NOW), lambda model: _naming(table))
    assert not found.rejected
    return _fields(found.batch)


def _fields(batch: pa.RecordBatch) -> Fields:
    kinds = ("num", "cat", "vec")
    return [
        {f"{kind} {name}": repr(value) for kind in kinds for name, value in row[f"inputs_{kind}"].items()}
        for row in batch.to_pylist(maps_as_pydicts="strict")
    ]
