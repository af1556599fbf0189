"""`tidemark backtest` beside a running `tidemark up`: what it prints, and how it exits."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from up_process import Tidemark, Up, eventually

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MONITOR = "{{name: {}, model: {}, reference: {{window: 1h}}, window: {{every: 1h}}, steps: [{{name: d, use: ks}}]}}"


@pytest.fixture(scope="module")
def shifted(served: Up) -> str:
    """A model with six hours of predictions, shifted in the last two; its name."""
    model = "shifted-back-then"
    rows = [
        {"id": f"{n}", "time": (SINCE + timedelta(minutes=n)).isoformat(), "inputs": {"x": n % 60 + 500 * (n >= 240)}}
        for n in range(360)
    ]
    served.send(model, *rows)
    eventually(lambda: served.get("/api/predictions/359", model=model).ok)
    return model


def proposed(folder: Path, *monitors: tuple[str, str]) -> Path:
    path = folder / "proposed.yaml"
    path.write_text("monitors:\n" + "".join(f"  - {MONITOR.format(*monitor)}\n" for monitor in monitors))
    return path


def test_it_lists_the_alarms_and_leaves_the_running_monitors_alone(
    served: Up, shifted: str, tidemark: Tidemark, tmp_path: Path
) -> None:
    asked = ("backtest", proposed(tmp_path, ("new", shifted)), "--since", SINCE.isoformat(), "--store", served.store)
    done = tidemark(*asked)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[3].split() == ["new", "6", "1", "120", "2026-01-01T05:00Z", "2026-01-01T05:00Z", "x"]
    assert lines[-1].startswith("2026-01-01T05:00:00Z  new  d x  1 > 0.")
    (said,) = json.loads(tidemark(*asked, "--json").out)["monitors"]
    assert (said["windows"], said["undecided"], said["alarms"][0]["field"]) == (6, 1, "x")
    names = [monitor["name"] for monitor in served.get("/api/monitors").json()["monitors"]]
    assert "new" not in names and served.get("/api/results", monitor="new").json()["results"] == []


def test_a_monitor_with_nothing_to_go_through_is_exit_code_3(
    served: Up, shifted: str, tidemark: Tidemark, tmp_path: Path
) -> None:
    file = proposed(tmp_path, ("new", shifted), ("lost", f"{shifted}x"))
    done = tidemark("backtest", file, "--since", SINCE.isoformat(), "--store", served.store)
    assert done.code == 3 and f"lost: no predictions of the model '{shifted}x' are stored; did you mean" in done.out


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("monitors: [{nam: x}]", [], "did you mean 'name'"),
        ("auto: false", [], "has no monitors"),
        (f"monitors: [{MONITOR.format('a', 'm').replace('ks', 'kss')}]", [], "did you mean 'ks'"),
        (f"monitors: [{MONITOR.format('a', 'm')}]", ["--since", "soon"], "--since soon"),
        (f"monitors: [{MONITOR.format('a', 'm')}]", ["--since", "1d", "--until", "2d"], "is not after"),
    ],
)
def test_what_cannot_be_replayed_is_said_and_exit_code_1(
    served: Up, tidemark: Tidemark, tmp_path: Path, text: str, options: list[str], words: str
) -> None:
    (tmp_path / "a.yaml").write_text(text)
    done = tidemark("backtest", tmp_path / "a.yaml", *options, "--store", served.store)
    assert (done.code, done.out) == (1, "") and words in done.err
