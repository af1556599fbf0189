"""What must never be written: rules that run before the first byte of an event is on disk, in a log or in a trace."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Discriminator, Field, Tag, model_validator

from core.config.types import Strict, by_key
from core.errors import ConfigError

KEY_BYTES = 16  # below it whoever holds the hashes tries all keys
LONGEST_TEXT = 100_000


class EnvironmentKey(Strict):
    env: str = Field(description="the environment variable that holds the key")


class FileKey(Strict):
    file: str = Field(description="the file that holds the key; white space around it is no part of it")


class Constant(Strict):
    constant: str | float = Field(description="what stands in place of every value")


class Truncate(Strict):
    truncate: int = Field(ge=1, description="characters of a text, or leading digits of a number, that are kept")


class Pattern(Strict):
    """Every match is replaced. RE2 runs it: its time grows with the text alone, whatever the expression.

    Syntax: https://github.com/google/re2/wiki/Syntax (neither look-around nor back-references).
    """

    pattern: str
    with_: str = Field(alias="with", description="what stands in place of every match; \\1 is its first group")
    longest: int = Field(
        LONGEST_TEXT, ge=1, description="characters; a longer text is not searched: it stops its event"
    )

    @model_validator(mode="after")
    def _can_run(self) -> "Pattern":
        try:
            pc.replace_substring_regex(pa.array([""]), pattern=self.pattern, replacement=self.with_)
        except pa.ArrowException as error:
            raise ValueError(str(error)) from None
        return self


def _action(value: Any) -> str:
    keys = by_key("constant", "truncate", "pattern").discriminator
    assert callable(keys)
    return "<word>" if isinstance(value, str) else str(keys(value))


Key = Annotated[
    Annotated[EnvironmentKey, Tag("<env>")] | Annotated[FileKey, Tag("<file>")],
    by_key("env", "file"),
]
Do = Annotated[
    Annotated[Literal["drop", "hash"], Tag("<word>")]
    | Annotated[Constant, Tag("<constant>")]
    | Annotated[Truncate, Tag("<truncate>")]
    | Annotated[Pattern, Tag("<pattern>")],
    Discriminator(_action),
]
Selector = Literal["field", "tag", "header"]
SELECTORS: tuple[Selector, ...] = ("field", "tag", "header")
Glob = Annotated[str, Field(min_length=1, description="a name; * ? and [...] stand for what they do in file names")]


class Rule(Strict):
    """One of `field`, `tag` and `header`, and what to do with it. All rules that match run, in their order."""

    field: Glob | None = None
    tag: Glob | None = None
    header: Glob | None = None
    model: Glob | None = Field(
        None, description="`income` in every namespace, `team-a/income` in one; without it the rule is of all models"
    )
    do: Do

    @model_validator(mode="after")
    def _selects_once(self) -> "Rule":
        if sum(getattr(self, name) is not None for name in SELECTORS) != 1:
            raise ValueError(f"a rule names one of {', '.join(SELECTORS)}")
        return self

    @property
    def selector(self) -> Selector:
        return next(name for name in SELECTORS if getattr(self, name) is not None)

    @property
    def selected(self) -> str:
        name: str = getattr(self, self.selector)
        return name


class Masking(Strict):
    key: Key | None = Field(None, description="of the hashes; the same key gives the same hash for the same value")
    rules: tuple[Rule, ...] = ()
    keep_unnamed: tuple[Glob, ...] = Field(
        (), description="models whose unnamed columns may be stored although field rules could be meant for them"
    )

    @model_validator(mode="after")
    def _has_key(self) -> "Masking":
        if self.hashes and self.key is None:
            raise ValueError("rules that hash need a key: `key: {env: NAME}` or `key: {file: PATH}`")
        return self

    @property
    def hashes(self) -> bool:
        return any(rule.do == "hash" for rule in self.rules)


def read_key(masking: Masking, environment: Mapping[str, str] = os.environ) -> bytes:
    """The key, b'' when no rule needs one. ConfigError when it is not there or too short."""
    if not masking.hashes or masking.key is None:
        return b""
    where, key = _sought(masking.key, environment)
    if len(key) < KEY_BYTES:
        raise ConfigError(f"masking.key: {where} holds {len(key)} bytes; a key has at least {KEY_BYTES}")
    return key


def _sought(key: EnvironmentKey | FileKey, environment: Mapping[str, str]) -> tuple[str, bytes]:
    if isinstance(key, EnvironmentKey):
        if key.env not in environment:
            raise ConfigError(f"masking.key: the environment variable {key.env} is not set")
        return f"the environment variable {key.env}", environment[key.env].strip().encode("utf-8", "surrogateescape")
    try:
        return key.file, Path(key.file).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"masking.key: {key.file} cannot be read: {error.strerror}") from None
