"""What every registered explainer promises; a new one is tested by being registered."""

import doctest
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import explainers
from core.errors import ConfigError, StepFailed
from explainers import EXPLAINERS, Explainer, Question, make

cells = st.floats(-5, 5) | st.just(np.nan)


@st.composite
def questions(draw):
    fields = draw(st.integers(1, 5))
    row = st.lists(cells, min_size=fields, max_size=fields)
    rows, background = (np.array(draw(st.lists(row, min_size=1, max_size=4))) for _ in range(2))
    return Question(rows, background, tuple(f"f{i}" for i in range(fields)), "y")


def waves(rows, fields):
    """Nonlinear, defined for missing cells too."""
    filled = np.where(np.isnan(rows), 2.0, rows)
    return {"y": np.sin(filled).sum(axis=1) + filled.prod(axis=1) / 10}


def question(rows=2, fields=3):
    random = np.random.default_rng(0)
    return Question(random.normal(size=(rows, fields)), random.normal(size=(5, fields)), ("a", "b", "c")[:fields], "y")


def test_every_file_is_a_line_in_the_registry_and_every_line_a_file():
    files = {path.stem for path in Path(explainers.__file__).parent.glob("[!_]*.py")} - {"protocols"}
    assert set(EXPLAINERS) == files
    assert all(cls.__module__ == f"explainers.{name}" for name, cls in EXPLAINERS.items())


@pytest.mark.parametrize("name", EXPLAINERS)
def test_an_explainer_keeps_the_protocol_and_its_example_runs(name):
    assert isinstance(make(name), Explainer)
    ran = doctest.testmod(sys.modules[EXPLAINERS[name].__module__], raise_on_error=False)
    assert ran.attempted > 0 and ran.failed == 0


@pytest.mark.parametrize("name", EXPLAINERS)
def test_an_unknown_option_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"explainer '{name}' has no option 'nonsense'"):
        make(name, {"nonsense": 1})


@pytest.mark.parametrize("name", EXPLAINERS)
def test_values_share_out_prediction_less_baseline_and_come_twice_alike(name):
    @settings(deadline=None, max_examples=40)
    @given(questions())
    def law(asked):
        answers, again = make(name).explain(asked, waves), make(name).explain(asked, waves)
        assert len(answers) == len(asked.rows)
        for row, answer, same in zip(asked.rows, answers, again, strict=True):
            assert np.array_equal(answer.values, same.values) and np.array_equal(answer.errors, same.errors)
            assert answer.values.shape == answer.errors.shape == (len(asked.fields),)
            assert answer.prediction == pytest.approx(waves(row[None], asked.fields)["y"][0])
            assert answer.baseline == pytest.approx(waves(asked.background, asked.fields)["y"].mean())
            assert answer.values.sum() == pytest.approx(answer.prediction - answer.baseline, abs=1e-9)

    law()


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_model_that_does_not_change_attributes_nothing(name):
    for answer in make(name).explain(question(), lambda rows, fields: {"y": np.full(len(rows), 7.0)}):
        assert not answer.values.any() and answer.prediction == answer.baseline == 7.0


@pytest.mark.parametrize("name", EXPLAINERS)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda rows: {"z": np.zeros(len(rows)), "p": np.zeros(len(rows))}, "no numeric output 'y'; it has: z, p"),
        (lambda rows: {}, "no numeric output 'y'; it has: none"),
        (lambda rows: {"y": np.zeros(len(rows) + 1)}, "shape (6,) for 5 rows"),
        (lambda rows: {"y": np.zeros((len(rows), 2))}, "shape (5, 2) for 5 rows"),
        (lambda rows: {"y": np.full(len(rows), np.nan)}, "not a finite number for 5 of 5 rows"),
        (lambda rows: {"y": ["high"] * len(rows)}, "the model failed on 5 rows: ValueError"),
        (lambda rows: None, "the model failed on 5 rows: TypeError"),
        (lambda rows: 1 / 0, "the model failed on 5 rows: ZeroDivisionError: division by zero"),
    ],
)
def test_what_the_model_does_wrong_fails_the_step_with_the_reason(name, answer, said):
    with pytest.raises(StepFailed) as raised:
        make(name).explain(question(), lambda rows, fields: answer(rows))
    assert said in str(raised.value)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_failed_step_of_the_model_keeps_its_own_words(name):
    def unreachable(rows, fields):
        raise StepFailed("http://model answered 503")

    with pytest.raises(StepFailed, match=r"^http://model answered 503$"):
        make(name).explain(question(), unreachable)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_without_background_rows_the_step_fails(name):
    with pytest.raises(StepFailed, match="no background rows"):
        make(name).explain(Question(np.ones((1, 1)), np.zeros((0, 1)), ("a",), "y"), waves)
