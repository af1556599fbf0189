"""How many false alarms a user can bear: `1/month`, `0.5/year`, `1/100 windows`."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)/(?:(hour|day|week|month|year)|([1-9][0-9]*) windows)")


@dataclass(frozen=True)
class Rate:
    """`alarms` in each stretch of time `per`, or in each `per` windows."""

    alarms: float
    per: timedelta | int
    text: str

    def each_look(self, spacing: timedelta) -> float:
        """Alarms in one look, of looks that are `spacing` apart."""
        return self.alarms / self.per if isinstance(self.per, int) else self.alarms * (spacing / self.per)

    @property
    def timed(self) -> bool:
        return not isinstance(self.per, int)

    def __str__(self) -> str:
        return self.text


def _rate(value: object) -> Rate:
    if isinstance(value, Rate):
        return value
    text = str(value)
    found = _RATE.fullmatch(text)
    if not found or not float(found[1]):
        raise ValueError(f"'{text}' is not a rate such as 1/month, 2/week, 0.5/year or 1/100 windows")
    per = int(found[3]) if found[3] else timedelta(days=_DAYS[found[2]])
    return Rate(float(found[1]), per, text)


FalseAlarms = Annotated[Rate, BeforeValidator(_rate), PlainSerializer(str, when_used="json")]
