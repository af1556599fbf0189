"""Back-fill: predictions out of files, sent as anyone would send them."""

from collections.abc import Callable

from core.errors import ConfigError
from tidemark.importing.csv import CsvFile
from tidemark.importing.ndjson import NdjsonFile
from tidemark.importing.parquet import ParquetFile
from tidemark.importing.source import Asked, Source

FILES: dict[str, Callable[[Asked], Source]] = {
    ".parquet": ParquetFile,
    ".pq": ParquetFile,
    ".csv": CsvFile,
    ".ndjson": NdjsonFile,
    ".jsonl": NdjsonFile,
}


def opened(asked: Asked) -> Source:
    """ConfigError when the file is not there, or cannot be read or meant as predictions."""
    make = FILES.get(asked.file.suffix.lower())
    if make is None:
        raise ConfigError(f"{asked.file}: the extension says how it is read, and is one of: {', '.join(FILES)}")
    if not asked.file.is_file():
        raise ConfigError(f"there is no file {asked.file}")
    return make(asked)
