"""A full disk: senders are told to come back, nothing crashes, and with room again everything goes on by itself."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from checks import read
from killable import Killable, eventually
from small_disk import small_disk

ROWS_PER_CALL = 20
PADDING = "y" * 300


class Answer(NamedTuple):
    status: int
    retry_after: str
    detail: str


class Sender:
    """Calls of a few rows each; `accepted` and `refused` are their numbers."""

    def __init__(self, up: Killable) -> None:
        self._up, self.accepted, self.refused = up, set[int](), set[int]()

    def send(self, number: int) -> Answer:
        rows = [{"id": id, "inputs": {"x": 0, "padding": PADDING}} for id in ids_of(number)]
        with closing(HTTPConnection("127.0.0.1", self._up.port, timeout=10)) as connection:
            body = json.dumps({"model": "r", "predictions": rows})
            connection.request("POST", "/api/predictions", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
        if answer.status == 202:
            self.accepted.add(number)
            self.refused.discard(number)
        elif number not in self.accepted:
            self.refused.add(number)
        return Answer(answer.status, answer.headers.get("retry-after", ""), said.get("detail", ""))

    def until(self, status: int) -> Answer:
        """Send new rows until the answer is this; everything else is the other of 202 and 503."""
        deadline = time.monotonic() + 30
        while (answer := self.send(len(self.accepted | self.refused))).status != status:
            assert answer.status in (202, 503) and time.monotonic() < deadline, answer
        return answer


def test_a_full_disk_of_the_log_is_a_clear_503_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        up = Killable(tmp_path, f"wal: {{dir: {disk.folder / 'log'}}}\n")
        with running(up):
            sender = Sender(up)
            sender.until(202)
            disk.fill(left_bytes=1_000_000)
            assert sender.until(503) == Answer(503, "1", "the disk of the log is full")
            # What is in the log is stored within a second, and gives its room back although the disk stays full.
            sender.until(202)
            disk.fill(left_bytes=0)
            sender.until(503)
            assert up.metric("tidemark_events_total") > len(sender.accepted) and up.get("/livez")[0] == 200
            disk.free()
            eventually(lambda: sender.send(0).status == 202)
            send_again_what_was_refused(sender)
            up.stop()
        check(up, sender)


def test_a_full_disk_of_log_and_store_keeps_what_was_accepted_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 200) as disk:
        up = Killable(disk.folder)
        with running(up):
            sender = Sender(up)
            sender.until(202)
            disk.fill(left_bytes=1_000_000)
            assert sender.until(503) == Answer(503, "1", "the disk of the log is full")
            disk.fill(left_bytes=0)
            shed = shed_of(up)
            time.sleep(3)  # for flushes that find no room
            assert sender.send(0).status == 503 and eventually(lambda: shed_of(up) > shed)
            assert up.ledger()["difference"] == 0 and up.metric("tidemark_dead_letters_total") == 0
            disk.free()
            eventually(lambda: sender.send(0).status == 202)
            send_again_what_was_refused(sender)
            up.stop()
        check(up, sender)


def test_killed_and_started_again_while_the_disk_is_full_it_goes_on_where_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        up = Killable(tmp_path, f"wal: {{dir: {disk.folder / 'log'}}}\n")
        with running(up):
            sender = Sender(up)
            sender.until(202)
            disk.fill(left_bytes=500_000)
            sender.until(503)
            disk.fill(left_bytes=0)
            up.kill()
            up.start()
            disk.free()
            eventually(lambda: sender.send(0).status == 202)
            send_again_what_was_refused(sender)
            up.stop()
        check(up, sender)


def test_a_store_whose_disk_takes_no_more_files_costs_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 200) as disk:
        up = Killable(disk.folder, f"wal: {{dir: {tmp_path / 'log'}}}\n")
        with running(up):
            sender = Sender(up)
            sender.until(202)
            eventually(lambda: up.ledger()["difference"] == 0 and stored(up) == ROWS_PER_CALL)
            disk.take_more_files(2)
            for number in range(1, 20):
                assert sender.send(number).status == 202
            eventually(lambda: "cannot be reached" in up.said.read_text())
            assert up.metric("tidemark_dead_letters_total") == 0 and stored(up) == ROWS_PER_CALL
            disk.take_more_files(100_000)
            eventually(lambda: stored(up) == 20 * ROWS_PER_CALL)
            up.stop()
        check(up, sender)


def stored(up: Killable) -> int:
    return sum(entry.get("stored", 0) for entry in up.ledger()["entries"])


@contextmanager
def running(up: Killable) -> Iterator[None]:
    up.start()
    try:
        yield
    finally:
        up.kill()


def shed_of(up: Killable) -> int:
    return sum(entry.get("shed", 0) for entry in up.ledger()["entries"])


def send_again_what_was_refused(sender: Sender) -> None:
    """Half of it; nothing of the other half may be there."""
    for number in sorted(sender.refused)[::2]:
        assert sender.send(number).status == 202


def check(up: Killable, sender: Sender) -> None:
    """Everything accepted is there once, and the ledger says as much; nothing is there of what was refused."""
    found = read(up.store)
    wanted = {id for number in sender.accepted for id in ids_of(number)}
    there = {id: n for (_, id, _, _), n in found.predictions.items()}
    assert there == dict.fromkeys(wanted, 1)
    counts = [line["counts"] for line in found.ledger if line["unit"] == "row"]
    assert sum(count["stored"] for count in counts) == len(wanted)
    assert [line for line in found.ledger if line["difference"]] == []


def ids_of(number: int) -> list[str]:
    return [f"{number}-{row}" for row in range(ROWS_PER_CALL)]
