"""What went by at a proxy tap, kept as copies while it is passed on."""

from dataclasses import dataclass, field


@dataclass
class Copy:
    """The first `limit` bytes of a body that passes; `whole` is false when there were more.

    `ended`: nothing more comes; `broken`: its sender went away instead.
    """

    limit: int
    whole: bool = True
    ended: bool = False
    broken: bool = False
    size: int = 0
    _parts: list[bytes] = field(default_factory=list)

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > self.limit:
            self.whole = False
            self._parts.clear()
        elif self.whole:
            self._parts.append(part)

    @property
    def body(self) -> bytes:
        self._parts = [b"".join(self._parts)]  # joined once, however often it is asked for
        return self._parts[0]


@dataclass
class Passed:
    """Both bodies, the answer's status and headers; status 0 until an answer has begun."""

    request: Copy
    response: Copy
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return self.request.whole and self.response.whole

    @property
    def bytes(self) -> int:
        """Memory that the copies take."""
        return self.request.size + self.response.size
