"""Options of a registered detector or explainer, from the configuration to its constructor.

A member is a frozen dataclass; its fields are its options, each with its type and range: `bins: Annotated[int,
Field(ge=2)] = 10`. What the user wrote is checked against them, so a wrong option fails before anything runs.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from core.errors import ConfigError

Member = TypeVar("Member")


def build(what: str, registry: Mapping[str, type[Member]], name: str, options: Mapping[str, Any]) -> Member:
    """The member `name` of `registry` with `options`; `what` is the family's name in errors, such as 'detector'.

    ConfigError names an unknown member or option and the nearest known one, a value of the wrong type or range, and an
    option that is missing.
    """
    if name not in registry:
        raise ConfigError(f"unknown {what} '{name}'; {nearest(name, registry)}")
    member: Any = registry[name]
    hints = get_type_hints(member, include_extras=True)
    known = {field.name: TypeAdapter[Any](hints[field.name]) for field in dataclasses.fields(member)}
    checked = {}
    for key, value in options.items():
        if key not in known:
            raise ConfigError(f"{what} '{name}' has no option '{key}'; {nearest(key, known)}")
        checked[key] = _checked(known[key], value, f"{what} '{name}': option '{key}'")
    for key in _required(member):
        if key not in checked:
            raise ConfigError(f"{what} '{name}' needs the option '{key}'")
    built: Member = member(**checked)
    return built


def _required(member: Any) -> list[str]:
    absent = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(member) if f.default is absent and f.default_factory is absent]


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say after an unknown name: the one probably meant, or all there are."""
    names = sorted(known)
    if near := _near(name, names):
        return f"did you mean '{near}'?"
    return f"there are: {', '.join(names)}" if names else "there are none"


def explained(error: ErrorDetails) -> str:
    """Pydantic's message, which lists the words that may be chosen from, with the one probably meant."""
    said = error["msg"]
    if error["type"] not in ("literal_error", "enum") or not isinstance(error["input"], str):
        return said
    near = _near(error["input"], re.findall("'([^']*)'", said))
    return f"{said}; did you mean '{near}'?" if near else said


def _near(name: str, names: list[str]) -> str:
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.5)), "")


def _checked(kind: TypeAdapter[Any], value: Any, where: str) -> Any:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError as error:
        raise ConfigError(f"{where} is {value!r}: {explained(error.errors()[0])}") from None
