"""Refused calls replayed: what was in them is there afterwards, once, as of the time it came."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa
import pytest
from replaying import EVENT, LATER, NDJSON, Collecting, v2
from sent import NOW, half

from core.config import Limits
from core.errors import Overloaded, Rejected
from core.records import DeadLetter, Replayed, RequestKey


def test_a_refused_event_is_paired_and_stored_after_the_fix_with_the_time_it_came() -> None:
    taking = Collecting(Limits(fields_per_row=2))
    assert taking.send("/events", {**EVENT, "authorization": "Bearer hush"}, v2(1, 2, 3)) == 413
    response = {**EVENT, "ce-type": "org.kubeflow.serving.inference.response"}
    taking.send("/events", response, v2(0.5, key="outputs"))
    [letter] = taking.letters()
    assert (letter.path, letter.namespace, letter.model, letter.id) == ("/events", "team", "income", "e1")
    assert "authorization" not in dict(letter.headers) and letter.rows == 0
    taking.now, taking.limits = LATER, Limits()
    done = taking.again(letter)
    assert (done, taking.recorded) == (Replayed(letter.letter, LATER, "me", "stored"), [done])
    [row] = taking.stored()
    assert (row["id"], dict(row["inputs_num"]), row["outputs_num"]) == (
        "e1",
        {"x_0": 1, "x_1": 2, "x_2": 3},
        {"x": 0.5},
    )
    assert (row["time"].timestamp(), row["received"].timestamp()) == (NOW / 1e6, NOW / 1e6)
    assert taking.counts() == {"accepted": 1, "stored": 1}


def test_what_is_refused_again_stays_one_open_letter_with_the_new_reason() -> None:
    taking = Collecting(Limits(fields_per_row=2))
    taking.send("/events", EVENT, v2(1, 2, 3))
    [letter] = taking.letters()
    taking.limits = Limits(body_bytes=1024)
    with pytest.raises(Rejected) as failed:
        taking.again(replace(letter, body=letter.body + b"]" * 2000, body_bytes=-1))
    assert (failed.value.status, failed.value.code) == (413, "too_large")
    [attempt] = taking.recorded
    assert (attempt.outcome, attempt.reason) == ("rejected", "too_large") and "1024" in attempt.detail
    taking.letters(1)


def test_rows_without_ids_replayed_twice_are_the_same_rows() -> None:
    """A crash between storing and settling leaves the letter open: the second time must store nothing new."""
    taking = Collecting(Limits(rows_per_request=1))
    lines = b'{"inputs": {"a": 1}}\n{"model": "other", "inputs": {"a": 2}}\n{"inputs": {"a": 3}}'
    assert taking.send("/api/predictions", NDJSON, lines, "model=m&namespace=team") == 413
    [letter] = taking.letters()
    assert (letter.path, letter.model) == ("/api/predictions?model=m&namespace=team", "m")
    taking.limits, taking.now = Limits(), LATER
    taking.again(letter)
    first = taking.stored()
    taking.sink.batches.clear()
    taking.restart()
    taking.again(letter)
    assert repr(first) == repr(taking.stored())
    assert [(r["namespace"], r["model"]) for r in first] == [("team", "m"), ("team", "m"), ("team", "other")]
    assert len({r["id"] for r in first}) == 3


@pytest.mark.parametrize("form", ["json", "arrow"])
def test_a_refused_row_is_a_call_of_its_own(form: str) -> None:
    taking = Collecting()
    rows = [{"id": "good", "inputs": {"a": 1}}, {"id": "bad", "status": -4, "inputs": {"a": 2}, "tags": {"c": "x"}}]
    if form == "json":
        said = {"model": "m", "version": "v2", "namespace": "team", "predictions": rows}
        taking.send("/api/predictions", {"content-type": "application/json"}, said)
    else:
        table = {"id": ["good", "bad"], "status": [200, -4], "inputs.a": [1, 2], "tags.c": [None, "x"]}
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, pa.table(table).schema) as writer:
            writer.write_table(pa.table(table))
        arrow = {"content-type": "application/vnd.apache.arrow.stream"}
        taking.send("/api/predictions", arrow, buffer.getvalue().to_pybytes(), "model=m&version=v2&namespace=team")
    [letter] = taking.letters()
    assert orjson.loads(letter.body) == rows[1]
    assert (letter.namespace, letter.model, letter.field) == ("team", "m", "status")
    with pytest.raises(Rejected, match="status: "):
        taking.again(letter)
    taking.letters(1)
    taking.again(replace(letter, body=letter.body.replace(b"-4", b"204")))
    bad = next(row for row in taking.stored() if row["id"] == "bad")
    assert (bad["namespace"], bad["model"], bad["version"], bad["status"]) == ("team", "m", "v2", 204)
    assert (bad["tags"], dict(bad["inputs_num"])) == ({"c": "x"}, {"a": 2})


def test_an_event_of_a_batch_is_a_letter_of_its_own_that_knows_its_attributes() -> None:
    taking = Collecting(Limits(fields_per_row=2))
    plain = {name.removeprefix("ce-"): value for name, value in EVENT.items() if name.startswith("ce-")}
    wide = {**plain, "id": "wïde %41", "data": v2(1, 2, 3)}
    batch = [{**plain, "data": v2(1)}, wide, {"id": "no type"}, {"id": "nor this"}]
    taking.send("/events", {"content-type": "application/cloudevents-batch+json", "content-length": "500"}, batch)
    alone, whole, no_body = taking.letters(3)
    assert orjson.loads(alone.body) == v2(1, 2, 3) and orjson.loads(whole.body) == batch
    taking.limits = Limits()
    taking.again(alone)
    assert (alone.model, alone.id) == ("income", "wïde %41")
    with pytest.raises(Rejected, match="another letter") as refused:
        taking.again(no_body)
    assert (refused.value.status, refused.value.code) == (409, "not_replayable")
    done = taking.again(whole)
    assert done.outcome == "stored" and done.detail.startswith("2 parts of it are refused again")
    taking.letters(5)
    for id in ("e1", "wïde %41"):
        response = half(id, "response", y=[1.0])
        taking.collector.half(response._replace(key=RequestKey("team", "income", id)))
    assert [row["id"] for row in taking.stored() if row["inputs_num"] and row["outputs_num"]] == ["e1", "wïde %41"]


def test_a_full_log_records_nothing() -> None:
    taking = Collecting(Limits(fields_per_row=1))
    taking.send("/events", EVENT, v2(1, 2))
    [letter] = taking.letters()
    taking.limits, taking.journal.room = Limits(), 1
    with pytest.raises(Overloaded):
        taking.again(letter)
    assert taking.recorded == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"reason": "disconnected", "path": "/events"}, "went away"),
        ({"path": "/tap/m/v2/models/m/infer"}, "proxy tap"),
        ({"path": "/events", "body": b"", "body_bytes": 70_000_000}, "70000000 bytes are not kept"),
        ({"path": "/events", "body": b"x", "body_bytes": 2_000_000}, "only 1 of its 2000000 bytes"),
        ({"path": "/elsewhere?x=1"}, "/elsewhere"),
        ({}, "version that did not keep"),
    ],
)
def test_what_cannot_be_replayed_says_why_and_is_not_tried(said: dict[str, Any], why: str) -> None:
    taking = Collecting()
    with pytest.raises(Rejected, match=why) as refused:
        taking.again(replace(DeadLetter(NOW, "events", "bad_json", "", "", b"{"), **said))
    assert (refused.value.status, refused.value.code, taking.recorded) == (409, "not_replayable", [])


@pytest.mark.parametrize("headers", [{"content-length": "99999"}, {"transfer-encoding": "chunked"}])
def test_a_body_that_was_never_read_is_not_taken_for_an_empty_one(headers: dict[str, str]) -> None:
    taking = Collecting(Limits(body_bytes=1024))
    assert taking.send("/events", {**EVENT, **headers}, b"x" * 99_999) == 413
    [letter] = taking.letters()
    with pytest.raises(Rejected, match="not kept"):
        taking.again(letter)


def test_two_replays_of_a_letter_at_once_are_one() -> None:
    taking = Collecting(Limits(fields_per_row=1))
    taking.send("/events", EVENT, v2(1, 2))
    [letter] = taking.letters()
    taking.limits = Limits()

    async def both() -> list[Any]:
        return await asyncio.gather(*(taking.replay(letter, "") for _ in range(2)), return_exceptions=True)

    done, refused = asyncio.run(both())
    assert done.outcome == "stored" and isinstance(refused, Rejected) and refused.code == "replay_under_way"
    assert len(taking.recorded) == 1
