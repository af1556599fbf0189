"""Named, content-hashed reference data sets: added from files or from stored predictions, read as distributions."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from core.config import DatasetConfig
from core.errors import ConfigError
from core.findings import Window
from core.records import ModelKey
from storage.engine import Engine
from storage.windows import datasets
from storage.windows.relations import Relation, of_reference, of_window


@dataclass(frozen=True)
class ReferenceVersion:
    """One content of a named reference."""

    name: str
    hash: str
    rows: int
    origin: str

    @property
    def relation(self) -> Relation:
        return of_reference(self.name, self.hash)


def add_file(engine: Engine, name: str, dataset: DatasetConfig) -> ReferenceVersion:
    """The rows of a file under `name`; what is there with the same content is not inserted again."""
    hash = datasets.content_hash(dataset)
    if known := _version(engine, name, hash):
        return known
    count = 0
    for chunk in datasets.rows(datasets.read(dataset)):
        same = {"name": pa.array([name] * len(chunk)), "hash": pa.array([hash] * len(chunk))}
        engine.insert("references", pa.table({**same, **{c: chunk.column(c) for c in chunk.column_names}}))
        count += len(chunk)
    return _record(engine, ReferenceVersion(name, hash, count, str(Path(dataset.path).resolve())))


def add_window(engine: Engine, name: str, model: ModelKey, window: Window) -> ReferenceVersion:
    """Stored predictions of `window`, those whose inference failed left out. ConfigError for fewer than 2.

    The rows never leave the store; an output named like an input becomes `outputs.<name>`.
    """
    relation = of_window(model, window)
    (content,) = engine.rows(
        "SELECT count() AS rows, lower(concat(hex(sum(sipHash64(id, content, weight))),"
        f" hex(sum(cityHash64(id, content, weight))))) AS hash FROM {relation.sql} WHERE ok",
        relation.params,
    )
    taken = origin(model, window)
    if content["rows"] < 2:
        raise ConfigError(f"{taken}: {content['rows']} predictions; a reference needs at least 2")
    if known := _version(engine, name, content["hash"]):
        return known
    version = ReferenceVersion(name, content["hash"], content["rows"], taken)
    _copy(engine, relation, version)
    return _record(engine, version)


def origin(model: ModelKey, window: Window) -> str:
    """How a reference made of stored predictions says where it is from."""
    return f"{model.namespace}/{model.model} {window.start.isoformat()} to {window.end.isoformat()}"


def newest(engine: Engine, name: str) -> ReferenceVersion | None:
    """What was added last under `name`."""
    return _first(engine, "name = {name:String} ORDER BY added DESC", {"name": name})


def versions(engine: Engine) -> list[ReferenceVersion]:
    """Everything that is kept: by name, the newest version first."""
    rows = engine.rows("SELECT name, hash, rows, origin FROM reference_versions FINAL ORDER BY name, added DESC")
    return [ReferenceVersion(**row) for row in rows]


def stored(engine: Engine) -> list[str]:
    """Every name there is."""
    return [row["name"] for row in engine.rows("SELECT DISTINCT name FROM reference_versions ORDER BY name")]


def _copy(engine: Engine, relation: Relation, version: ReferenceVersion) -> None:
    """Rows get numbers made from what they are, so that a copy cut short is completed by the next."""
    shared = _inputs_that_are_outputs(engine, relation)
    num, cat = (f"mapConcat(inputs_{kind}, {_renamed(f'outputs_{kind}', shared)})" for kind in ("num", "cat"))
    engine.command(
        "INSERT INTO references (name, hash, row, weight, num, cat, tags)"
        f" SELECT {{name:String}}, {{hash:String}}, sipHash64(id, content), weight, {num}, {cat}, tags"
        f" FROM {relation.sql} WHERE ok",
        {**relation.params, "shared": shared, "name": version.name, "hash": version.hash},
    )


def _renamed(outputs: str, shared: list[str]) -> str:
    if not shared:
        return outputs
    keys = f"arrayMap(k -> if(has({{shared:Array(String)}}, k), concat('outputs.', k), k), mapKeys({outputs}))"
    return f"mapFromArrays({keys}, mapValues({outputs}))"


def _inputs_that_are_outputs(engine: Engine, relation: Relation) -> list[str]:
    (row,) = engine.rows(
        "SELECT arrayIntersect(groupUniqArrayArray(arrayConcat(mapKeys(inputs_num), mapKeys(inputs_cat))),"
        " groupUniqArrayArray(arrayConcat(mapKeys(outputs_num), mapKeys(outputs_cat)))) AS shared"
        f" FROM {relation.sql}",
        relation.params,
    )
    return sorted(row["shared"])


def _version(engine: Engine, name: str, hash: str) -> ReferenceVersion | None:
    return _first(engine, "name = {name:String} AND hash = {hash:String}", {"name": name, "hash": hash})


def _first(engine: Engine, where: str, params: dict[str, str]) -> ReferenceVersion | None:
    sql = f"SELECT name, hash, rows, origin FROM reference_versions FINAL WHERE {where} LIMIT 1"
    return next((ReferenceVersion(**row) for row in engine.rows(sql, params)), None)


def _record(engine: Engine, version: ReferenceVersion) -> ReferenceVersion:
    """Last of all, so that a version that is there is whole."""
    row = {"name": version.name, "hash": version.hash, "rows": version.rows, "origin": version.origin}
    engine.insert("reference_versions", pa.Table.from_pylist([row]))
    return version
