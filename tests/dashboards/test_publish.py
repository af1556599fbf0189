import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from core.errors import ConfigError, TidemarkError
from dashboards import DASHBOARDS
from dashboards.publish import as_json, push

Sent = list[tuple[str, str, dict[str, Any]]]


@contextmanager
def grafana(status: int, answer: bytes) -> Iterator[tuple[str, Sent]]:
    """A server that answers every POST the same and records what was sent: (path, authorization, body)."""
    sent: Sent = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sent.append((self.path, self.headers["Authorization"], body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


SAVED = json.dumps({"status": "success", "uid": "tidemark-model-monitoring", "url": "/d/tidemark/board"}).encode()


def test_each_dashboard_is_created_or_overwritten_by_its_uid_with_the_token() -> None:
    with grafana(200, SAVED) as (url, sent):
        assert push(url, {"GRAFANA_TOKEN": "t0ken"}) == [f"{url}/d/tidemark/board"]
    assert len(sent) == len(DASHBOARDS)
    path, authorization, body = sent[0]
    assert (path, authorization) == ("/api/dashboards/db", "Bearer t0ken")
    assert body["overwrite"] is True
    assert body["dashboard"] == as_json("model_monitoring") | {"id": None}


def test_a_user_with_a_password_will_do_and_grafana_may_live_under_a_path() -> None:
    with grafana(200, SAVED) as (url, sent):
        push(f"{url}/grafana/", {"GRAFANA_USER": "ada", "GRAFANA_PASSWORD": "pw"})
    path, authorization, _ = sent[0]
    assert path == "/grafana/api/dashboards/db"
    assert authorization == "Basic " + base64.b64encode(b"ada:pw").decode()


def test_refused_credentials_are_named_as_the_reason() -> None:
    with (
        grafana(401, b'{"message": "Invalid API key"}') as (url, _),
        pytest.raises(TidemarkError, match=r"answers 401: it does not take these credentials"),
    ):
        push(url, {"GRAFANA_TOKEN": "wrong"})


def test_grafanas_own_words_tell_what_it_does_not_like() -> None:
    with (
        grafana(412, b'{"message": "the dashboard is provisioned"}') as (url, _),
        pytest.raises(TidemarkError, match=r"answers 412: .*the dashboard is provisioned"),
    ):
        push(url, {"GRAFANA_TOKEN": "t"})


def test_something_else_than_grafana_behind_the_address_is_one_clear_line() -> None:
    with (
        grafana(200, b"<html>log in</html>") as (url, _),
        pytest.raises(TidemarkError, match=f"{url} does not answer as Grafana does"),
    ):
        push(url, {"GRAFANA_TOKEN": "t"})


def test_an_unreachable_grafana_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TidemarkError, match=f"Grafana at {url} cannot be reached"):
            push(url, {"GRAFANA_TOKEN": "t"})


def test_without_credentials_it_says_which_variables_to_set() -> None:
    with pytest.raises(ConfigError, match="GRAFANA_TOKEN"):
        push("http://127.0.0.1:3000", {"GRAFANA_USER": "ada"})


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://grafana", "http://"])
def test_what_is_no_address_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a Grafana"):
        push(url, {"GRAFANA_TOKEN": "t"})
