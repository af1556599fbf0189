"""What README.md and docs/ show can be used as it stands, and nothing that can be set or scraped is missing there."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

import core
from core.config import Config, parse
from core.metrics import Metrics
from tidemark.cli import parser

ROOT = Path(core.__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "deploy/README.md",
        ROOT / "alerts/runbook.md",
        *(ROOT / "docs").glob("*.md"),
    )
}
TEXT = "\n".join(PAGES.values())
OF_OTHERS = {"kind", "scrape_configs"}  # what only the files of KServe and of Prometheus have


def blocks(text: str, language: str) -> list[str]:
    return [textwrap.dedent(block) for block in re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.M | re.S)]


def in_code(text: str) -> set[str]:
    """Every word within backticks, of a block or of a line."""
    fenced = re.findall(r"```\w*\n(.*?)```", text, re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return set(re.findall(r"\w+", " ".join([*fenced, *inline])))


def keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every key of the configuration, with those above it."""
    for name, info in model.model_fields.items():
        key = f"{path}.{info.alias or name}".lstrip(".")
        yield key
        for inner in models_in(info.annotation):
            yield from keys(inner, key)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if blocks(text, "yaml")])
def test_every_configuration_shown_is_one_that_tidemark_reads(page: str) -> None:
    for block in blocks(PAGES[page], "yaml"):
        if not OF_OTHERS & yaml.safe_load(block).keys():
            assert parse(block, page) != Config()


def test_every_key_of_the_configuration_is_shown_somewhere() -> None:
    shown = in_code(TEXT)
    assert [key for key in keys(Config) if key.rpartition(".")[2] not in shown] == []


def test_every_limit_is_in_the_table_with_what_happens_beyond() -> None:
    limits = {key for key in keys(Config) if key.startswith("limits.")}
    assert set(re.findall(r"^\| `(limits\.\w+)` \|", PAGES["docs/access.md"], re.M)) == limits


def test_every_metric_is_in_the_table_with_its_labels() -> None:
    rows = re.findall(r"^\| (`tidemark_.*?) \| (.*?) \|", PAGES["docs/metrics.md"], re.M)
    documented = {name: labels for names, labels in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == {
        f"{family.name}_total" if family.type == "counter" else family.name: ", ".join(labels_of(family.name)) or "-"
        for family in Metrics().registry.collect()
    }


def labels_of(family: str) -> tuple[str, ...]:
    for metric in vars(Metrics()).values():
        if getattr(metric, "_name", "") == family:
            return getattr(metric, "_labelnames", getattr(metric, "LABELS", ()))
    raise AssertionError(family)


def test_every_metric_named_anywhere_is_exported() -> None:
    exported = {family.name for family in Metrics().registry.collect()}
    assert {name.removesuffix("_total") for name in re.findall(r"\btidemark_[a-z_]+", TEXT)} <= exported


def test_every_link_leads_to_a_file_and_its_heading() -> None:
    for page, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            file, _, heading = target.partition("#")
            found = (ROOT / page).parent / file
            assert found.exists(), (page, target)
            headings = re.findall(r"^#+ (.*)$", found.read_text("utf-8"), re.M) if found.is_file() else []
            assert not heading or heading in [title.lower().replace(" ", "-") for title in headings], (page, target)


def test_every_command_in_a_block_is_one_that_tidemark_takes() -> None:
    lines = [
        line
        for text in PAGES.values()
        for kind in ("sh", "console")
        for line in "".join(blocks(text, kind)).splitlines()
    ]
    commands = [line.partition("tidemark ")[2].partition(" #")[0] for line in lines if line.startswith("tidemark ")]
    assert len(commands) > 10
    for command in commands:
        parser().parse_args(shlex.split(command))
