"""`tidemark query`: one read-only statement, against a running owner and against a folder at rest."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from up_process import Tidemark, Up, up

from tidemark.cli import main

FORMATS = ("table", "json", "csv")

SELECT = "SELECT id, inputs_num, tags['c'] AS c, time FROM predictions FINAL WHERE model = 'queried' ORDER BY id"


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that `tidemark up` has left."""
    with up(tmp_path_factory.mktemp("rest")) as started:
        fill(started)
    return started.store


@pytest.fixture(scope="module")
def running(served: Up) -> str:
    fill(served)
    return served.store


@pytest.fixture(params=["running", "at_rest"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.getfixturevalue(request.param)


def fill(served: Up) -> None:
    time = "2024-01-22T13:48:48.123456Z"
    for n in range(3):
        served.send("queried", {"id": f"q{n}", "time": time, "inputs": {"n": n}, "tags": {"c": 'a "b",\nc'}})
    served.stored("q2")


def test_a_table_for_people(tidemark: Tidemark, store: str) -> None:
    done = tidemark("query", SELECT, "--store", store)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["id", "inputs_num", "c", "time"]
    assert lines[2].startswith('q0  {"n":0.0}   a "b",\\nc  2024-01-22T13:48:48.123456Z')
    assert lines[-1] == "(3 rows)"


def test_json_is_an_object_a_line(tidemark: Tidemark, store: str) -> None:
    done = tidemark("query", SELECT, "--store", store, "--format", "json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert rows[1] == {"id": "q1", "inputs_num": {"n": 1.0}, "c": 'a "b",\nc', "time": "2024-01-22T13:48:48.123456Z"}
    assert len(rows) == 3


def test_csv_is_read_back_by_a_csv_reader(tidemark: Tidemark, store: str) -> None:
    done = tidemark("query", SELECT, "--store", store, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [(r["id"], r["inputs_num"], r["c"]) for r in rows] == [
        (f"q{n}", f'{{"n":{n}.0}}', 'a "b",\nc') for n in range(3)
    ]


def test_parquet_keeps_the_types(tidemark: Tidemark, store: str, tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    done = tidemark("query", SELECT, "--store", store, "--out", file)
    assert (done.code, done.out) == (0, f"3 rows in {file}\n")
    table = pq.read_table(file)
    assert table.column("inputs_num").to_pylist(maps_as_pydicts="strict") == [{"n": float(n)} for n in range(3)]
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("NULL", ""),
        ("toDecimal64(1.5, 2)", "1.50"),
        ("toDate('2024-01-01')", "2024-01-01"),
        ("toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
        ("'a\\xffb'", "a\ufffdb"),
        ("toFixedString('ab', 3)", "616200"),
        ("[inf, nan]", '["Infinity",null]'),
        ("map('a', [1, 2])", '{"a":[1,2]}'),
        ("true", "true"),
    ],
)
def test_values_of_every_kind_can_be_shown(tidemark: Tidemark, at_rest: str, sql: str, said: str) -> None:
    shown = {name: tidemark("query", f"SELECT {sql} AS v", "--store", at_rest, "--format", name) for name in FORMATS}
    assert {name: done.code for name, done in shown.items()} == dict.fromkeys(FORMATS, 0)
    assert shown["table"].out.splitlines()[2].strip() == said
    assert list(csv.reader(io.StringIO(shown["csv"].out)))[1:] in ([[said]], [[]])
    assert json.loads(shown["json"].out).keys() == {"v"}


@pytest.mark.parametrize("limit", [["--rows", "0"], ["--rows", "-1"], ["--seconds", "0"], ["--memory-gb", "-1"]])
def test_no_limit_can_be_switched_off(limit: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["query", "SELECT 1", *limit])
    assert "must be more than 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DROP TABLE predictions", "read-only: DROP is refused"),
        ("INSERT INTO monitors VALUES ('x', now())", "read-only: INSERT is refused"),
        ("SELECT 1; SELECT 2", "one statement is wanted"),
        ("SELECT * FROM url('http://127.0.0.1:1')", "read-only: the function url() is refused"),
        ("SELECT nothing FROM predictions", "nothing"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("", "one statement is wanted"),
        ("SELECT 1 FORMAT JSON", "FORMAT JSON is refused"),
        ("SELEKT 1", "read-only: SELEKT is refused"),
    ],
)
def test_what_is_refused_is_one_line(tidemark: Tidemark, store: str, sql: str, said: str) -> None:
    done = tidemark("query", sql, "--store", store)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("tidemark: ") and said in done.err and len(done.err.splitlines()) == 1


def test_limits_stop_a_query(tidemark: Tidemark, store: str) -> None:
    rows = tidemark("query", "SELECT number FROM numbers(1000)", "--store", store, "--rows", 10)
    seconds = tidemark("query", "SELECT max(cityHash64(number)) FROM numbers(1e12)", "--store", store, "--seconds", 0.5)
    memory = tidemark(
        "query", "SELECT groupArray(number) FROM numbers(100000000)", "--store", store, "--memory-gb", 0.1
    )
    for done, said in ((rows, "10"), (seconds, "imeout"), (memory, "emory")):
        assert (done.code, done.out, said in done.err) == (1, "", True), done.err
    assert tidemark("query", "SELECT number FROM numbers(10)", "--store", store, "--rows", 10).code == 0


def test_a_file_that_cannot_be_written_is_one_line(tidemark: Tidemark, store: str, tmp_path: Path) -> None:
    for out, said in (
        (tmp_path / "out.csv", "must end in .parquet"),
        (tmp_path / "no" / "out.parquet", "No such file"),
    ):
        done = tidemark("query", "SELECT 1", "--store", store, "--out", out)
        assert done.code == 1 and said in done.err and len(done.err.splitlines()) == 1


def test_a_folder_that_is_not_there_is_not_made(tidemark: Tidemark, tmp_path: Path) -> None:
    done = tidemark("query", "SELECT 1", "--store", f"chdb://{tmp_path / 'typo'}")
    assert done.code == 1 and "typo" in done.err
    assert not (tmp_path / "typo").exists()
