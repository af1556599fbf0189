"""What every tap is wired to."""

from collections.abc import Callable
from dataclasses import dataclass

from collectors.accepting.into import Into
from collectors.accounting.receipts import Receipts
from collectors.masking.masks import NO_MASKS, Masks
from core.config import Limits


@dataclass(frozen=True)
class Ports:
    """`clock` gives microseconds since 1970."""

    into: Into
    receipts: Receipts
    limits: Limits
    clock: Callable[[], int]
    masks: Masks = NO_MASKS
