"""What the parts of the configuration are made of."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainSerializer

from core.times import duration, duration_text


def _duration(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else duration(str(value))


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(duration_text, when_used="json")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def by_key(*keys: str) -> Discriminator:
    """Tell a union's members apart by the key only one of them has, so that an error speaks of one member only."""

    def tag(value: Any) -> str:
        known = value if isinstance(value, Mapping) else type(value).model_fields if isinstance(value, Strict) else ()
        return f"<{next((key for key in keys if key in known), keys[0])}>"

    return Discriminator(tag)
