"""One connection to a server that may be killed at any moment."""

from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from threading import Event


class Gone(Exception):
    """No answer: nobody knows whether it was taken."""


class Client:
    """One connection. `answered` is called in the moment a 2xx has come."""

    def __init__(self, port: int, stop: Event | None = None, answered: Callable[[], None] = lambda: None) -> None:
        self._connection, self._stop, self._answered = (
            HTTPConnection("127.0.0.1", port, timeout=20),
            stop or Event(),
            answered,
        )

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        if self._stop.is_set():
            raise Gone
        try:
            self._connection.request("POST", path, body, {"content-type": "application/json", **headers})
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException):
            raise Gone from None
        assert answer.status // 100 == 2, said
        self._answered()
