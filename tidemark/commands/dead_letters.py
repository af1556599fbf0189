"""`tidemark dead-letters list`, `show LETTER` and `replay LETTER…`."""

import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from core.config import model_key
from core.errors import ConfigError
from core.times import from_micros, micros, rfc3339
from storage import exists, open_engine
from storage.engine import Engine
from storage.lookup.dead_letters import Kept, LetterFilter, find, page
from storage.migrate import migrate
from tidemark.api.dead_letters import listed, shown
from tidemark.collector_client import CollectorClient
from tidemark.moments import moment

PAGE = 1000
SHOWN_BYTES = 2_000  # of a body on the screen


def run(arguments: Namespace) -> int:
    return _ACTIONS[arguments.action](arguments)


def _list(arguments: Namespace) -> int:
    engine = _opened(arguments.store)
    try:
        rows = list(_rows(engine, _filter(arguments), arguments.limit))
    finally:
        engine.close()
    if arguments.json:
        print(_dumped({"dead_letters": rows}))
        return 0
    for row in rows:
        print(_line(row))
    print(f"({len(rows)} dead letters{', there may be more: --limit' if len(rows) == arguments.limit else ''})")
    return 0


def _show(arguments: Namespace) -> int:
    engine = _opened(arguments.store)
    try:
        kept = find(engine, arguments.letter)
    finally:
        engine.close()
    if kept is None:
        raise ConfigError(f"there is no dead letter {arguments.letter}; see `tidemark dead-letters list`")
    if arguments.out:
        arguments.out.write_bytes(kept.letter.body)
    print(_dumped(shown(kept)) if arguments.json else _described(kept))
    return 0


def _replay(arguments: Namespace) -> int:
    """Exit code 1 unless all are stored."""
    wanted = {"reason": arguments.reason, "model": arguments.model, "since": _since(arguments.since)}
    named = {name: value for name, value in wanted.items() if value}
    if bool(arguments.letters) == bool(named):
        raise ConfigError("say which: LETTER…, or --reason R, --model M, --since T for all open ones that match")
    collector = CollectorClient(arguments.store, arguments.url)
    failed = count = 0
    for letter in arguments.letters or collector.open_letters(named):
        said = collector.replay(letter)
        count, failed = count + 1, failed + (said["outcome"] != "stored")
        print(_dumped(said) if arguments.json else _outcome(said), flush=True)
    if not arguments.json:
        print(f"({count - failed} of {count} dead letters are stored)")
    return 1 if failed else 0


_ACTIONS = {"list": _list, "show": _show, "replay": _replay}


def _opened(store: str) -> Engine:
    if not exists(store):
        raise ConfigError(f"there is no store {store}; `tidemark up` makes one")
    engine = open_engine(store)
    migrate(engine)
    return engine


def _filter(arguments: Namespace) -> LetterFilter:
    since = _since(arguments.since)
    return LetterFilter(
        arguments.reason,
        model_key(arguments.model) if arguments.model else None,
        from_micros(micros(since)) if since else None,
        {"yes": True, "no": False}.get(arguments.settled),
        min(arguments.limit, PAGE),
    )


def _rows(engine: Engine, wanted: LetterFilter, most: int) -> Iterator[dict[str, Any]]:
    """As the API lists them, page by page."""
    cursor: str | None = ""
    while cursor is not None and most > 0:
        found = page(engine, LetterFilter(**{**vars(wanted), "limit": min(most, PAGE), "cursor": cursor}))
        yield from map(listed, found.rows)
        cursor, most = found.next, most - len(found.rows)


def _since(text: str | None) -> str:
    """As RFC 3339."""
    return rfc3339(moment(text, "--since")) if text else ""


def _line(row: Mapping[str, Any]) -> str:
    of = f"{row['namespace']}/{row['model']}".strip("/") or "-"
    state = "settled" if row["settled"] else "open"
    text = f"{row['letter']}  {row['received'][:19]}Z  {state:7}  {row['source']}  {row['reason']}  {of}"
    width = max(100, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    return f"{text}  {_why(row)}"[:width]


def _described(kept: Kept) -> str:
    row = shown(kept)
    names = ("letter", "received", "source", "path", "reason", "meaning", "remedy", "field", "detail")
    lines = [f"{name:9} {row[name]}" for name in names if row[name]]
    lines += [f"{name:9} {row[name]}" for name in ("namespace", "model", "id", "rows") if row[name]]
    lines += [f"replayed  {_attempt(one)}" for one in row["replays"]]
    lines += ["headers", *(f"  {name}: {value}" for name, value in row["headers"].items())]
    cut = f", of which {row['kept_bytes']} are kept" if row["cut"] else ""
    body = kept.letter.body[:SHOWN_BYTES]
    more = f"\n… (--out FILE writes all {row['kept_bytes']} bytes)" if len(kept.letter.body) > SHOWN_BYTES else ""
    return "\n".join([*lines, f"body      {row['body_bytes']} bytes{cut}", _printable(body) + more])


def _printable(body: bytes) -> str:
    """Text as it is, other bytes as Python writes them: a terminal must not obey what a stranger sent."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return repr(body)
    return text if all(c.isprintable() or c in "\n\t" for c in text) else repr(body)


def _attempt(one: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (one["time"], one["outcome"], one["reason"], one["detail"])))


def _outcome(said: Mapping[str, Any]) -> str:
    return "  ".join(filter(None, (said["letter"], said["outcome"], said["reason"], said["detail"])))


def _why(row: Mapping[str, Any]) -> str:
    text = f"{row['field']}: {row['detail']}" if row["field"] else row["detail"]
    return "".join(c if c.isprintable() else "?" for c in text)


def _dumped(value: Any) -> str:
    return orjson.dumps(value).decode()
