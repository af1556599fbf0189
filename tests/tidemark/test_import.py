"""`tidemark import`: the same rows as live traffic, each once, whatever interrupts it."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from up_process import Done, Tidemark, Up, eventually

from core.config import Config
from storage import open_engine
from tidemark.importing import opened
from tidemark.importing.csv import CsvFile
from tidemark.importing.inside import Inside
from tidemark.importing.progress import Note, Progress
from tidemark.importing.ragged import Ragged
from tidemark.importing.run import Import
from tidemark.importing.source import Asked
from tidemark.importing.target import Answer, Call

PART = 3_000
DAY = datetime(2026, 1, 2, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {
        "id": f"r{n}",
        "time": (DAY + timedelta(hours=n)).isoformat(),
        "inputs": {"age": 30 + n, "pay": n / 8, "country": "DE" if n % 2 else None, "member": n % 3 == 0},
        "outputs": {"p": n / 10},
        "status": 500 if n == 4 else 200,
        "latency": 0.25,
        "tags": {"customer": f"c{n}"},
        "labels": {"churned": n % 2 == 0},
    }
    for n in range(8)
]
SAME = (
    "time, id, row, content, namespace, version, status, error, latency, trace_id, tags, weight, inputs_num,"
    " inputs_cat, inputs_vec, outputs_num, outputs_cat, outputs_vec"
)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        found |= {f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {name: value}
    return found


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pa.parquet.write_table(pa.Table.from_pylist([flat(row) for row in rows]), path)
    return path


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".ndjson":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".csv":
        pa.csv.write_csv(pa.Table.from_pylist([flat(row) for row in rows]), path)
    else:
        parquet(path, rows)
    return path


def sql(tidemark: Tidemark, store: str, statement: str) -> list[Any]:
    return [
        json.loads(line) for line in tidemark("query", statement, "--format", "json", "--store", store).out.splitlines()
    ]


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_importing_a_file_and_sending_its_rows_give_equal_rows_and_labels(
    served: Up, tidemark: Tidemark, tmp_path: Path, form: str
) -> None:
    served.send(f"live-{form}", *ROWS)
    done = tidemark(
        "import", write(tmp_path / f"rows.{form}", ROWS), "--model", form, "--store", served.store, "--json"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["accepted"] == len(ROWS)

    def stored(model: str, table: str, columns: str) -> list[Any]:
        statement = f"SELECT {columns} FROM {table} FINAL WHERE model = '{model}' ORDER BY id"
        return sql(tidemark, served.store, statement)

    for table, columns in (("predictions", SAME), ("labels", "time, id, name, value, num, source")):
        eventually(lambda t=table, c=columns: len(stored(form, t, c)) == len(stored(f"live-{form}", t, c)) == len(ROWS))
        assert stored(form, table, columns) == stored(f"live-{form}", table, columns)
    assert not (tmp_path / f"rows.{form}.importing").exists()


def test_bad_rows_are_dead_letters_that_name_the_file_and_the_row(
    served: Up, tidemark: Tidemark, tmp_path: Path
) -> None:
    rows = [{**row, "weight": -1.0 if n in (2, 5) else 1.0} for n, row in enumerate(ROWS)]
    rows[7] = {**rows[7], "time": None}
    done = tidemark("import", parquet(tmp_path / "bad.parquet", rows), "--model", "bad-rows", "--url", served.url)
    assert done.code == 0 and "5 accepted, 0 duplicate, 3 rejected" in done.out
    assert "weight: expected a number above 0: row 3, 6" in done.out and "time: " in done.out
    letters = eventually(lambda: _letters(served, "bad-rows", 3))
    said = [served.get(f"/api/dead-letters/{letter['letter']}").json()["headers"] for letter in letters]
    assert sorted(h["x-tidemark-row"] for h in said) == ["3", "6", "8"]
    assert {h["x-tidemark-file"] for h in said} == {"bad.parquet"}


def _letters(served: Up, model: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.get("/api/dead-letters", model=model).json()["dead_letters"]
    return found if len(found) == count else []


def test_lines_of_csv_that_cannot_be_taken_apart_cost_only_themselves(
    served: Up, tidemark: Tidemark, tmp_path: Path
) -> None:
    path = tmp_path / "ragged.csv"
    path.write_text(
        'id,time,inputs.a,inputs.b\n1,2026-01-01T00:00:00Z,1,"x\ny"\n2,2026-01-01,2\n3,2026-01-02T00:00:00Z,,NaN\n'
    )
    done = tidemark("import", path, "--model", "ragged", "--url", served.url, "--json")
    said = json.loads(done.out)
    assert (said["accepted"], said["rejected_rows"], [bad["row"] for bad in said["rejected"]]) == (2, 1, [2])
    assert said["rejected"] == [{"row": 2, "field": "", "reason": "3 cells, the header has 4"}] and said["rows"] == 3
    (letter,) = eventually(lambda: _letters(served, "ragged", 1))
    kept = served.get(f"/api/dead-letters/{letter['letter']}").json()
    assert (kept["reason"], kept["detail"]) == ("bad_cells", "3 cells, the header has 4")
    assert (kept["headers"]["x-tidemark-row"], json.loads(kept["body"])) == ("2", "2,2026-01-01,2")
    replayed = tidemark("dead-letters", "replay", letter["letter"], "--store", served.store)
    assert "bad_cells  3 cells, the header has 4" in replayed.out
    assert served.stored("1", model="ragged")["inputs"] == {"a": 1.0, "b": "x\ny"}
    assert served.stored("3", model="ragged")["inputs"] == {"b": "NaN"}


def test_rows_of_csv_are_counted_alike_whatever_lies_between_them(tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    path.write_text("time,inputs.a\n1\n" + "t,1\nt,2\nt\nt,4,5\nt,5\n" * 3 + "t\n")
    source = CsvFile(Asked(path, "m", part_rows=2))
    assert source.total == 17
    bad, good = {1, 4, 5, 9, 10, 14, 15, 17}, {2, 3, 6, 7, 8, 11, 12, 13, 16}
    for after in range(18):
        parts = list(source.parts(after))
        numbers = [number for part in parts for number in range(part.first, part.first + part.rows)]
        assert numbers == list(range(after + 1, 18)) and all(part.rows <= 2 for part in parts)
        ragged = {part.first for part in parts if isinstance(part, Ragged)}
        assert ragged == {number for number in bad if number > after} and good.isdisjoint(ragged)


def test_a_bad_row_has_the_same_number_in_every_kind_of_file(tidemark: Tidemark, tmp_path: Path) -> None:
    day = "2026-01-01T00:00:00Z"
    good, late = (f'{{"time": "{time}", "inputs": {{"a": 1}}}}' for time in (day, "x"))
    (tmp_path / "a.csv").write_text(f"time,inputs.a\n{day},1\n\nx,1\n{day}\n{day},1,2\n\n{day},1")
    (tmp_path / "a.ndjson").write_text("\n".join([good, "", late, "no JSON", "[1]", "", good]))
    parquet(tmp_path / "a.parquet", [{"time": time, "inputs.a": 1} for time in (day, "x", "y", "z", day)])
    for form in ("csv", "ndjson", "parquet"):
        store = f"chdb://{tmp_path / form}"
        said = json.loads(tidemark("import", tmp_path / f"a.{form}", "--model", "m", "--store", store, "--json").out)
        assert (said["rows"], [bad["row"] for bad in said["rejected"]]) == (5, [2, 3, 4]), form


def test_a_line_of_csv_is_refused_for_its_cells_even_if_it_is_a_row_of_json(tmp_path: Path) -> None:
    path, store = tmp_path / "a.csv", f"chdb://{tmp_path / 'store'}"
    path.write_text('time,inputs.a\n{"time": "2026-01-01"}\n')
    done, _, _ = run(path, store)
    assert (done.accepted, [bad["reason"] for bad in done.bad]) == (0, ["1 cells, the header has 2"])


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_integers_keep_their_digits_in_every_kind_of_file(tmp_path: Path, form: str) -> None:
    path, store = tmp_path / f"a.{form}", f"chdb://{tmp_path / 'store'}"
    day, wide = "2026-01-01T00:00:00Z", [10**29 + 1, 2**64 - 1]
    if form == "parquet":
        numbers = pa.array([Decimal(n) for n in wide], pa.decimal128(38))
        pa.parquet.write_table(pa.table({"time": [day] * 2, "id": ["0", "1"], "inputs.n": numbers}), path)
    else:
        lines = [f'{{"time": "{day}", "id": "{i}", "inputs.n": {n}}}' for i, n in enumerate(wide)]
        cells = ["time,id,inputs.n", *(f"{day},{i},{n}" for i, n in enumerate(wide))]
        path.write_text("\n".join(cells if form == "csv" else lines))
    done, _, _ = run(path, store)
    assert done.accepted == 2
    with closing(open_engine(store)) as engine:
        found = engine.rows("SELECT inputs_cat['n'] AS n FROM predictions ORDER BY id")
    assert [row["n"] for row in found] == list(map(str, wide))


def test_a_line_of_ndjson_with_an_infinity_gets_its_id_and_must_have_a_time_like_any_other(tmp_path: Path) -> None:
    path, store = tmp_path / "a.ndjson", f"chdb://{tmp_path / 'store'}"
    day = '"time": "2026-01-01T00:00:00Z"'
    path.write_text(f'{{{day}, "inputs.a": -Infinity, "inputs.b": NaN}}\n{{"inputs": {{"a": Infinity}}}}\n')
    done, _, _ = run(path, store)
    assert (done.accepted, [(bad["row"], bad["field"]) for bad in done.bad]) == (1, [(2, "time")])
    with closing(open_engine(store)) as engine:
        (row,) = engine.rows("SELECT id, inputs_num FROM predictions")
    assert (row["id"], row["inputs_num"]) == (Asked(path).row_id(1), {"a": float("-inf")})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"\xef\xbb\xbf\n\n"),
        ("a.csv", b"time,inputs.a\n"),
        ("a.csv", b"time,inputs.a"),
        ("a.ndjson", b""),
        ("a.ndjson", b"\n \n"),
        ("a.parquet", None),
    ],
)
def test_a_file_without_rows_imports_none_and_says_so(
    tidemark: Tidemark, tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        pa.parquet.write_table(pa.table({"time": pa.array([], pa.string())}), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    done = tidemark("import", tmp_path / name, "--model", "m", "--store", f"chdb://{tmp_path / 'store'}")
    assert (done.code, done.out, done.err) == (0, f"{tmp_path / name} has no rows: nothing to import\n", "")


class Interrupted(BaseException):
    """kill -9, as far as the file and the log can tell."""


class Failing:
    """An own collector that is cut off after so many calls, the last of them taken although nobody hears of it."""

    def __init__(self, store: str, calls: int) -> None:
        self._inside, self._left, self.taken = Inside(store, Config(auto=False)), calls, 0
        self.name, self.has, self.close = self._inside.name, self._inside.has, self._inside.close

    def send(self, call: Call) -> Answer:
        answer = self._inside.send(call)
        self._left, self.taken = self._left - 1, self.taken + 1
        if not self._left:
            raise Interrupted
        return answer


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Four parts and a bit, without ids."""
    path, rows = tmp_path_factory.mktemp("large") / "large.parquet", 4 * PART + 7
    columns = {"time": [DAY] * rows, "inputs.n": range(rows), "labels.even": [n % 2 == 0 for n in range(rows)]}
    pa.parquet.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), path)
    yield path


