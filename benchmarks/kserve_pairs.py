"""Post request and response events as KServe's logger does.

`python -m benchmarks.kserve_pairs PORT PREDICTIONS CONNECTIONS [PER_SECOND]`

Each prediction is two CloudEvents (binary mode) with one ce-id and 12 features, prepared beforehand and written to raw
sockets on 127.0.0.1, so that one core of sender keeps ahead of the server. Without PER_SECOND it sends as fast as
answers come. Prints predictions/s, latency and the answers that were not 2xx, as one JSON object.
"""

import asyncio
import json
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

HEAD = (
    "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nce-specversion: 1.0\r\n"
    "ce-source: http://localhost:9081/\r\nce-inferenceservicename: income\r\nce-namespace: default\r\n"
    "ce-component: predictor\r\nce-endpoint: \r\nce-time: {now}\r\nce-id: {ident}\r\n"
    "ce-type: org.kubeflow.serving.inference.{kind}\r\ncontent-length: {length}\r\n\r\n"
)


@dataclass
class Answers:
    """What came back: seconds each answer took, and statuses that were not 2xx."""

    latencies: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


async def main(port: int, predictions: int, connections: int, per_second: int = 0) -> None:
    prepared, answers, loop = list(messages(predictions)), Answers(), asyncio.get_running_loop()
    gap = connections / (2 * per_second) if per_second else 0.0
    senders = [Sender(prepared[k::connections], gap, answers, loop.create_future()) for k in range(connections)]
    start = time.perf_counter()
    for sender in senders:
        await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.sleep(gap / connections)  # one after the other, not all at the same moments
    await asyncio.gather(*(sender.done for sender in senders))
    seconds = time.perf_counter() - start
    latencies = sorted(answers.latencies)
    print(
        json.dumps(
            {
                "predictions_per_second": predictions / seconds,
                "p50_ms": latencies[len(latencies) // 2] * 1e3,
                "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3,
                "refused": answers.refused,
            }
        )
    )


class Sender(asyncio.Protocol):
    """Sends its messages one after the other over one connection, each when the last was answered."""

    def __init__(self, mine: list[bytes], gap: float, answers: Answers, done: "asyncio.Future[None]") -> None:
        self.mine, self.gap, self.answers, self.done = iter(mine), gap, answers, done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.due = transport, time.perf_counter()
        self._send()

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1"):
            return  # the rest of an answer that came in two pieces
        now = time.perf_counter()
        self.answers.latencies.append(now - self.sent)
        if (status := data[9:12].decode())[0] != "2":
            self.answers.refused[status] += 1
        self.due += self.gap
        wait = self.due - now if self.gap else 0
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed by the server"))

    def _send(self) -> None:
        message = next(self.mine, None)
        if message is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self.sent = self.due if self.gap else time.perf_counter()
        self.transport.write(message)


def messages(predictions: int) -> Iterator[bytes]:
    """Request and response in turns, whole HTTP requests."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for _ in range(predictions):
        ident = str(uuid.uuid4())
        for kind, body in (("request", _request(ident)), ("response", _response(ident))):
            payload = json.dumps(body)
            yield (HEAD.format(now=now, ident=ident, kind=kind, length=len(payload)) + payload).encode()


def _request(ident: str) -> dict[str, object]:
    features = [random.gauss(0, 1) for _ in range(12)]
    return {"id": ident, "inputs": [{"name": "x", "shape": [1, 12], "datatype": "FP64", "data": features}]}


def _response(ident: str) -> dict[str, object]:
    output = {"name": "p", "shape": [1, 1], "datatype": "FP64", "data": [random.random()]}
    return {"model_name": "income", "model_version": "1", "id": ident, "outputs": [output]}


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
