"""`migrate`, `reference`, `check`, `alerts` and `dashboards`: against a running owner, a folder at rest, or none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from up_process import Tidemark, Up

CONFIG = """
models: {income: {fields: {age: {kind: num}}}}
retention: {predictions: 7, results: 30}
monitors:
  - {name: a, model: income, reference: {dataset: spring}, window: {rows: 100}, steps: [{name: s, use: ks}]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tidemark.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def ages(tmp_path: Path) -> Path:
    path = tmp_path / "ages.csv"
    path.write_text("age,country\n" + "".join(f"{20 + n},DE\n" for n in range(10)))
    return path


@pytest.fixture(params=["running", "at rest"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield request.getfixturevalue("served").store if request.param == "running" else f"chdb://{tmp_path / 'store'}"


def test_migrate_makes_the_tables_once_and_reads_retention_back(
    tidemark: Tidemark, config: Path, tmp_path: Path
) -> None:
    store = ("--store", f"chdb://{tmp_path / 'store'}", "--config", config)
    first, again = tidemark("migrate", *store, "--json"), tidemark("migrate", *store, "--json")
    assert (first.code, again.code) == (0, 0)
    said = json.loads(first.out)
    assert said["applied"][0] == "0001_tables.sql" and json.loads(again.out)["applied"] == []
    assert said["retention_days"] == {"predictions": 7, "results": 30, "profiles_hour": 90, "profiles_minute": 7}
    told = tidemark("migrate", *store).out.splitlines()
    assert told[0].endswith(": already up to date") and "  predictions is kept for 7 days" in told


def test_a_file_is_kept_once_under_its_content(tidemark: Tidemark, store: str, ages: Path) -> None:
    where = ("--store", store, "--json")
    (first,) = json.loads(tidemark("reference", "add", "ages", ages, *where).out)
    (again,) = json.loads(tidemark("reference", "add", "ages", ages, *where).out)
    assert first == again
    assert (first["name"], first["rows"], first["origin"]) == ("ages", 10, str(ages))
    ages.write_text(ages.read_text() + "99,FR\n")
    (changed,) = json.loads(tidemark("reference", "add", "ages", ages, *where).out)
    assert changed["rows"] == 11 and changed["hash"] != first["hash"]
    listed = [r for r in json.loads(tidemark("reference", "list", *where).out) if r["name"] == "ages"]
    assert listed == [changed, first]
    assert f"ages  11 rows  {changed['hash'][:16]}  {ages}" in tidemark("reference", "list", "--store", store).out


def test_a_stretch_of_predictions_is_kept(tidemark: Tidemark, served: Up) -> None:
    for n in range(6):
        served.send("kept", {"id": f"k{n}", "time": f"2024-01-2{n}T12:00:00Z", "inputs": {"n": n}})
    served.stored("k5")
    stretch = ("--from", "2024-01-21T00:00:00Z", "--to", "2024-01-25T00:00:00Z")
    done = tidemark("reference", "add", "week", "--model", "kept", *stretch, "--store", served.store, "--json")
    (kept,) = json.loads(done.out)
    assert (kept["name"], kept["rows"]) == ("week", 4)
    sql = "SELECT num['n'] AS n FROM references WHERE name = 'week' ORDER BY n"
    values = tidemark("query", sql, "--store", served.store, "--format", "json").out.splitlines()
    assert [json.loads(line)["n"] for line in values] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to keep"),
        (["gone.csv"], "gone.csv cannot be read"),
        (["FILE", "--model", "m"], "say what to keep"),
        (["--model", "m"], "--from is needed"),
        (["--model", "m", "--from", "monday", "--to", "x"], "--from monday: not an RFC 3339 time"),
        (["--model", "nobody", "--from", "2024-01-01T00:00:00Z", "--to", "2024-01-02T00:00:00Z"], "0 predictions"),
        (["--model", "m", "--from", "2024-01-02T00:00:00Z", "--to", "2024-01-01T00:00:00Z"], "--to"),
        (["FILE", "--from", "2024-01-02T00:00:00Z"], "--from"),
    ],
)
def test_a_reference_that_cannot_be_added_is_one_line(
    tidemark: Tidemark, served: Up, ages: Path, words: list[str], said: str
) -> None:
    named = [ages if word == "FILE" else word for word in words]
    done = tidemark("reference", "add", "x", *named, "--store", served.store)
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert said in done.err


def test_check_says_what_is_missing_until_it_is_there(tidemark: Tidemark, store: str, config: Path, ages: Path) -> None:
    before = tidemark("check", config, "--store", store)
    assert before.code == 1
    assert f"{config}:" in before.err and "no data set and no file is named 'spring'; " in before.err.splitlines()[0]
    tidemark("reference", "add", "spring", ages, "--store", store)
    after = tidemark("check", config, "--store", store)
    assert (after.code, after.err) == (0, "")
    assert after.out == f"{config}: 1 monitors, 0 taps: nothing to mend\n"


def test_check_without_a_store_makes_none_and_says_file_line_and_key(tidemark: Tidemark, tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text("taps:\n  - {name: a, upstreem: http://x}\nretention: {predictons: 3}\n")
    store = tmp_path / "store"
    done = tidemark("check", config, "--store", f"chdb://{store}", "--json")
    said = json.loads(done.out)
    assert (done.code, said["file"]) == (1, str(config))
    assert f"{config}:2: unknown key 'taps.0.upstreem'; did you mean 'upstream'?" in said["problems"]
    config.write_text("retention: {predictons: 3}\n")
    done = tidemark("check", config, "--store", f"chdb://{store}")
    assert done.code == 1 and f"{config}:1: retention.predictons: no table" in done.err
    assert not store.exists()
    assert tidemark("check", tmp_path / "gone.yaml", "--store", f"chdb://{store}").code == 1


def test_check_of_a_store_that_cannot_be_asked_says_so_and_goes_on(tidemark: Tidemark, config: Path) -> None:
    config.write_text(CONFIG.replace("{dataset: spring}", "{first_rows: 10}"))
    done = tidemark("check", config, "--store", "clickhouse://127.0.0.1:1/tidemark")
    assert (done.code, done.err.startswith("the store cannot be asked: ")) == (0, True)


def test_alerts_render_writes_rules_for_the_monitors(tidemark: Tidemark, config: Path, tmp_path: Path) -> None:
    done = tidemark("alerts", "render", tmp_path / "alerts", "--config", config)
    written = [Path(line) for line in done.out.splitlines()]
    assert done.code == 0 and {path.name for path in written} == {"rules.yaml", "alertmanager.yaml"}
    rules = next(path for path in written if path.name == "rules.yaml").read_text()
    assert yaml.safe_load(rules)["groups"] and 'monitor="a"' in rules


def test_dashboards_render_writes_valid_json(tidemark: Tidemark, tmp_path: Path) -> None:
    done = tidemark("dashboards", "render", tmp_path / "dashboards")
    written = [Path(line) for line in done.out.splitlines()]
    assert done.code == 0 and written
    assert all(json.loads(path.read_text())["panels"] for path in written)


@pytest.mark.parametrize("words", [["alerts", "render"], ["dashboards", "render"]])
def test_a_place_that_cannot_be_written_is_one_line(tidemark: Tidemark, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = tidemark(*words, tmp_path / "file")
    assert (done.code, len(done.err.splitlines())) == (1, 1)


def test_a_grafana_that_cannot_be_reached_is_one_line(tidemark: Tidemark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "token")
    done = tidemark("dashboards", "push", "--grafana", "http://127.0.0.1:1")
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "127.0.0.1:1" in done.err
