"""Dead letters as a user meets them: listed, shown with their bytes, and replayed after the fix. Nothing is doubled."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import requests
from up_process import Tidemark, Up, eventually, up

from storage import open_engine

TIGHT = "limits: {fields_per_row: 2}"
BODY = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}
KSERVE = {
    "ce-id": "e1",
    "ce-source": "http://localhost:9081/",
    "ce-specversion": "1.0",
    "ce-type": "org.kubeflow.serving.inference.request",
    "ce-inferenceservicename": "income",
    "ce-namespace": "default",
}


def letters(served: Up, count: int = 1, **wanted: Any) -> list[dict[str, Any]]:
    """The dead letters that match, once there are `count`."""

    def found() -> tuple[list[dict[str, Any]]] | None:
        answer = served.get("/api/dead-letters", **wanted)
        assert answer.status_code == 200, answer.text
        listed: list[dict[str, Any]] = answer.json()["dead_letters"]
        return (listed,) if len(listed) == count else None

    said: list[dict[str, Any]] = eventually(found)[0]
    return said


def stored_ids(served: Up, model: str) -> list[str]:
    return [p["id"] for p in served.get("/api/predictions", model=model).json()["predictions"]]


def command(store: str, sql: str) -> None:
    engine = open_engine(store)
    engine.command(sql)
    engine.close()


def test_a_refused_event_is_stored_by_a_replay_after_the_fix(tmp_path: Path, tidemark: Tidemark) -> None:
    with up(tmp_path, TIGHT) as served:
        headers = {**KSERVE, "authorization": "Bearer hush"}
        assert requests.post(served.url, json=BODY, headers=headers, timeout=20).status_code == 413
        served.event("response", "income", "e1", {"outputs": [{**BODY["inputs"][0], "shape": [1], "data": [0.5]}]})
        [row] = letters(served)
        assert (row["source"], row["reason"], row["model"], row["id"]) == ("events", "too_many_fields", "income", "e1")
        letter = row["letter"]
        shown = served.get(f"/api/dead-letters/{letter}").json()
        assert (json.loads(shown["body"]), shown["encoding"], shown["hindrance"]) == (BODY, "text", None)
        assert "hush" not in json.dumps(shown) and "limits" in shown["detail"] and shown["remedy"]
        assert "too_many_fields" in tidemark("dead-letters", "list", "--store", served.store).out
        assert '"shape": [1, 3]' in tidemark("dead-letters", "show", letter, "--store", served.store).out
        done = tidemark("dead-letters", "replay", letter, "--store", served.store)
        assert (done.code, len(letters(served))) == (1, 1) and f"{letter}  rejected  too_many_fields  3 f" in done.out
    with up(tmp_path, "limits: {fields_per_row: 3}") as served:
        done = tidemark("dead-letters", "replay", "--reason", "too_many_fields", "--store", served.store)
        assert (done.code, done.out) == (0, f"{letter}  stored\n(1 of 1 dead letters are stored)\n"), done.err
        assert letters(served, settled=True)[0]["letter"] == letter and letters(served, 0, settled=False) == []
        eventually(lambda: served.get("/api/predictions/e1").json().get("state") == "stored")
        prediction = served.stored("e1")
        assert prediction["inputs"] == {"x_0": 1, "x_1": 2, "x_2": 3} and prediction["outputs"] == {"x": 0.5}
        assert prediction["time"] == row["received"]
        replays = json.loads(tidemark("dead-letters", "show", letter, "--json", "--store", served.store).out)["replays"]
        assert [replay["outcome"] for replay in replays] == ["rejected", "stored"]
        command(served.store, "TRUNCATE TABLE dead_letter_replays")  # as after a crash before the letter was settled
        for _ in range(2):
            assert tidemark("dead-letters", "replay", letter, "--store", served.store).code == 0
        served.send("after", {"id": "after"})
        served.stored("after")
        # Its response lies in the store, where another collector might be completing the pair.
        assert eventually(lambda: stored_ids(served, "income") == ["e1"], 30) and len(letters(served)) == 1
    with up(tmp_path) as served:
        command(served.store, "TRUNCATE TABLE dead_letter_replays")
        assert tidemark("dead-letters", "replay", letter, "--store", served.store).code == 0
        served.send("after", {"id": "later"})
        served.stored("later")
        assert stored_ids(served, "income") == ["e1"]


def test_rows_the_store_refused_are_stored_once_it_takes_them(tmp_path: Path, tidemark: Tidemark) -> None:
    with up(tmp_path) as served:
        command(served.store, "ALTER TABLE predictions ADD CONSTRAINT nobody CHECK model != 'refused'")
        served.send("refused", {"id": "a", "inputs": {"n": 1}}, {"id": "b", "inputs": {"n": 2}})
        found = letters(served, 2, reason="store_refused", model="refused")
        assert sum(row["rows"] for row in found) == 2
        done = tidemark("dead-letters", "replay", "--model", "refused", "--json", "--store", served.store)
        assert done.code == 1 and {json.loads(line)["reason"] for line in done.out.splitlines()} == {"store_refused"}
        command(served.store, "ALTER TABLE predictions DROP CONSTRAINT nobody")
        for _ in range(2):
            done = tidemark("dead-letters", "replay", *(row["letter"] for row in found), "--store", served.store)
            assert done.code == 0, done
        assert sorted(stored_ids(served, "refused")) == ["a", "b"]
        assert letters(served, 0, settled=False) == []
        assert 'predictions_stored_total{model="refused",namespace="default"} 2.0' in served.get("/metrics").text


def test_any_bytes_can_be_looked_at_and_fetched(served: Up, tidemark: Tidemark, tmp_path: Path) -> None:
    body = b"\xff\x00\x1b]0;hush\x07"
    assert requests.post(f"{served.url}/api/predictions?model=bytes", body, timeout=20).status_code == 400
    [row] = letters(served, model="bytes")
    shown = served.get(f"/api/dead-letters/{row['letter']}").json()
    assert (shown["encoding"], b64decode(shown["body"]), shown["path"]) == (
        "base64",
        body,
        "/api/predictions?model=bytes",
    )
    raw = served.get(f"/api/dead-letters/{row['letter']}/body")
    assert raw.content == body and raw.headers["content-disposition"].startswith("attachment")
    file = tmp_path / "body"
    done = tidemark("dead-letters", "show", row["letter"], "--out", file, "--store", served.store)
    assert (done.code, file.read_bytes()) == (0, body) and "\x1b" not in done.out


def test_the_list_has_pages_and_filters(served: Up) -> None:
    for _ in range(3):
        requests.post(f"{served.url}/api/predictions?model=paged", b"{", timeout=20)
    wanted = letters(served, 3, model="paged", reason="bad_json", settled="false")
    assert [row["received"] for row in wanted] == sorted((row["received"] for row in wanted), reverse=True)
    page = served.get("/api/dead-letters", model="paged", limit=2).json()
    rest = served.get("/api/dead-letters", model="paged", limit=2, cursor=page["next"]).json()
    assert [*page["dead_letters"], *rest["dead_letters"]] == wanted and rest["next"] is None
    assert letters(served, 1, model="paged", since=wanted[0]["received"]) == wanted[:1]
    for path, status in (("?modle=x", 422), ("?cursor=x", 400), ("/nobody", 404), ("/nobody/body", 404)):
        assert served.get(f"/api/dead-letters{path}").status_code == status
    assert requests.post(f"{served.url}/api/dead-letters/nobody/replay", timeout=20).json()["field"] == "letter"


@pytest.mark.parametrize("words", [["x"], ["--reason", "bad_json"]])
def test_an_address_where_no_collector_is_is_named(served: Up, tidemark: Tidemark, words: list[str]) -> None:
    for path in ("/clickhouse", "/nowhere"):  # what answers everything with 200, as serve-store does, and with 404
        done = tidemark("dead-letters", "replay", *words, "--url", served.url + path)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert done.err.startswith(f"tidemark: {served.url}{path} is no collector: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay"], "say which"),
        (["replay", "x", "--model", "m"], "say which"),
        (["replay", "x"], "no collector answers at http://127.0.0.1:1: "),
        (["replay", "--since", "yesterday"], "--since yesterday"),
        (["show", "x"], "there is no store"),
        (["list"], "there is no store"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    tmp_path: Path, tidemark: Tidemark, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setenv("TIDEMARK_URL", "http://127.0.0.1:1")
    done = tidemark("dead-letters", *words, "--store", f"chdb://{tmp_path / 'none'}")
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert done.err.startswith("tidemark: ") and said in done.err
