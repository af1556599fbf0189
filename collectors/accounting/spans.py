"""Which frames of the log something has happened to: stretches between two places."""

from core.protocols import START, Position

Span = tuple[Position, Position]  # the frames behind the first place, up to and with the one that ends at the second
Listed = tuple[Span, ...]
NOTHING: Listed = ((START, START),)


class Spans:
    """A set of frames. Places grow, so that nearly always it is one stretch."""

    def __init__(self, spans: Listed = NOTHING) -> None:
        self._spans = sorted(spans)

    def __contains__(self, position: Position) -> bool:
        if position > self._spans[-1][1]:
            return False
        return any(after < position <= upto for after, upto in self._spans)

    def add(self, after: Position, upto: Position) -> None:
        """Stretches that touch become one."""
        start, end = self._spans[-1]
        if end == after:  # as nearly always
            self._spans[-1] = (start, upto)
            return
        merged: list[Span] = []
        for span in sorted([*self._spans, (after, upto)]):
            if merged and span[0] <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], span[1]))
            else:
                merged.append(span)
        self._spans = merged

    @property
    def first(self) -> Position:
        """Everything up to here is in the set."""
        return self._spans[0][1]

    @property
    def last(self) -> Position:
        """Nothing behind this is in the set."""
        return self._spans[-1][1]

    def listed(self) -> Listed:
        return tuple(self._spans)
