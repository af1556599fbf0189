"""`masking:` in tidemark.yaml: rules that cannot work are an error with its place, before anything runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.config import Masking, parse
from core.config.masking import read_key
from core.errors import ConfigError
from tidemark.cli import main

HASHES = "masking: {key: %s, rules: [{field: a, do: hash}]}"


def masking(text: str) -> Masking:
    return parse(text).masking


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{field: a, do: hash}", "rules that hash need a key"),
        ("{field: a, do: shred}", "masking.rules.0.do: Input should be 'drop' or 'hash'"),
        ("{field: a, tag: b, do: drop}", "a rule names one of field, tag, header"),
        ("{do: drop}", "a rule names one of field, tag, header"),
        ("{fild: a, do: drop}", "unknown key 'masking.rules.0.fild'; did you mean 'field'?"),
        ("{field: a, do: {pattern: '(', with: ''}}", "missing )"),
        ("{field: a, do: {pattern: '(?=x)', with: ''}}", "invalid perl operator"),
        ("{field: a, do: {pattern: x, with: '\\1'}}", "Invalid replacement string"),
        ("{field: a, do: {truncate: 0}}", "masking.rules.0.do.truncate"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_its_place(rule: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f"masking: {{rules: [{rule}]}}")
    assert said in str(raised.value)


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"0123456789abcdef\n")
    assert read_key(masking(HASHES % "{env: K}"), {"K": "0123456789abcdef"}) == b"0123456789abcdef"
    assert read_key(masking(HASHES % f"{{file: {tmp_path / 'key'}}}")) == b"0123456789abcdef"


def test_rules_that_do_not_hash_need_no_key() -> None:
    assert read_key(masking("masking: {key: {env: K}, rules: [{field: a, do: drop}]}"), {}) == b""


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("{env: K_SHORT}", "holds 3 bytes; a key has at least 16"),
        ("{env: K_NONE}", "is not set"),
        ("{file: /none}", "No such file"),
    ],
)
def test_check_says_what_is_wrong_with_the_key(
    key: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("K_SHORT", "abc")
    (tmp_path / "tidemark.yaml").write_text(HASHES % key)
    code = main(["check", str(tmp_path / "tidemark.yaml"), "--store", f"chdb://{tmp_path / 'none'}"])
    captured = capsys.readouterr()
    assert code == 1
    assert said in captured.err
    assert "abc" not in captured.err


def test_up_does_not_start_without_its_key(tmp_path: Path) -> None:
    (tmp_path / "tidemark.yaml").write_text(HASHES % "{env: TIDEMARK_NO_SUCH_KEY}")
    command = [sys.executable, "-m", "tidemark.cli", "up", "--store", f"chdb://{tmp_path / 'store'}", "--port", "0"]
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "tidemark.yaml")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "tidemark: masking.key: the environment variable TIDEMARK_NO_SUCH_KEY is not set"
    )
