"""`tidemark` itself: what it lists, what it imports, and that the README names nothing else."""

import argparse
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from up_process import Tidemark

import tidemark.commands
from tidemark.cli import COMMANDS, main, parser

README = Path(__file__).parents[2] / "README.md"
HEAVY = ("numpy", "pyarrow", "fastapi", "uvicorn", "pydantic", "yaml", "chdb", "clickhouse_connect", "opentelemetry")


def test_every_command_has_a_module_that_runs_it_and_every_module_is_a_command() -> None:
    modules = {module for _, module, _ in COMMANDS.values()}
    assert modules == {module.name for module in iter_modules(tidemark.commands.__path__)}
    for module in modules:
        assert callable(import_module(f"tidemark.commands.{module}").run)


def test_help_lists_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, (text, _, _) in COMMANDS.items():
        assert f"{name} {text}" in said


def test_help_and_mistakes_import_nothing_heavy() -> None:
    """`tidemark --help` answers in under half a second; numpy alone takes a fifth of one."""
    for words in (["--help"], ["up", "--help"], ["--version"], ["nothing"]):
        program = (
            "import sys\nfrom tidemark.cli import main\n"
            f"try: main({words})\nexcept SystemExit: pass\n"
            f"print(sorted(set({HEAVY}) & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", words


@pytest.mark.parametrize("words", [[], ["nothing"], ["query"], ["up", "--port", "x"], ["reference"]])
def test_a_wrong_call_is_explained_and_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr().err.startswith("usage: tidemark")


def test_the_readme_names_commands_and_options_that_exist() -> None:
    calls = re.findall(r"tidemark ((?:[a-z][a-z-]*)(?: (?:--)?[a-zA-Z][\w-]*)*)", _code(README.read_text()))
    assert len(calls) >= 10
    for call in calls:
        command, *words = call.split()
        assert command in COMMANDS, call
        chosen = _sub(parser(), command)
        if words and (actions := _actions(chosen)):
            chosen = actions[words[0]]
        for option in (word for word in words if word.startswith("--")):
            assert option in chosen.format_help(), call


def test_what_stands_before_and_after_a_command_is_the_same_everywhere(tidemark: Tidemark, tmp_path: Path) -> None:
    """One clear line on stderr and exit code 1, nothing on stdout."""
    file = tmp_path / "file"
    file.write_text("x")
    for words in (["query", "SELECT 1"], ["migrate"], ["reference", "list"]):
        done = tidemark(*words, "--store", f"chdb://{file}")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("tidemark: ") and len(done.err.splitlines()) == 1


def _code(markdown: str) -> str:
    """Fenced blocks and inline code only."""
    fenced = re.findall(r"```\w*\n(.*?)```", markdown, re.DOTALL)
    return "\n".join([*fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL))])


def _sub(top: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    return _actions(top)[name]


def _actions(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    return found[0].choices if found else {}