def run(file: Path, store: str, calls: int = 99) -> tuple[Progress, int, int]:
    """What was done, how many rows were done before, and how many calls it took."""
    asked = Asked(file, "m", part_rows=PART)
    with closing(Failing(store, calls)) as target:
        work = Import(asked, opened(asked), target, lambda _: None)
        return work.run(), work.begun.rows, target.taken


def test_an_import_cut_short_goes_on_where_it_was_and_stores_nothing_twice(large: Path, tmp_path: Path) -> None:
    store, rows = f"chdb://{tmp_path / 'store'}", 4 * PART + 7
    with pytest.raises(Interrupted):
        run(large, store, calls=3)
    done, begun, calls = run(large, store)
    assert (begun, calls, done.rows) == (2 * PART, 3, rows)
    assert done.accepted + done.duplicate == rows
    engine = open_engine(store)
    for table in ("predictions", "labels"):
        (found,) = engine.rows(f"SELECT count() AS rows, uniqExact(id) AS ids FROM {table} FINAL")
        assert found == {"rows": rows, "ids": rows}, table
    assert engine.rows("SELECT sum(inputs_num['n']) AS s FROM predictions FINAL") == [{"s": rows * (rows - 1) / 2}]
    assert engine.rows("SELECT sum(abs(difference)) AS d FROM ledger FINAL") == [{"d": 0}]
    engine.close()


