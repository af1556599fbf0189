from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.config import DatasetConfig
from core.errors import ConfigError
from core.findings import Window
from core.records import PREDICTIONS, ModelKey
from storage.engine import Engine
from storage.windows import distributions as windows
from storage.windows import references
from storage.windows.distributions import Field, Part

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def part(engine: Engine, version: references.ReferenceVersion) -> Part:
    (whole,) = windows.read(engine, version.relation, windows.totals(engine, version.relation))
    return whole


def csv(folder: Path, text: str) -> DatasetConfig:
    path = folder / "train.csv"
    path.write_text(text)
    return DatasetConfig(path=str(path))


def test_numbers_and_booleans_are_num_text_is_cat_and_nulls_are_missing(engine: Engine, tmp_path: Path) -> None:
    file = csv(tmp_path, "age,inputs.member,outputs.p,country\n30,true,0.5,DE\n,false,0.5,\n20,true,0.25,FR\n")
    whole = part(engine, references.add_file(engine, "train", file))
    assert whole.rows == 3
    age = whole.fields[Field("age", "num")]
    assert (age.values.tolist(), age.missing) == ([20, 30], 1)
    member = whole.fields[Field("member", "num")]
    assert (member.values.tolist(), member.counts.tolist()) == ([0, 1], [1, 2])
    assert whole.fields[Field("p", "num")].counts.tolist() == [1, 2]
    country = whole.fields[Field("country", "cat")]
    assert (country.values.tolist(), country.missing) == (["DE", "FR"], 1)


def test_parquet_with_dictionaries_big_integers_dates_and_an_id(engine: Engine, tmp_path: Path) -> None:
    table = pa.table(
        {
            "key": [1, 2],
            "who": [2**60, 5],
            "color": pa.array(["red", None]).dictionary_encode(),
            "x": pa.array([1.5, float("nan")]),
            "born": pa.array([NOON, None]),
            "tags.country": ["DE", "FR"],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    file = DatasetConfig(path=str(tmp_path / "t.parquet"), id="key", fields={"x": "size"})
    version = references.add_file(engine, "t", file)
    fields = part(engine, version).fields
    assert set(fields) == {Field("who", "cat"), Field("color", "cat"), Field("size", "num"), Field("born", "cat")}
    assert fields[Field("color", "cat")].missing == fields[Field("size", "num")].missing == 1
    assert [t.segment for t in windows.totals(engine, version.relation, "country")] == ["country=DE", "country=FR"]


def test_the_same_content_is_stored_once_and_another_is_another_version(engine: Engine, tmp_path: Path) -> None:
    first = references.add_file(engine, "train", csv(tmp_path, "a\n1\n2\n"))
    again = references.add_file(engine, "train", csv(tmp_path, "a\n1\n2\n"))
    other = references.add_file(engine, "train", csv(tmp_path, "a\n1\n3\n"))
    assert first == again and first.hash != other.hash
    assert engine.rows("SELECT count() AS n FROM references") == [{"n": 4}]
    assert references.newest(engine, "train") == other
    assert references.stored(engine) == ["train"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("a\n1\n", "1 rows; a reference needs at least 2"), ("a,inputs.a\n1,2\n3,4\n", "two columns are named 'a'")],
)
def test_a_file_that_is_no_reference_is_refused(engine: Engine, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        references.add_file(engine, "train", csv(tmp_path, text))


def test_a_missing_file_or_column_or_an_unknown_format_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.csv cannot be read: No such file"):
        references.add_file(engine, "x", DatasetConfig(path=str(tmp_path / "nope.csv")))
    file = csv(tmp_path, "a\n1\n2\n")
    with pytest.raises(ConfigError, match="has no column 'b'; it has a"):
        references.add_file(engine, "x", DatasetConfig(path=file.path, id="b"))
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"one of \.csv, \.parquet"):
        references.add_file(engine, "x", DatasetConfig(path=str(tmp_path / "t.xlsx")))


def predictions(engine: Engine, rows: int, **other: object) -> None:
    columns = {
        "time": [NOON] * rows,
        "received": [NOON] * rows,
        "id": [f"{other.get('status', 200)}-{n}" for n in range(rows)],
        "namespace": ["default"] * rows,
        "model": ["m"] * rows,
        "status": [other.get("status", 200)] * rows,
        "weight": [1.0] * rows,
        "inputs_num": [[("p", float(n))] for n in range(rows)],
        "outputs_num": [[("p", 0.5), ("q", 1.0)]] * rows,
    }
    schema = pa.schema([PREDICTIONS.field(name) for name in columns])
    engine.insert("predictions", pa.table(columns, schema=schema))


def test_stored_predictions_become_a_reference_without_the_failed_ones(engine: Engine) -> None:
    predictions(engine, 3)
    predictions(engine, 2, status=500)
    window = Window(NOON, NOON.replace(hour=13))
    version = references.add_window(engine, "past", ModelKey("default", "m"), window)
    assert version == references.add_window(engine, "past", ModelKey("default", "m"), window)
    whole = part(engine, version)
    assert (version.rows, whole.rows) == (3, 3)
    assert whole.fields[Field("p", "num")].values.tolist() == [0, 1, 2]
    assert whole.fields[Field("outputs.p", "num")].counts.tolist() == [3]
    assert whole.fields[Field("q", "num")].values.tolist() == [1]


def test_fewer_than_two_stored_predictions_are_no_reference(engine: Engine) -> None:
    predictions(engine, 1)
    with pytest.raises(ConfigError, match="1 predictions; a reference needs at least 2"):
        references.add_window(engine, "past", ModelKey("default", "m"), Window(NOON, NOON.replace(hour=13)))
