"""Predictions as JSON: `{"model", "predictions": [{"id", "time", "inputs": {}, "outputs": {}}]}`, or a line each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from collectors.building.columns import concat
from collectors.building.content import fingerprints
from collectors.building.exchanges import Naming
from collectors.building.lengths import check_name, check_names, check_tags
from collectors.formats import exact
from collectors.formats.body import loads
from collectors.labels.values import Value
from collectors.rows import BadRow, Defaults, RowsRead, check_bad_rows, check_models, labels, too_many, too_many_fields
from collectors.rows.cells import Cell, as_declared, cells, maps
from collectors.rows.scalars import MOST_STATUS, SCALARS, constant, infos, new_ids, tag_column
from collectors.rows.times import read_time, settled_time
from core.config import Limits
from core.errors import Rejected
from core.options import nearest
from core.records import PREDICTIONS, TIME, FieldInfo, ModelKey

KEYS = {*SCALARS, "inputs", "outputs", "tags", "labels"}
_NAMES = ("id", "model", "version", "namespace", "trace_id")


class _Row(NamedTuple):
    """One checked row."""

    scalars: Mapping[str, Any]
    cells: Sequence[Cell]
    number: int
    labels: Sequence[tuple[str, Value]]


def read_json(body: bytes, defaults: Defaults, naming: Callable[[ModelKey], Naming]) -> RowsRead:
    """One object with a list `predictions`; Rejected when the body as a whole cannot be read."""
    document = loads(body, defaults.limits)
    if not isinstance(document, dict) or not isinstance(document.get("predictions"), list):
        raise Rejected(400, "bad_shape", "expected an object with a list 'predictions'", "predictions")
    if unknown := document.keys() - {"model", "version", "namespace", "predictions"}:
        raise Rejected(400, "unknown_key", "known keys: model, version, namespace, predictions", min(unknown))
    said = {k: _text(document[k], k) for k in ("model", "version", "namespace") if document.get(k) is not None}
    if len(document["predictions"]) > defaults.limits.rows_per_request:
        raise too_many(defaults.limits)
    named = Defaults(**{**defaults._asdict(), **said})
    return _read(document["predictions"], named, naming)


def read_ndjson(body: bytes, defaults: Defaults, naming: Callable[[ModelKey], Naming]) -> RowsRead:
    """One object a line; blank lines are passed over."""
    most = defaults.limits.rows_per_request
    if body.count(b"\n") >= most and sum(not line.isspace() for line in BytesIO(body)) > most:
        raise too_many(defaults.limits)
    lines = (line for line in BytesIO(body) if not line.isspace())
    return _read((_line(line.rstrip(b"\r\n"), defaults.limits) for line in lines), defaults, naming)


class _Unparsed(NamedTuple):
    line: bytes
    error: Rejected


def _line(line: bytes, limits: Limits) -> Any:
    try:
        return loads(line, limits)
    except Rejected as error:
        return _Unparsed(line, error)


def _read(records: Iterable[Any], defaults: Defaults, naming: Callable[[ModelKey], Naming]) -> RowsRead:
    rejected: list[BadRow] = []
    groups: dict[tuple[ModelKey, str], list[_Row]] = defaultdict(list)
    for number, record in enumerate(records):
        try:
            row = _checked(record, number, defaults)
        except Rejected as error:
            rejected.append(_bad(number, record, error, defaults))
            check_bad_rows(len(rejected), rejected[0], defaults.limits)
        else:
            said = row.scalars
            groups[ModelKey(said["namespace"], said["model"]), said["version"]].append(row)
    check_models(len(groups), defaults.limits)
    built = [_built(model, rows, defaults, naming(model)) for (model, _), rows in groups.items()]
    beside = [
        labels.of_cells(batch, [row.labels for row in rows], [row.number for row in rows])
        for (batch, _), rows in zip(built, groups.values(), strict=True)
    ]
    batches = [batch for batch, _ in built] or [pa.RecordBatch.from_pylist([], schema=PREDICTIONS)]
    new = all(row.scalars["id"] is None for rows in groups.values() for row in rows)
    numbers = np.array([row.number for rows in groups.values() for row in rows], np.int64)
    fields = [info for _, infos in built for info in infos]
    return RowsRead(concat(batches), rejected, fields, new, numbers, labels.together(beside))


def _bad(number: int, record: Any, error: Rejected, defaults: Defaults) -> BadRow:
    own = record if isinstance(record, dict) else {}
    of = [str(own.get(name) or getattr(defaults, name)) for name in ("namespace", "model", "version")]
    return BadRow(number, error.field, error.detail, error.code, _dumped(record), *of)


def _checked(record: Any, number: int, defaults: Defaults) -> _Row:
    if isinstance(record, _Unparsed):
        raise record.error
    if not isinstance(record, dict):
        raise Rejected(400, "bad_row", f"expected an object, found {type(record).__name__}")
    if unknown := record.keys() - KEYS:
        raise Rejected(400, "unknown_key", nearest(min(unknown)[:100], KEYS), min(unknown))
    found = [*cells(record, "inputs", defaults.limits), *cells(record, "outputs", defaults.limits)]
    scalars = _scalars(record, defaults)
    for name in _NAMES:
        check_name(scalars[name] or "", defaults.limits, name)
    check_names([cell.field for cell in found], defaults.limits, "inputs")
    check_tags(scalars["tags"], defaults.limits)
    return _Row(scalars, found, number, labels.said(record, defaults.limits))


def _scalars(record: dict[str, Any], defaults: Defaults) -> dict[str, Any]:
    model = _text(record.get("model") or defaults.model, "model")
    if not model:
        raise Rejected(400, "no_model", "say which model the prediction is of", "model")
    namespace = _text(record.get("namespace") or defaults.namespace, "namespace")
    defaults.allowed.check(namespace)
    time, original = settled_time(read_time(record.get("time"), defaults.received), defaults.received)
    return {
        "namespace": namespace,
        "model": model,
        "version": _text(record.get("version") or defaults.version, "version"),
        "id": _id(record.get("id")),
        "time": time,
        "status": _status(record.get("status")),
        "latency": _number(record, "latency", np.nan, (0, np.inf)),
        "weight": _number(record, "weight", 1.0, (1e-300, 1e300)),
        "error": _text(record.get("error") or "", "error"),
        "trace_id": _text(record.get("trace_id") or defaults.trace_id, "trace_id"),
        "tags": [*_tags(record.get("tags")), *original],
    }


def _built(
    model: ModelKey, rows: list[_Row], defaults: Defaults, naming: Naming
) -> tuple[pa.RecordBatch, list[FieldInfo]]:
    columns = {name: [row.scalars[name] for row in rows] for name in SCALARS}
    fresh = iter(new_ids(sum(i is None for i in columns["id"])))
    fields = maps([as_declared(row.cells, naming.kinds) for row in rows])
    if sum(len(column.keys.dictionary) for column in fields.values()) > defaults.limits.fields_per_row:
        raise too_many_fields(defaults.limits)
    batch = pa.RecordBatch.from_pydict(
        {
            **columns,
            **constant(defaults, len(rows)),
            "id": [next(fresh) if i is None else i for i in columns["id"]],
            "time": pa.array(columns["time"], pa.int64()).cast(TIME),
            "tags": tag_column([row.scalars["tags"] for row in rows]),
            "content": fingerprints(fields),
            **fields,
        },
        schema=PREDICTIONS,
    )
    return batch, infos(model, rows[0].scalars["version"], fields)


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise Rejected(400, "bad_value", f"expected text, found {type(value).__name__}", field)
    return value


def _id(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise Rejected(400, "bad_value", f"expected text or a whole number, found {type(value).__name__}", "id")


def _status(value: Any) -> int:
    if value is None:
        return 200
    if type(value) is not int or not 0 <= value <= MOST_STATUS:
        raise Rejected(400, "bad_value", f"expected a whole number from 0 to {MOST_STATUS}", "status")
    return value


def _number(record: dict[str, Any], key: str, default: float, bounds: tuple[float, float]) -> float:
    value = record.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not bounds[0] <= value <= bounds[1]:
        raise Rejected(400, "bad_value", f"expected a number from {bounds[0]:g} to {bounds[1]:g}", key)
    return float(value)


def _tags(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value or {}, dict):
        raise Rejected(400, "bad_shape", f"expected an object, found {type(value).__name__}", "tags")
    return [(k, v if isinstance(v, str) else _dumped(v).decode()) for k, v in (value or {}).items() if v is not None]


def _dumped(value: Any) -> bytes:
    if isinstance(value, _Unparsed):
        return value.line
    try:
        return exact.dumps(value)
    except TypeError:
        return str(value).encode()