def test_into_a_store_that_was_emptied_an_import_begins_again(large: Path, tmp_path: Path) -> None:
    store = f"chdb://{tmp_path / 'store'}"
    with pytest.raises(Interrupted):
        run(large, store, calls=2)
    with closing(open_engine(store)) as engine:
        engine.command("TRUNCATE TABLE predictions")
    with pytest.raises(Interrupted):
        run(large, store, calls=1)
    assert Note(Asked(large, "m"), "").read() == Progress()
    assert json.loads(large.with_name("large.parquet.importing").read_bytes())["progress"]["rows"] == PART


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("none.parquet", None, [], "there is no file"),
        ("a.xlsx", b"", [], ".parquet, .pq, .csv, .ndjson, .jsonl"),
        ("a.parquet", b"no parquet", ["--model", "m"], "cannot be read"),
        ("a.csv", b"time,inputs.a\n2026-01-01T00:00:00Z,1", [], "--model M"),
        ("a.csv", b"inputs.a\n1", ["--model", "m"], "--time 2026"),
        ("a.csv", b"time,inputt.a\n1,1", ["--model", "m"], "'inputt.a': did you mean 'inputs.a'?"),
        ("a.csv", b"inputs.a\n", ["--model", "m"], "--time 2026"),
        ("a.csv", b"time,inputs.a\n1,\xff", ["--model", "m"], "cannot be read"),
        ("a.parquet", b"", ["--model", "m"], "cannot be read"),
        ("a.ndjson", b'{"inputs": {"a": 1}}', ["--model", "m"], "--time 2026"),
        ("a.csv", b"inputs.a\n1", ["--model", "m", "--time", "today"], "--time today"),
    ],
)
def test_what_cannot_be_imported_is_one_clear_line(
    tidemark: Tidemark, tmp_path: Path, name: str, content: bytes | None, options: list[str], words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done: Done = tidemark("import", tmp_path / name, *options, "--store", f"chdb://{tmp_path / 'store'}")
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert done.err.startswith("tidemark: ") and words in done.err
    assert not (tmp_path / "store").exists()


def test_without_anyone_running_the_store_is_opened_and_rows_take_their_time_from_the_option(
    tidemark: Tidemark, tmp_path: Path
) -> None:
    store, path = f"chdb://{tmp_path / 'store'}", tmp_path / "a.ndjson"
    path.write_text('{"inputs.a": 1}\n\nnonsense\n{"id": "b", "inputs": {"a": 2}, "model": "own"}\n')
    done = tidemark("import", path, "--model", "team/m", "--time", "2026-01-01T00:00:00Z", "--store", store)
    assert (done.code, done.err) == (0, "") and "2 accepted, 0 duplicate, 1 rejected" in done.out
    statement = "SELECT namespace, model, time, inputs_num['a'] AS a FROM predictions ORDER BY a"
    time = "2026-01-01T00:00:00.000000Z"
    assert sql(tidemark, store, statement) == [
        {"namespace": "team", "model": "m", "time": time, "a": 1.0},
        {"namespace": "team", "model": "own", "time": time, "a": 2.0},
    ]
