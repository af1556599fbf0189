"""Once a token is configured: who may call what, how the token may come, and what goes on to an upstream."""

from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import clickhouse_connect
import pytest
import requests
from bearers import Bearer, Guarded, guarded
from clickhouse_connect.driver.exceptions import DatabaseError
from up_process import Tidemark

SCOPES = ("ingest", "read", "admin")
INFER = "/tap/m/v2/models/income/infer"


class Echo(BaseHTTPRequestHandler):
    """An upstream that answers with the headers it was sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = str(self.headers).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, upstream: str) -> Iterator[Guarded]:
    """A token for each scope, named after it."""
    declared = {scope: f"scopes: [{scope}]" for scope in SCOPES}
    taps = f"taps: [{{name: m, upstream: '{upstream}'}}]"
    with guarded(tmp_path_factory.mktemp("access"), declared, taps) as started:
        yield started


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/", "ingest"),
        ("POST", "/events", "ingest"),
        ("POST", "/api/predictions", "ingest"),
        ("POST", "/api/labels", "ingest"),
        ("POST", INFER, "ingest"),
        ("GET", "/tap/m/v2", "ingest"),
        ("GET", "/", "read"),
        ("GET", "/api/predictions", "read"),
        ("GET", "/api/predictions/x", "read"),
        ("GET", "/api/models", "read"),
        ("GET", "/metrics", "read"),
        ("GET", "/docs", "read"),
        ("GET", "/openapi.json", "read"),
        ("GET", "/of/a/later/version", "read"),
        ("POST", "/api/predictions/x/explanations", "admin"),
        ("DELETE", "/api/models", "admin"),
        ("POST", "/of/a/later/version", "admin"),
    ],
)
def test_a_call_needs_one_scope_and_no_other_will_do(service: Guarded, method: str, path: str, scope: str) -> None:
    for name in SCOPES:
        answer = service[name].call(method, path, json={})
        if name == scope:
            assert answer.status_code not in (401, 403), answer.text
            continue
        assert (answer.status_code, answer.json()["reason"]) == (403, "missing_scope")
        assert f"has not the scope '{scope}'" in answer.json()["detail"]
        challenge = answer.headers["www-authenticate"]
        assert challenge == f'Bearer realm="tidemark", error="insufficient_scope", scope="{scope}"'
    for token, error in (("", None), ("tidemark_" + "x" * 43, "invalid_token"), ("nonsense", "invalid_token")):
        answer = service[token].call(method, path, json={})
        assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith('Bearer realm="tidemark"') and (error is None) == ("error=" not in challenge)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_are_open(service: Guarded, path: str) -> None:
    assert service[""].get(path).status_code == 200


def test_refused_calls_are_counted_and_leave_nothing(service: Guarded) -> None:
    before = service["read"].get("/metrics").text
    assert service[""].rows("default", "m", {"inputs": {"x": 1}}).status_code == 401
    after = service["read"].get("/metrics").text
    assert refused(after, "no_token") == refused(before, "no_token") + 1
    letters, later = ([n for n in text.splitlines() if "dead_letters_total{" in n] for text in (before, after))
    assert letters == later


def refused(metrics: str, reason: str) -> float:
    (line,) = [line for line in metrics.splitlines() if f'refused_calls_total{{reason="{reason}"}}' in line]
    return float(line.split()[-1])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_in_any_case(service: Guarded, scheme: str) -> None:
    token = service.tokens["read"]
    assert service[""].call("GET", "/api/models", headers={"authorization": f"{scheme} {token}"}).status_code == 200


def test_a_sender_that_only_takes_a_url_puts_the_token_into_it(service: Guarded) -> None:
    """As Go's HTTP client, and so KServe's logger, does: https://any:<token>@host/ becomes Basic."""
    url = service.up.url.replace("http://", f"http://kserve:{service.tokens['ingest']}@")
    assert Bearer(url, "").event("default", "by-url", "u1").status_code == 200


def test_a_token_in_the_query_is_none(service: Guarded) -> None:
    """It would lie in every proxy's log."""
    assert service[""].get("/api/models", token=service.tokens["read"]).status_code == 401


def test_a_browser_is_asked_for_the_token_as_a_password_when_it_reads(service: Guarded) -> None:
    asked = service[""].get("/docs").headers["www-authenticate"]
    assert asked == 'Bearer realm="tidemark", Basic realm="tidemark", charset="UTF-8"'
    assert "Basic" not in service[""].call("POST", "/", json={}).headers["www-authenticate"]


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 401), ("same-site", 401), ("same-origin", 200), ("none", 200)]
)
def test_another_site_cannot_use_what_a_browser_remembers(service: Guarded, site: str, status: int) -> None:
    basic = b64encode(f"me:{service.tokens['read']}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "sec-fetch-site": site}
    assert service[""].call("GET", "/api/models", headers=headers).status_code == status


@pytest.mark.parametrize("value", ["", "Basic", "Basic !", "Basic eA==", "Bearer", "Bearer ", "Negotiate x", "\xff"])
def test_credentials_that_are_none_are_a_401(service: Guarded, value: str) -> None:
    headers = {"authorization": value.encode("latin-1")}
    assert service[""].call("GET", "/api/models", headers=headers).status_code == 401


def test_an_upstream_is_not_shown_the_token_it_is_guarded_by(service: Guarded) -> None:
    seen = service["ingest"].call("POST", INFER, json={}).text.lower()
    assert "content-type" in seen and "authorization" not in seen and service.tokens["ingest"].lower() not in seen


def test_an_upstream_with_tokens_of_its_own_gets_them_beside_ours(service: Guarded) -> None:
    headers = {"authorization": "Bearer theirs", "x-tidemark-token": service.tokens["ingest"]}
    seen = service[""].call("POST", INFER, json={}, headers=headers).text.lower()
    assert "authorization: bearer theirs" in seen and "x-tidemark-token" not in seen


def test_sql_is_for_admins_and_the_owner(service: Guarded, tidemark: Tidemark) -> None:
    port = int(service.up.url.rpartition(":")[2])

    def ask(token: str) -> object:
        client = clickhouse_connect.get_client(
            host="127.0.0.1", port=port, password=token, proxy_path="clickhouse", database="tidemark"
        )
        try:
            return client.query("SELECT 7").result_rows[0][0]
        finally:
            client.close()

    assert ask(service.tokens["admin"]) == 7
    for token in ("", "nonsense", service.tokens["read"], service.tokens["ingest"]):
        with pytest.raises(DatabaseError, match="516"):
            ask(token)
    bearer = {"authorization": f"Bearer {service.tokens['admin']}"}
    assert requests.get(f"{service.up.url}/clickhouse/?query=SELECT+7", headers=bearer, timeout=9).text == "7\n"
    assert "7" in tidemark("query", "SELECT 7", "--store", service.up.store).out
    assert tidemark("migrate", "--store", service.up.store).code == 0
