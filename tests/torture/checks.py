"""What a store must hold after all that was sent, and what its ledger must say."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from calls import Call, Pair, halves_of, value_of
from killable import Killable

from storage import open_engine


class Found(NamedTuple):
    """How often each prediction is there, by model, id and values; each half without a partner, by id, kind and value;
    and the lines of the ledger.
    """

    predictions: Counter[tuple[str, str, float | None, float | None]]
    waiting: Counter[tuple[str, str, int]]
    ledger: list[dict[str, Any]]

    def row(self, id: str, value: int) -> int:
        return self.predictions["r", id, value, None]

    def paired(self, pair: Pair) -> set[int]:
        """How often each row of the pair is there."""
        return {self.predictions["m", id, pair.value, pair.value] for id in pair.ids}

    def proxied(self, id: str) -> int:
        return self.predictions["p", id, 0, 0]


def read(store: Path) -> Found:
    """For a store that no process has open."""
    engine = open_engine(f"chdb://{store}")
    try:
        number = "if(mapContains({0}, '{1}'), {0}['{1}'], NULL) AS {1}"
        x, y = number.format("inputs_num", "x"), number.format("outputs_num", "y")
        rows = engine.rows(f"SELECT model, id, {x}, {y} FROM predictions FINAL")
        halves = engine.rows("SELECT request_id, kind, body FROM halves FINAL WHERE done = 0")
        ledger = engine.rows("SELECT model, unit, counts, difference FROM ledger FINAL")
    finally:
        engine.close()
    predictions = Counter((row["model"], row["id"], row["x"], row["y"]) for row in rows)
    waiting = Counter((row["request_id"], row["kind"], value_of(_bytes(row["body"]))) for row in halves)
    return Found(predictions, waiting, [{**line, "counts": dict(line["counts"])} for line in ledger])


def _bytes(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body


def none(wrong: Sequence[object], what: str) -> None:
    """Of tens of thousands a report shows the first few."""
    if wrong:
        raise AssertionError(f"{len(wrong)} {what}: {wrong[:5]}")


def check_calls(found: Found, calls: Sequence[Call]) -> None:
    """Acknowledged rows once each; of a call that nobody answered all rows or none."""
    counted = [(call, {found.row(id, call.value) for id in call.ids}) for call in calls]
    none([said for said in counted if said[0].acknowledged and said[1] != {1}], "acknowledged rows that are not there")
    none([said for said in counted if said[1] not in ({0}, {1})], "rows of calls that are there in part")


def check_pairs(found: Found, pairs: Sequence[Pair]) -> None:
    """Whole pairs once each and nothing of them left; halves without a partner wait, once."""
    counted = [(pair, found.paired(pair)) for pair in pairs]
    none([said for said in counted if said[0].whole and said[1] != {1}], "acknowledged pairs that are not there")
    none([said for said in counted if said[1] not in ({0}, {1})], "pairs that are there in part")
    wrong = [
        (half, found.waiting[half], pair) for half, pair in halves_of(pairs).items() if not _right(found, half, pair)
    ]
    none(wrong, "halves that wait and should not, or do not and should")


def _right(found: Found, half: tuple[str, str, int], pair: Pair) -> bool:
    """A half of a stored pair does not wait; of others an acknowledged one waits, once."""
    waits = found.waiting[half]
    if found.paired(pair) == {1}:
        return waits == 0
    return waits == 1 if half[1] in pair.acknowledged else waits in (0, 1)


def check_nothing_else(found: Found, calls: Sequence[Call], pairs: Sequence[Pair], proxied: Sequence[str]) -> None:
    known: set[tuple[str, str, float | None, float | None]] = {("p", id, 0, 0) for id in proxied}
    known |= {("r", id, call.value, None) for call in calls for id in call.ids}
    known |= {("m", id, pair.value, pair.value) for pair in pairs for id in pair.ids}
    assert found.predictions.keys() - known == set()
    assert {key: n for key, n in found.predictions.items() if n != 1} == {}
    assert found.waiting.keys() - halves_of(pairs).keys() == set()


def check_ledger(found: Found, pairs: Sequence[Pair]) -> int:
    """It adds up and agrees with the store; returns how many halves too many it counts as orphans.

    Those were completed from the store less than a second before a kill.
    """
    assert [line for line in found.ledger if line["difference"]] == []
    counts = [line["counts"] for line in found.ledger if line["unit"] == "row"]
    assert sum(count["stored"] + count["conflict"] for count in counts) == found.predictions.total()
    sent = halves_of(pairs)
    orphans = sum(sent[half].rows * n for half, n in found.waiting.items())
    return sum(int(count["orphans"]) for count in counts) - orphans


def check_difference(up: Killable) -> None:
    """As it stands, under load."""
    said = up.ledger()
    assert said.get("difference", 0) == 0, said
