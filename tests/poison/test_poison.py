"""Whatever is sent: an answer at once that is no 5xx, a process that lives on, neighbours and successors stored."""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson
import pytest
from payloads import LENGTH, PAYLOADS, Poison
from poisoned import ANSWER_SECONDS, MODEL, Tidemark, tidemark
from rows import ROWS

STORED_SECONDS = 60
GIGABYTE = 2**30
MOST_BYTES = 4 * GIGABYTE  # what 64 MB may become while they are looked at, and what the engine takes
_TYPE = "org.kubeflow.serving.inference."
_EVENT = {"specversion": "1.0", "source": "tests", "type": f"{_TYPE}request", "inferenceservicename": MODEL}
# An event of a batch is a letter of its own, which has the headers of no other.
_NAMED = "if(headers['x-poison'] = '', headers['ce-id'], headers['x-poison'])"
_CASE = f"if(source = 'http' AND body = '' AND empty(headers), 'head', {_NAMED})"
_GOOD_IDS = "' (before|after|next)$'"
_GOOD = b'{"instances":[[1]]}'

HEADERS = {
    "escaped-nul": {"ce-id": "%00", "ce-source": "%00"},
    "escaped-surrogate": {"ce-id": "%ED%A0%80"},
    "long-id": {"ce-id": "i" * 10_000},
    "deep-metadata": {"ce-metadata": "[" * 20_000},
    "closed-deep-metadata": {"ce-metadata": '{"a":' + "[" * 900 + "]" * 900 + "}"},
    "many-tags": {"ce-metadata": orjson.dumps({f"t{n}": "v" for n in range(1_000)}).decode()},
    "bad-time": {"ce-time": "yesterday"},
    "time-beyond": {"ce-time": "9999-12-31T23:59:59Z"},
    "bad-trace": {"traceparent": "00-zz"},
    "latin-1": {"ce-id": "\xe9\xff", "ce-metadata": "\xff"},
    "100,000-headers": {f"x-{n}": "v" for n in range(100_000)},
    "a-megabyte": {"x-large": "v" * 2**20},
    "10-megabytes": {"x-large": "v" * 10 * 2**20},
}


class Sent(NamedTuple):
    """What came back, and the ids of good predictions that came along."""

    status: int
    answer: bytes
    neighbours: tuple[str, ...] = ()


class Seen(NamedTuple):
    sent: Sent
    seconds: float
    next: str  # the id of the good prediction sent right after


def structured(name: str, poison: Poison) -> dict[str, str]:
    data = base64.b64encode(poison.body).decode()
    content_type = poison.headers.get("content-type", "application/json")
    said = {key: poison.headers[key] for key in (LENGTH,) if key in poison.headers}
    return {
        **_EVENT,
        "id": name,
        "data_base64": data,
        "datacontenttype": content_type,
        "metadata": orjson.dumps(said).decode(),
    }


def as_binary(name: str, poison: Poison, to: Tidemark) -> Sent:
    headers = {f"ce-{key}": value for key, value in _EVENT.items()}
    said = {"content-type": "application/json", "ce-id": name, "x-poison": name}
    return Sent(*to.post("/", poison.body, {**headers, **said, **poison.headers}))


def as_structured(name: str, poison: Poison, to: Tidemark) -> Sent:
    body = orjson.dumps(structured(name, poison))
    return Sent(*to.post("/events", body, {"content-type": "application/cloudevents+json", "x-poison": name}))


def as_batch(name: str, poison: Poison, to: Tidemark) -> Sent:
    """Between the halves of two good pairs."""
    before, after = f"{name} before", f"{name} after"
    halves = [{**_EVENT, "id": id, "type": _TYPE + kind} for id in (before, after) for kind in ("request", "response")]
    halves = [{**half, "data": {"instances": [1], "predictions": [2]}} for half in halves]
    body = orjson.dumps([*halves[:3], structured(name, poison), halves[3]])
    headers = {"content-type": "application/cloudevents-batch+json", "x-poison": name}
    return Sent(*to.post("/events", body, headers), (before, after))


def as_request(name: str, poison: Poison, to: Tidemark) -> Sent:
    headers = {"content-type": "application/json", "x-poison": name, **poison.headers}
    return Sent(*to.post(f"/tap/m/v1/models/{MODEL}:predict", poison.body, headers))


def as_response(name: str, poison: Poison, to: Tidemark) -> Sent:
    headers = {"content-type": "application/json", "x-poison": name, "x-answer": name}
    return Sent(*to.post(f"/tap/m/v2/models/{MODEL}/infer", _GOOD, headers))


def as_rows(name: str, poison: Poison, to: Tidemark) -> Sent:
    return Sent(*to.post(f"/api/predictions?model={MODEL}", poison.body, {"x-poison": name, **poison.headers}))


