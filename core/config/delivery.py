"""What the collectors are told: taps, limits, the log."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator

from core.config.types import Duration, Strict

TapName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="one part of a URL's path")]


class TapConfig(Strict):
    """A reverse proxy at /tap/<name>/ in front of one inference server."""

    name: TapName
    upstream: Annotated[str, Field(pattern=r"^https?://")]
    tags: tuple[str, ...] = Field((), description="request headers kept as tags of the prediction")


class Limits(Strict):
    """What is refused (408, 413) or not accepted for now (503)."""

    body_bytes: Annotated[int, Field(ge=1024)] = 64 * 2**20
    rows_per_request: Annotated[int, Field(ge=1)] = 1_000_000
    fields_per_row: Annotated[int, Field(ge=1)] = 10_000
    events_per_batch: Annotated[int, Field(ge=1)] = 10_000
    spool_bytes: Annotated[int, Field(ge=2**20)] = 256 * 2**20
    concurrent_requests: Annotated[int, Field(ge=1)] = Field(1024, description="answered at once; more get 503")
    body_seconds: Annotated[float, Field(gt=0)] = Field(60.0, description="for a whole body to arrive; later gets 408")


class Wal(Strict):
    """The log that an event is in before its 2xx; senders get 503 when it is full."""

    dir: str | None = Field(default=None, description="beside an embedded store <its folder>-wal, else ./tidemark-wal")
    bytes: Annotated[int, Field(ge=2**20)] = 2**30
    fsync: bool = Field(default=True, description="without it a power loss, but no crash of the process, loses events")


HALVES_IN_MEMORY = timedelta(seconds=5)  # how long a request or a response waits there for the other


class Pairing(Strict):
    """Requests and responses that come as separate events, at any collector, minutes apart."""

    orphan_after: Duration = Field(
        default=timedelta(seconds=60),
        description="longer than 5s; a request or response alone for so long counts as an inference of status 0",
    )

    @field_validator("orphan_after")
    @classmethod
    def _longer_than_in_memory(cls, after: timedelta) -> timedelta:
        if after <= HALVES_IN_MEMORY:
            raise ValueError("must be longer than 5s, for which a half waits in memory")
        return after
