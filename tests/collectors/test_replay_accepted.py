"""What was accepted and could not be stored, replayed: it is there afterwards with its ids and times."""

import orjson
import pytest
from replaying import Collecting
from sent import NOW, UNNAMED, exchange, groups, half
from sinks import ScriptedSink

from collectors.accepting.items import Called, Halves, Rows
from collectors.accepting.journal import frames_of
from collectors.building.exchanges import Exchange, Naming
from collectors.taps.events import decoded_again
from core.errors import Rejected, StoreUnavailable
from core.records import DeadLetter, Half, ModelKey


def test_rows_the_store_refused_come_back_with_their_ids_and_times_though_they_were_seen() -> None:
    taking = Collecting(sink=ScriptedSink(refused="m"))
    [group] = groups(exchange({"x": [1.0, 2.0]}, id="r"))
    taking.accept(Rows(group.batch, []))
    letters = taking.letters(2)
    assert [(letter.rows, letter.path) for letter in letters] == [(1, "")] * 2
    with pytest.raises(Rejected) as failed:
        taking.again(letters[0])
    assert failed.value.code == "store_refused" and "no such column" in failed.value.detail
    taking.letters(2)
    assert taking.counts() == {"accepted": 2, "dead_lettered": 2}
    taking.sink.refused = ""
    assert [taking.again(letter).rows for letter in letters] == [1, 1]
    assert taking.counts() == {"accepted": 2, "stored": 2}
    assert [row for batch in taking.sink.batches for row in batch.to_pylist()] == group.batch.to_pylist()


def test_a_store_that_is_away_records_nothing_and_the_letter_can_be_tried_again() -> None:
    taking = Collecting(sink=ScriptedSink(refused="m"))
    taking.accept(Rows(groups(exchange({"x": [1.0]}))[0].batch, []))
    [letter] = taking.letters()
    taking.sink.away, taking.sink.refused = 1, ""
    with pytest.raises(StoreUnavailable):
        taking.again(letter)
    assert taking.recorded == []
    assert taking.again(letter).outcome == "stored"


def test_an_exchange_that_could_not_be_built_is_built_by_the_version_that_can() -> None:
    def broken(model: ModelKey) -> Naming:
        raise RuntimeError("boom")

    taking = Collecting(naming=broken)
    taking.accept(Called(_decodable("pair")))
    [letter] = taking.letters()
    assert (letter.reason, letter.rows) == ("internal", 2)
    with pytest.raises(Rejected, match="RuntimeError: boom"):
        taking.again(letter)
    taking.naming = lambda model: UNNAMED
    taking.into.flush()
    taking.restart()
    taking.again(letter)
    assert [(row["id"], row["outputs_num"]) for row in taking.stored()] == [
        ("pair-0", {"y": 3.0}),
        ("pair-1", {"y": 4.0}),
    ]
    assert {f.name for f in taking.sink.fields} == {"x", "y"}
    assert taking.counts() == {"accepted": 2, "stored": 2}


def test_frames_that_could_not_be_read_are_read_again() -> None:
    taking = Collecting()
    pair = _decodable("a")
    [group] = groups(exchange({"x": [9.0]}, id="rows"))
    first, second = _decodable("b")
    assert first and second
    items = [Called(pair), Rows(group.batch, group.fields), Halves([first, second])]
    frames = [frame for item in items for _, frame in frames_of(item)]
    for frame in frames:
        taking.again(DeadLetter(NOW, "log", "unreadable_frame", "", "", frame))
    assert [row["id"] for row in taking.stored()] == ["a-0", "a-1", "rows", "b-0", "b-1"]
    assert taking.journal.frames == frames[2:]  # what waits for its half must be in the log
    with pytest.raises(Rejected) as failed:
        taking.again(DeadLetter(NOW, "log", "unreadable_frame", "", "", b"?"))
    assert failed.value.code == "unreadable_frame"


def _decodable(id: str) -> Exchange:
    """Two rows, with bodies that say what the payloads say."""

    def said(one: Half, key: str, *values: float) -> Half:
        name = "x" if key == "inputs" else "y"
        tensor = {"name": name, "shape": [2], "datatype": "FP64", "data": values}
        return decoded_again(one._replace(body=orjson.dumps({key: [tensor]}), headers=()))

    return Exchange(said(half(id), "inputs", 1, 2), said(half(id, "response"), "outputs", 3, 4))
