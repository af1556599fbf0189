"""What every action is: texts to texts, and numbers to numbers unless it makes categories of them."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.config.masking import Do
from core.errors import TidemarkError

Texts = Sequence[str | None]


class Action(Protocol):
    """Missing values (None, NaN) stay missing, and every value is masked for itself: order and neighbours say nothing.

    Raises Unmaskable for values it cannot mask.
    """

    @property
    def numeric(self) -> bool:
        """Whether numbers stay numbers. Otherwise they are masked as the text of their category: 3.0 is '3'."""

    def texts(self, values: Texts) -> Texts: ...

    def numbers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Any shape; asked only of a numeric action."""


Make = Callable[[Do, bytes], Action]


class Unmaskable(TidemarkError):
    """Some values cannot be masked, so what they came in must not be stored. `failed`: which, shape (values,)."""

    def __init__(self, why: str, failed: NDArray[np.bool_]) -> None:
        super().__init__(why)
        self.failed = failed
