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


_Count = Annotated[int, Field(ge=1)]


class Limits(Strict):
    """What is refused (413, 431 for headers) or not accepted for now (503); every refusal names its key."""

    body_bytes: Annotated[int, Field(ge=1024, description="of a body, as sent and unpacked")] = 64 * 2**20
    headers: Annotated[int, Field(ge=16, description="lines in the head of a request")] = 500
    header_bytes: Annotated[int, Field(ge=4096, description="of a request's head")] = 64 * 2**10
    nesting: Annotated[int, Field(ge=8, le=1000, description="lists and objects of JSON inside each other")] = 128
    containers: Annotated[int, Field(ge=1024, description="lists and objects in one body of JSON")] = 4_000_000
    rows_per_request: _Count = 1_000_000
    bad_rows_per_request: Annotated[int, Field(ge=1, description="beyond, all of them are refused")] = 10_000
    models_per_request: Annotated[int, Field(ge=1, description="models and versions in one request of rows")] = 1_000
    cells_per_request: Annotated[int, Field(ge=1024, description="rows times fields, once unfolded")] = 2**25
    fields_per_row: _Count = 10_000
    tensors: Annotated[int, Field(ge=1, description="in one payload")] = 10_000
    events_per_batch: _Count = 10_000
    name_length: Annotated[int, Field(ge=64, description="characters of a name, a version or an id")] = 1024
    tags: Annotated[int, Field(ge=1, description="of one prediction")] = 256
    tag_length: Annotated[int, Field(ge=64, description="characters of a tag's value")] = 64 * 2**10
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
