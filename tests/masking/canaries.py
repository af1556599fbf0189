"""Values that must not be written, the forms they could be found in, and where to look for them."""

import base64
import gzip
import struct
from collections.abc import Mapping
from pathlib import Path

from storage import open_engine
from storage.engine import Engine


class Canaries:
    """Each planted under a name of its own, so that a test can say which one got through."""

    def __init__(self) -> None:
        self.planted: dict[str, tuple[bytes, ...]] = {}

    def text(self, name: str) -> str:
        value = f"CANARY_{name}_{len(self.planted):03d}_x"
        plain = value.encode()
        self.planted[name] = (plain, *(_base64(plain, shift) for shift in range(3)), plain.hex().encode())
        return value

    def number(self, name: str) -> float:
        """Exact as a 32-bit float too, and not to be met by chance."""
        value = 7351.28125 + len(self.planted)
        forms = (repr(value).encode(), struct.pack("<d", value), struct.pack("<f", value))
        self.planted[name] = forms
        return value

    def found_in(self, contents: Mapping[str, bytes]) -> dict[str, list[str]]:
        """Which canaries are in which of `contents`."""
        found = {
            name: [place for place, content in contents.items() if any(form in content for form in forms)]
            for name, forms in self.planted.items()
        }
        return {name: places for name, places in found.items() if places}


def _base64(value: bytes, shift: int) -> bytes:
    """`value` as it looks in the base64 of a text in which it begins `shift` bytes behind a multiple of three."""
    encoded = base64.b64encode(bytes(shift) + value)
    return encoded[(0, 2, 3)[shift] + (shift > 0) * 2 : -4]


def files(folder: Path) -> dict[str, bytes]:
    """Every byte of every file below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tables(store: str) -> dict[str, bytes]:
    """Every column of every row of every table, uncompressed."""
    engine = open_engine(store)
    try:
        known = engine.rows("SELECT name FROM system.tables WHERE database = currentDatabase()")
        names = [row["name"] for row in known]
        said = {name: _lines(engine, "toString(tuple(*))", name) for name in names}
        bodies = {f"{name} bodies": map(_unzipped, _lines(engine, "body", name)) for name in ("halves", "dead_letters")}
        return {name: b"\n".join(lines) for name, lines in {**said, **bodies}.items()}
    finally:
        engine.close()


def _lines(engine: Engine, column: str, table: str) -> list[bytes]:
    rows = engine.rows(f"SELECT base64Encode({column}) AS line FROM `{table}`")
    return [base64.b64decode(row["line"]) for row in rows]


def _unzipped(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
