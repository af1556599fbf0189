"""The table of what was run, in docs/adapters.md, is this run's. `WRITE_DOCS=1 pytest tests/adapters` writes it."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from cases import CASES, REPORTS, SAVED, Case

PAGE = Path(__file__).parents[2] / "docs/adapters.md"
TABLES = {
    needs: re.compile(rf"(<!-- run{needs and ' ' + needs} -->\n).*?(<!-- end -->)", re.DOTALL)
    for needs in ("", "tensorflow")
}
HEAD = "| what | options | numbers |\n|---|---|---|\n"


@pytest.mark.parametrize("needs", TABLES)
def test_the_tables_of_what_was_run_have_the_numbers_of_this_run(needs: str, directly: dict[str, Any]) -> None:
    """TensorFlow's has its own, so that each is written by a run in its own environment."""
    cases, saved = ([c for c in all_ if (c.needs == "tensorflow") == bool(needs)] for all_ in (CASES, SAVED))
    rows = {
        **{f"`alibi_detect.{c.name}`, {shown(c)}": directly["named"].get(c.id) for c in cases},
        **{f"saved {c.name}, {shown(c)}": directly["saved"].get(c.id, {}).get("said") for c in saved},
    }
    if not needs:
        rows |= {f"`evidently.{n}`, {listed(o)}": directly["reports"][at] for at, (n, o) in enumerate(REPORTS)}
    known = [line(what, said) for what, said in rows.items() if said is not None]
    text = PAGE.read_text("utf-8")
    if os.environ.get("WRITE_DOCS") and len(known) == len(rows):
        text = TABLES[needs].sub(lambda match: f"{match[1]}{HEAD}{''.join(known)}{match[2]}", text)
        PAGE.write_text(text, "utf-8")
    assert [row for row in known if row not in text] == []


def line(what: str, said: Any) -> str:
    name, _, options = what.partition(", ")
    return f"| {name} | {options} | {summary(said)} |\n"


def summary(said: Any) -> str:
    if isinstance(said, dict) and "instance_score" in said:
        return f"{sum(said['is_outlier'])} of {len(said['is_outlier'])} rows are outliers"
    if isinstance(said, dict):
        return f"p {numbers(said['p_val'])}, distance {numbers(said['distance'])}"
    if "is_drift" in said[0]:
        return f"drift at {sum(one['is_drift'] for one in said)} of {len(said)} rows"
    if len(said) == 1:
        return numbers(said[0]["value"])
    return f"{len(said)} metrics, the first {numbers(said[0]['value'])}"


def numbers(values: Any) -> str:
    if isinstance(values, dict):
        return ", ".join(f"{name} {numbers(value)}" for name, value in sorted(values.items()))
    return ", ".join(f"{value:.3g}" for value in (values if isinstance(values, list) else [values]))


def shown(case: Case) -> str:
    return listed({**case.options, **case.own, "fields": list(case.fields)})


def listed(options: dict[str, Any]) -> str:
    return f"`{', '.join(f'{name}: {value}' for name, value in options.items())}`" if options else "-"
