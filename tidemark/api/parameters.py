"""What the API can be asked for. A parameter that does not exist is an error: a filter never goes unnoticed."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.access import Namespaces, namespaces
from core.times import from_micros, to_micros

# What the store's DateTime64 can hold.
_FIRST, _LAST = (to_micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (1900, 2299))


def _storable(moment: datetime) -> datetime:
    if not _FIRST <= to_micros(moment) < _LAST:
        raise ValueError("the year must be from 1900 to 2298")
    return from_micros(to_micros(moment))


def _key_value(text: str) -> str:
    if not text.partition("=")[1]:
        raise ValueError("write key=value")
    return text


Moment = Annotated[datetime, AfterValidator(_storable)]
KeyValue = Annotated[str, AfterValidator(_key_value)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _One(_Asked):
    namespace: str = ""
    model: str = ""
    time: Moment | None = Field(None, description="its event time to the day makes the lookup faster")


class _Predictions(_Asked):
    namespace: str = ""
    model: str = ""
    since: Moment | None = None
    until: Moment | None = None
    tag: KeyValue | None = Field(None, description="key=value")
    status: int | None = Field(None, ge=0, le=65535)
    limit: int = Field(100, ge=1, le=1000)
    cursor: str = Field("", description="`next` of the page before")


class _Results(_Asked):
    monitor: str = ""
    model: str = Field("", description="income, or team-a/income in another namespace")
    step: str = ""
    field: str = ""
    since: Moment | None = None
    limit: int = Field(100, ge=1, le=10_000)
    cursor: str = Field("", description="`next` of the page before")


class _Report(_Asked):
    version: str | None = Field(None, description="of the model; without it, the first of those the run looked at")


class _DeadLetters(_Asked):
    reason: str = ""
    model: str = Field("", description="income, or team-a/income in another namespace")
    since: Moment | None = None
    settled: bool | None = Field(None, description="whether it was replayed and stored; without it, both")
    limit: int = Field(100, ge=1, le=1000)
    cursor: str = Field("", description="`next` of the page before")


async def _allowed(request: Request) -> Namespaces:
    return namespaces(request.scope)


Allowed = Annotated[Namespaces, Depends(_allowed)]  # what the caller may read
One = Annotated[_One, Query()]
Predictions = Annotated[_Predictions, Query()]
Results = Annotated[_Results, Query()]
Report = Annotated[_Report, Query()]
DeadLetters = Annotated[_DeadLetters, Query()]
