"""GET /api/ledger says what became of everything, and goes on with the same counts after any end of the process."""

import signal
from pathlib import Path
from typing import Any

import pytest
import requests
from up_process import Up, eventually, up

TENSOR = {"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [7, 8]}
SAMPLED = "models: {sampled: {sample: 0.5}}"
EXPECTED = {
    ("api", ""): {"received": 4, "accepted": 3, "rejected": 1},
    ("api", "m"): {"accepted": 4, "stored": 2, "duplicate": 1, "conflict": 1},
    ("api", "sampled"): {"accepted": 100, "stored": 50, "sampled": 50},
    ("events", ""): {"received": 4, "accepted": 3, "rejected": 1},
    ("events", "m"): {"accepted": 4, "stored": 2, "waiting": 2},
}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_ledger_counts_everything_once_across_the_end_of_the_process(tmp_path: Path, end: signal.Signals) -> None:
    with up(tmp_path, SAMPLED) as served:
        send(served)
        shares = eventually(lambda: settled(served))
        served.process.send_signal(end)
        served.process.wait(20)
    with up(tmp_path, SAMPLED) as served:
        expected = {**EXPECTED, ("api", "sampled"): shares}
        assert eventually(lambda: counts(served) == expected)
        served.send("m", {"id": "a", "inputs": {"x": 1}}, {"id": "new", "inputs": {"x": 1}})
        more = {"accepted": 6, "stored": 3, "duplicate": 2, "conflict": 1}
        assert eventually(lambda: counts(served).get(("api", "m")) == more)
        assert served.get("/api/ledger").json()["difference"] == 0
        assert 'tidemark_ledger_difference{unit="row"} 0.0' in served.get("/metrics").text


def send(served: Up) -> None:
    served.send("m", {"id": "a", "inputs": {"x": 1}}, {"id": "b", "inputs": {"x": 1}})
    served.send("m", {"id": "a", "inputs": {"x": 1}}, {"id": "b", "inputs": {"x": 2}})
    served.send("sampled", *({"id": f"s{n}", "inputs": {"x": n}} for n in range(100)))
    assert requests.post(f"{served.url}/api/predictions", b"{", timeout=10).status_code == 400
    served.event("request", "m", "pair", {"inputs": [TENSOR]})
    served.event("response", "m", "pair", {"outputs": [TENSOR]})
    served.event("request", "m", "alone", {"inputs": [TENSOR]})
    assert requests.post(served.url, b"no event", timeout=10).status_code == 400


def settled(served: Up) -> dict[str, int] | None:
    """What became of the sampled rows, once the flush has come to the end of all that was sent."""
    found = counts(served)
    sampled = found.pop(("api", "sampled"), {})
    done = sampled.get("stored", 0) + sampled.get("sampled", 0) == 100
    expected = {key: said for key, said in EXPECTED.items() if key != ("api", "sampled")}
    return sampled if done and found == expected else None


def counts(served: Up) -> dict[tuple[str, str], dict[str, int]]:
    """Each line without what is 0; every difference is 0."""
    entries: list[dict[str, Any]] = served.get("/api/ledger").json()["entries"]
    assert [entry["difference"] for entry in entries] == [0] * len(entries)
    words = ("received", "accepted", "rejected", "stored", "duplicate", "conflict", "sampled", "waiting")
    for entry in entries:  # a half waits in flight, and after five seconds as an orphan
        entry["waiting"] = entry.get("orphans", 0) + entry.get("in_flight", 0)
    return {(e["tap"], e["model"]): {word: e[word] for word in words if e.get(word)} for e in entries}
