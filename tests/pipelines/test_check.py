from pathlib import Path

import pyarrow as pa
import pytest

from core.config import Config, parse
from pipelines.check import mistakes, problems, unknown
from storage.engine import Engine
from storage.windows import references


def config(folder: Path, **changes: str) -> Config:
    (folder / "train.csv").write_text("age,income\n1,2\n3,4\n")
    parts = {"use": "ks", "options": "{}", "model": "income", "dataset": "train", "path": str(folder / "train.csv")}
    parts |= changes
    return parse(
        f"""
models: {{income: {{fields: {{age: {{kind: num}}, p: {{kind: num, role: output}}}}}}}}
datasets: {{train: {{path: "{parts["path"]}", fields: {{age: {parts.get("age", "age")}}}}}}}
monitors:
  - name: drift
    model: {parts["model"]}
    reference: {{dataset: {parts["dataset"]}}}
    window: {{every: 5m}}
    steps: [{{name: d, use: {parts["use"]}, options: {parts["options"]}}}]
"""
    )


def test_a_good_configuration_has_no_problems(tmp_path: Path) -> None:
    assert problems(config(tmp_path)) == []
    assert problems(config(tmp_path, use="shapley", options="{output: p}")) == []
    assert problems(config(tmp_path, dataset=str(tmp_path / "train.csv"))) == []


def test_each_missing_thing_is_named_with_what_exists(tmp_path: Path) -> None:
    said = {
        "detector": problems(config(tmp_path, use="kss")),
        "option": problems(config(tmp_path, use="psi", options="{bin: 3}")),
        "model": problems(config(tmp_path, model="incom")),
        "file": problems(config(tmp_path, path=str(tmp_path / "gone.csv"))),
        "dataset": problems(config(tmp_path, dataset="trian")),
        "field": problems(config(tmp_path, age="aage")),
        "output": problems(config(tmp_path, use="shapley", options="{output: q}")),
    }
    assert all(line.startswith("monitor drift: ") for lines in said.values() for line in lines)
    assert said["detector"][0].endswith("no detector or explainer is named 'kss'; did you mean 'ks'?")
    assert "has no option 'bin'" in said["option"][0]
    assert said["model"] == ["monitor drift: no model 'incom' is known; did you mean 'income'?"]
    assert "gone.csv cannot be read" in said["file"][0]
    assert said["dataset"] == ["monitor drift: no data set and no file is named 'trian'; did you mean 'train'?"]
    assert "calls column 'age' 'aage', which the model lacks; did you mean 'age'?" in said["field"][0]
    assert "has no output 'q'; there are: age, p" in said["output"][0]


def test_a_reference_smaller_than_two_rows_is_a_problem(tmp_path: Path) -> None:
    small = config(tmp_path)
    (tmp_path / "train.csv").write_text("age\n1\n")
    assert "a reference needs at least 2" in problems(small)[0]


def test_what_the_store_knows_exists(engine: Engine, tmp_path: Path) -> None:
    row = {"namespace": "default", "model": "sales", "version": "", "field": "income", "role": "input", "kind": "num"}
    engine.insert("models", pa.table({name: [value] for name, value in row.items()}))
    known = config(tmp_path, model="sales", age="income2", dataset="past")
    references.add_file(engine, "past", known.datasets["train"])
    assert problems(known, engine) == []
    assert len(problems(known)) == 2


def test_what_predictions_may_still_bring_is_no_mistake(tmp_path: Path) -> None:
    for changes in ({"model": "incom"}, {"age": "aage"}, {"use": "shapley", "options": "{output: q}"}):
        assert mistakes(config(tmp_path, **changes)) == [] and unknown(config(tmp_path, **changes))
    for changes in ({"use": "kss"}, {"dataset": "trian"}, {"path": "gone.csv"}, {"use": "psi", "options": "{bin: 3}"}):
        assert mistakes(config(tmp_path, **changes)) and unknown(config(tmp_path, **changes)) == []


def test_a_step_for_which_no_false_alarm_is_left_is_a_problem(tmp_path: Path) -> None:
    steps = "ks, false_alarms: 1/month}, {name: e, use: psi"
    greedy = config(tmp_path, model="income\n    false_alarms: 1/month", use=steps)
    assert mistakes(greedy) == ["monitor drift: step 'e': the other steps take all of the 1/month false alarms"]


def test_a_share_of_false_alarms_for_a_stream_is_a_problem(tmp_path: Path) -> None:
    stream = config(tmp_path, use="cusum, false_alarms: 1/month")
    assert mistakes(stream) == ["monitor drift: step 'd': cusum decides by its own options; leave out false_alarms"]


@pytest.mark.parametrize(
    ("budget", "ok"), [("200/100 windows", False), ("99/100 windows", True), ("12/hour", False), ("11/hour", True)]
)
def test_a_budget_of_an_alarm_in_every_window_is_a_problem(tmp_path: Path, budget: str, ok: bool) -> None:
    found = mistakes(config(tmp_path, model=f"income\n    false_alarms: {budget}"))
    limit = f"monitor drift: step 'd': {budget} is one false alarm in every window, or more: that is no limit"
    assert found == ([] if ok else [limit])
