from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from core.errors import ConfigError
from core.options import build


@dataclass(frozen=True)
class Cut:
    bins: Annotated[int, Field(ge=2, le=9)] = 4
    limit: Annotated[float, Field(gt=0)] | None = None
    side: Literal["left", "right"] = "left"
    kinds: ClassVar[int] = 1


@dataclass(frozen=True)
class Press:
    force: float
    sides: tuple[str, ...] = field(default_factory=tuple)


REGISTRY: dict[str, type[Cut | Press]] = {"cut": Cut, "press": Press}


def test_a_member_gets_its_options_and_its_defaults():
    assert build("tool", REGISTRY, "cut", {"limit": 2}) == Cut(4, 2.0)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("cutt", {}, "unknown tool 'cutt'; did you mean 'cut'?"),
        ("xyz", {}, "unknown tool 'xyz'; there are: cut, press"),
        ("cut", {"bin": 3}, "tool 'cut' has no option 'bin'; did you mean 'bins'?"),
        ("cut", {"kinds": 3}, "tool 'cut' has no option 'kinds'; "),
        ("cut", {"zzz": 3}, "tool 'cut' has no option 'zzz'; there are: bins, limit, side"),
        ("cut", {"bins": 1}, "option 'bins' is 1: Input should be greater than or equal to 2"),
        ("cut", {"bins": "3"}, "option 'bins' is '3': Input should be a valid integer"),
        ("cut", {"bins": True}, "option 'bins' is True: Input should be a valid integer"),
        ("cut", {"bins": None}, "option 'bins' is None: Input should be a valid integer"),
        (
            "cut",
            {"side": "rihgt"},
            "option 'side' is 'rihgt': Input should be 'left' or 'right'; did you mean 'right'?",
        ),
        ("press", {}, "tool 'press' needs the option 'force'"),
        ("cut", {"limit": -1.0}, "option 'limit' is -1.0: Input should be greater than 0"),
    ],
)
def test_what_is_unknown_or_wrong_is_named(name, options, said):
    with pytest.raises(ConfigError) as raised:
        build("tool", REGISTRY, name, options)
    assert said in str(raised.value)
