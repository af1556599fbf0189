"""Dead letters in the store: listed and filtered, whole with their bytes, replayed without being changed."""

from dataclasses import replace
from typing import Any

import pytest

from core.records import LETTER_BYTES, DeadLetter, ModelKey, Replayed
from core.times import from_micros
from storage.delivery.sink import StoreSink
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine
from storage.lookup.dead_letters import LetterFilter, find, keep_replay, page
from storage.migrate import LEDGER, migrate, migrations

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def letter(number: int, **said: Any) -> DeadLetter:
    """One an hour, the later the higher its number."""
    first = DeadLetter(NOW + number * HOUR, "api", "bad_json", "not JSON", "", b"{", letter=f"letter-{number}")
    return replace(first, **said)


def stored(engine: Engine, *letters: DeadLetter) -> None:
    StoreSink(engine).store_dead_letters(letters)


def names(engine: Engine, **wanted: Any) -> list[str]:
    return [row["letter"] for row in page(engine, LetterFilter(**wanted)).rows]


def test_a_letter_comes_back_as_it_was_stored(store: Engine, engine: EmbeddedEngine) -> None:
    headers = (("content-type", "application/json"), ("x-name", "Jürgen"))
    whose = {"namespace": "team", "model": "m", "id": "i", "headers": headers, "body_bytes": 256}
    sent = letter(1, body=bytes(range(256)), path="/api/predictions?model=é", rows=7, **whose)
    stored(store, sent)
    kept = find(store, "letter-1")
    assert kept is not None and (kept.letter, kept.replays, kept.settled) == (sent, (), None)
    assert find(store, "letter-2") is None


def test_a_cut_body_says_how_long_it_was(engine: EmbeddedEngine) -> None:
    stored(engine, letter(1, body=b"x" * (LETTER_BYTES + 5)).cut())
    kept = find(engine, "letter-1")
    assert kept is not None and (len(kept.letter.body), kept.letter.body_bytes) == (LETTER_BYTES, LETTER_BYTES + 5)
    (row,) = page(engine, LetterFilter()).rows
    assert (row["kept_bytes"], row["body_bytes"]) == (LETTER_BYTES, LETTER_BYTES + 5)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"reason": "too_large"}, [3]),
        ({"model": ModelKey("team", "m")}, [4]),
        ({"model": ModelKey("default", "m")}, [1]),
        ({"since": from_micros(NOW + 3 * HOUR)}, [4, 3]),
        ({"settled": True}, [2]),
        ({"settled": False}, [4, 3, 1, 0]),
        ({"reason": "bad_json", "settled": False, "limit": 2}, [4, 1]),
    ],
)
def test_the_newest_come_first_and_filters_narrow_the_list(
    store: Engine, engine: EmbeddedEngine, wanted: dict[str, Any], numbers: list[int]
) -> None:
    named = [letter(1, namespace="default", model="m"), letter(4, namespace="team", model="m")]
    stored(store, *named, letter(0), letter(2), letter(3, reason="too_large"))
    keep_replay(store, Replayed("letter-2", NOW, "me", "rejected", "bad_json", "still not JSON"))
    keep_replay(store, Replayed("letter-2", NOW + 1, "me", "stored"))
    keep_replay(store, Replayed("letter-3", NOW, "me", "rejected", "too_large", "still"))
    assert names(store, **wanted) == [f"letter-{number}" for number in numbers]


def test_the_cursor_walks_through_everything_once(engine: EmbeddedEngine) -> None:
    stored(engine, *(letter(0, letter=f"same-{n}") for n in range(4)), *(letter(n) for n in range(5)))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        found = page(engine, LetterFilter(limit=2, cursor=cursor))
        seen += [row["letter"] for row in found.rows]
        cursor = found.next
    assert seen == [*(f"letter-{n}" for n in (4, 3, 2, 1)), *(f"same-{n}" for n in (3, 2, 1, 0)), "letter-0"]


def test_an_insert_tried_again_is_one_letter(engine: EmbeddedEngine) -> None:
    stored(engine, letter(1), letter(2))
    stored(engine, letter(1), letter(2))
    assert engine.rows("SELECT count() AS n FROM dead_letters") == [{"n": 2}]
    stored(engine, letter(2), letter(3))  # tried again with what came meanwhile
    assert names(engine) == ["letter-3", "letter-2", "letter-1"]


def test_attempts_are_kept_in_order_beside_an_unchanged_letter(engine: EmbeddedEngine) -> None:
    stored(engine, letter(1, rows=3))
    failed = Replayed("letter-1", NOW, "10.0.0.1", "rejected", "bad_shape", "lone \ud800 surrogate", 3)
    done = Replayed("letter-1", NOW + 1, "", "stored", rows=3)
    for attempt in (done, failed, done):  # one of them tried again after a lost answer
        keep_replay(engine, attempt)
    kept = find(engine, "letter-1")
    assert kept is not None and kept.letter == replace(letter(1, rows=3), body_bytes=1)
    assert kept.replays == (failed._replace(detail="lone ? surrogate"), done)
    assert kept.settled == done


def test_letters_of_an_earlier_version_are_listed_under_names_that_last(engine: EmbeddedEngine) -> None:
    for table in ("dead_letters", "dead_letter_replays", "schema_migrations"):
        engine.command(f"DROP TABLE {table}")
    engine.command(LEDGER)
    (first, *_), third = migrations(), next(name for name in migrations() if name.startswith("0003"))
    for name in migrations():
        if name not in (first, third):
            engine.command("INSERT INTO schema_migrations (name) SELECT {name:String}", {"name": name})
    create = engine_script(first)
    engine.command(create)
    engine.command("INSERT INTO dead_letters (received, source, body) SELECT now64(6), 'events', char(255)")
    engine.command("INSERT INTO dead_letters (received, source, body) SELECT now64(6), 'api', 'x'")
    for _ in range(2):
        engine.command("DELETE FROM schema_migrations WHERE name = {name:String}", {"name": third})
        assert third in migrate(engine)
    before = names(engine)
    engine.command("OPTIMIZE TABLE dead_letters FINAL")
    assert names(engine) == before and len(set(before)) == 2 and all(len(name) == 32 for name in before)
    kept = find(engine, before[0])
    assert kept is not None and (kept.letter.source, kept.letter.path, kept.letter.body) == ("api", "", b"x")
    keep_replay(engine, Replayed(before[0], NOW, "me", "stored"))
    assert names(engine, settled=False) == before[1:]


def engine_script(name: str) -> str:
    """The statement of a schema file that makes `dead_letters`."""
    from importlib.resources import files

    from storage.engines.statement import split

    (create,) = [s for s in split(files("storage.schema").joinpath(name).read_text()) if "EXISTS dead_letters" in s]
    return create
