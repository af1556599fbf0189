"""What a field is declared to be, and how rows hold it."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.distribution import Distribution, Kind

# One field of some rows under each kind that any of them holds it under; those of the other kind are missing there.
Held = Mapping[Kind, Distribution]


@dataclass(frozen=True)
class Contract:
    """Declared of one field; None where nothing is: then the reference says what is right.

    `range`: lowest and highest value of a `num` field, both allowed. `categories`: all there are of a `cat` field.
    """

    kind: Kind | None = None
    range: tuple[float, float] | None = None
    categories: frozenset[str] | None = None