ROUTES: dict[str, Callable[[str, Poison, Tidemark], Sent]] = {
    "binary": as_binary,
    "structured": as_structured,
    "batch": as_batch,
    "request": as_request,
    "response": as_response,
}
CASES: dict[str, Callable[[Tidemark], Sent]] = {
    **{f"{r} {p}": partial(s, f"{r} {p}", PAYLOADS[p]) for r, s in ROUTES.items() for p in PAYLOADS},
    **{f"rows {name}": partial(as_rows, f"rows {name}", poison) for name, poison in ROWS.items()},
    **{f"headers {n}": partial(as_binary, f"headers {n}", Poison(_GOOD, HEADERS[n])) for n in HEADERS},
}


class Aftermath(NamedTuple):
    """What was seen after each case; what is in the store once everything good is; the most memory ever taken."""

    seen: Mapping[str, Seen]
    stored: frozenset[str]
    letters: Mapping[str, int]
    alive: bool
    peak_bytes: int


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    answers = {f"response {name}": poison for name, poison in PAYLOADS.items()}
    with tidemark(tmp_path_factory.mktemp("poison"), answers) as to:
        seen = {name: look(name, send, to) for name, send in CASES.items()}
        good = {id for one in seen.values() for id in (one.next, *one.sent.neighbours)}
        stored = all_stored(good, to)
        letters = all_letters({name for name, one in seen.items() if 400 <= one.sent.status < 431}, to)
        yield Aftermath(seen, stored, letters, to.process.poll() is None, to.peak_bytes())


def look(name: str, send: Callable[[Tidemark], Sent], to: Tidemark) -> Seen:
    begun = time.monotonic()
    try:
        sent = send(to)
    except OSError as error:
        sent = Sent(0, repr(error).encode())
    return Seen(sent, time.monotonic() - begun, to.good(f"{name} next"))


def all_stored(good: set[str], to: Tidemark) -> frozenset[str]:
    """The ids of good predictions that are stored, as soon as all of them are."""
    deadline = time.monotonic() + STORED_SECONDS
    while True:
        found = {id for (id,) in to.ask(f"SELECT DISTINCT id FROM predictions WHERE match(id, {_GOOD_IDS})")}
        if good <= found or time.monotonic() > deadline:
            return frozenset(found)
        time.sleep(0.2)


def all_letters(refused: set[str], to: Tidemark) -> Mapping[str, int]:
    """How many dead letters each case left, as soon as all that were refused left one."""
    deadline = time.monotonic() + STORED_SECONDS
    while True:
        found = to.ask(f"SELECT {_CASE} AS case, count() FROM dead_letters GROUP BY case")
        letters = {name: int(count) for name, count in found}
        if refused <= letters.keys() or time.monotonic() > deadline:
            return letters
        time.sleep(0.2)


def problem(sent: Sent) -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(sent.answer)
    return said


@pytest.mark.parametrize("case", CASES)
def test_it_is_answered_at_once_with_success_or_with_what_is_wrong(case: str, aftermath: Aftermath) -> None:
    sent, seconds, _ = aftermath.seen[case]
    assert seconds < ANSWER_SECONDS
    if sent.status // 100 == 2:
        return
    said = problem(sent)
    assert 400 <= sent.status == said["status"] < 500
    assert said["reason"] and said["detail"]
    assert sent.status not in (413, 431) or "(limits." in said["detail"]


@pytest.mark.parametrize("case", CASES)
def test_what_comes_beside_it_and_after_it_is_stored(case: str, aftermath: Aftermath) -> None:
    sent, _, after = aftermath.seen[case]
    assert {after, *sent.neighbours} <= aftermath.stored


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_leaves_one_dead_letter(case: str, aftermath: Aftermath) -> None:
    status = aftermath.seen[case].sent.status
    if status != 431:  # of a head that is too long nothing is kept
        assert status // 100 != 4 or aftermath.letters[case] == 1


@pytest.mark.parametrize("route", ["binary", "structured", "batch", "request", "response"])
@pytest.mark.parametrize(
    "name", ["brackets", "bomb", "shape-negative", "not-utf-8", "a-million-fields", "bytes-that-lie"]
)
def test_an_unreadable_payload_is_a_dead_letter_wherever_it_comes_from(
    name: str, route: str, aftermath: Aftermath
) -> None:
    assert aftermath.letters.get(f"{route} {name}", 0) >= 1


def test_the_process_lives_and_its_memory_stayed_bounded(aftermath: Aftermath) -> None:
    assert aftermath.alive
    assert aftermath.peak_bytes < MOST_BYTES


def test_a_refused_head_is_a_dead_letter_of_which_nothing_is_kept(aftermath: Aftermath) -> None:
    assert [aftermath.seen[f"headers {name}"].sent.status for name in list(HEADERS)[-3:]] == [431] * 3
    assert aftermath.letters["head"] == 3
