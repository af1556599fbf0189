"""Captured answers of real servers, beside the tests in `golden/`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from collectors.formats import Hints

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str], tuple[bytes, Hints]]:
    """A captured file's body, with the content type of its HTTP head where it has one."""

    def load(name: str) -> tuple[bytes, Hints]:
        raw = (GOLDEN / name).read_bytes()
        if not raw.startswith(b"HTTP/"):
            return raw, Hints()
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
        return body, Hints(dict(lines)["content-type"])

    return load
