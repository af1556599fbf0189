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
    places = {what: line.partition(": ")[0] for what, (line, *_) in said.items()}
    assert set(places.values()) == {"tidemark.yaml:6", "tidemark.yaml:7", "tidemark.yaml:9"}
    assert said["detector"][0].endswith("no detector or explainer is named 'kss'; did you mean 'ks'?")
    assert "has no option 'bin'" in said["option"][0]
    assert said["model"] == ["tidemark.yaml:6: monitors.0.model: no model 'incom' is known; did you mean 'income'?"]
    assert "gone.csv cannot be read" in said["file"][0]
    dataset = "tidemark.yaml:7: monitors.0.reference.dataset"
    assert said["dataset"] == [f"{dataset}: no data set and no file is named 'trian'; did you mean 'train'?"]
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
    place = "tidemark.yaml:7: monitors.0.false_alarms"
    assert mistakes(greedy) == [f"{place}: step 'e': the other steps take all of the 1/month false alarms"]


def test_a_share_of_false_alarms_for_a_stream_is_a_problem(tmp_path: Path) -> None:
    stream = config(tmp_path, use="cusum, false_alarms: 1/month")
    place = "tidemark.yaml:9: monitors.0.steps.0.false_alarms"
    assert mistakes(stream) == [f"{place}: step 'd': cusum decides by its own options; leave out false_alarms"]


@pytest.mark.parametrize(
    ("budget", "ok"), [("200/100 windows", False), ("99/100 windows", True), ("12/hour", False), ("11/hour", True)]
)
def test_a_budget_of_an_alarm_in_every_window_is_a_problem(tmp_path: Path, budget: str, ok: bool) -> None:
    found = mistakes(config(tmp_path, model=f"income\n    false_alarms: {budget}"))
    place = "tidemark.yaml:7: monitors.0.false_alarms"
    limit = f"{place}: step 'd': {budget} is one false alarm in every window, or more: that is no limit"
    assert found == ([] if ok else [limit])


WRONG = """\
monitors:
  - {name: a, model: m, reference: {first_rows: 9}, window: {rows: 9}, steps: [{name: s, use: ks}]}
  - name: b
    model: m
    window: {every: 1h}
    steps:
      - name: s
        use: ks
      - name: t
        use: kss
      - {name: u, use: psi,
         options: {bin: 3}}
      - name: v
        false_alarms: 2/hour
        use: ks
    reference:
      dataset: gone
"""


def test_each_mistake_is_at_the_line_of_its_key() -> None:
    places = [": ".join(line.split(": ")[:2]) for line in mistakes(parse(WRONG, "my.yaml"))]
    assert sorted(places) == [
        "my.yaml:10: monitors.1.steps.1.use",
        "my.yaml:12: monitors.1.steps.2.options",
        "my.yaml:14: monitors.1.steps.3.false_alarms",
        "my.yaml:17: monitors.1.reference.dataset",
    ]


def test_a_configuration_that_was_made_in_code_has_keys_and_no_lines() -> None:
    made = Config(monitors=parse(WRONG).monitors)
    assert made == parse(WRONG)
    assert "monitors.1.steps.1.use: step 't': no detector" in "\n".join(mistakes(made))
    assert not any("tidemark.yaml" in line for line in mistakes(made))
