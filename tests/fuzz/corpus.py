"""The committed inputs: golden payloads and made-up ones to start from, and every input that once broke a decoder."""

from hashlib import blake2b
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def seeds(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FOLDER / target).iterdir())]


def save(target: str, data: bytes) -> Path:
    """Keep an input that broke `target`."""
    path = FOLDER / target / f"crash-{blake2b(data, digest_size=6).hexdigest()}"
    path.write_bytes(data)
    return path
