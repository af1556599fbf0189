"""What the tap passes is what was sent, in both directions."""

import gzip
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from raw_http import Upstream, Wire, answer, connected, ok, post, send
from tap_service import Service

OF_ONE_CONNECTION = {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"x-mine"}


def test_request_headers_arrive_as_they_were_sent(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b""))
    sent = [
        (b"Host", b"models.example.com:8443"),
        (b"X-Twice", b"one"),
        (b"x-twice", b"two, three"),
        (b"Cookie", b"a=b"),
        (b"Authorization", b"Bearer s3cret"),
        (b"X-Latin", "caf\u00e9".encode()),
        (b"Content-Length", b"2"),
    ]
    lines = b"".join(b"%s: %s\r\n" % pair for pair in sent)
    send(service.port, b"POST /tap/m/some/path HTTP/1.1\r\n" + lines + b"\r\n{}")
    (request,) = upstream.requests
    assert sorted((name.lower(), value) for name, value in request.headers) == sorted(
        (name.lower(), value) for name, value in sent
    )
    assert request.body == b"{}"


def test_headers_of_one_connection_end_there(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b"x", "Connection: keep-alive, X-Mine", "X-Mine: 1", "Keep-Alive: timeout=5", "X-Ours: 2"))
    got = send(
        service.port,
        b"GET /tap/m/x HTTP/1.1\r\nHost: h\r\nConnection: close, X-Mine\r\n"
        b"X-Mine: 1\r\nTE: trailers\r\nX-Ours: 2\r\n\r\n",
    )
    (request,) = upstream.requests
    assert not {name.lower() for name, _ in request.headers} & OF_ONE_CONNECTION
    assert request.header(b"x-ours") == [b"2"]
    assert sorted(got.headers) == [("connection", "close"), ("content-length", "1"), ("x-ours", "2")]


@pytest.mark.parametrize(
    "target",
    [
        "/a?x=1&y=%20&x=2",
        "/a%2Fb/%C3%A9/c%20d",
        "/a/../b/./c",
        "//double//slashes/",
        "/",
        "/v1/models/m:predict?names=a,b",
        "/a;p=1/@:!$&'()*+,=~",
        "/q?redirect=http://other/%3Fa=b",
        "/%00%ff",
    ],
)
def test_path_and_query_arrive_as_they_were_sent(service: Service, upstream: Upstream, target: str) -> None:
    upstream.answering(ok(b""))
    send(service.port, f"GET /tap/m{target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    assert upstream.requests[0].line == f"GET {target} HTTP/1.1".encode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "POST"])
def test_every_method_passes_with_and_without_a_body(service: Service, upstream: Upstream, method: str) -> None:
    upstream.answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    for body in (b"", b"some"):
        head = f"{method} /tap/m/x HTTP/1.1\r\nHost: h\r\ncontent-length: {len(body)}\r\n\r\n"
        assert send(service.port, head.encode() + body).status == 200
        assert upstream.requests[-1].body == body
        assert upstream.requests[-1].line == f"{method} /x HTTP/1.1".encode()


def test_answer_headers_pass_and_none_is_added(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b"{}", "Set-Cookie: a=1", "Set-Cookie: b=2", "X-Odd: a  b", 'ETag: ""'))
    got = post(service.port, "/tap/m/x")
    assert got.headers == [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-odd", "a  b"),
        ("etag", '""'),
        ("content-length", "2"),
    ]


def test_cookies_are_passed_and_not_kept(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b"", "Set-Cookie: session=1; Path=/"))
    post(service.port, "/tap/m/x")
    post(service.port, "/tap/m/x")
    assert upstream.requests[1].header(b"cookie") == []


def test_long_headers_pass_both_ways(service: Service, upstream: Upstream) -> None:
    long = "x" * 30_000
    upstream.answering(ok(b"", f"X-Long: {long}"))
    got = post(service.port, "/tap/m/x", x_long=long)
    assert upstream.requests[0].header(b"x-long") == [long.encode()]
    assert got.header("x-long") == [long]


@pytest.mark.parametrize("status", ["201 Created", "301 Moved Permanently", "404 Not Found", "418 I'm a Teapot"])
def test_statuses_pass_and_redirects_are_not_followed(service: Service, upstream: Upstream, status: str) -> None:
    upstream.answering(ok(b"body", "Location: /elsewhere", status=status))
    got = post(service.port, "/tap/m/x")
    assert (got.status, got.body, got.header("location")) == (int(status[:3]), b"body", ["/elsewhere"])
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("head", ["204 No Content", "304 Not Modified\r\ncontent-length: 7", "304 Not Modified"])
def test_answers_that_have_no_body_leave_the_connection_usable(
    service: Service, upstream: Upstream, head: str, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.answering(f"HTTP/1.1 {head}\r\netag: x\r\n\r\n".encode(), ok(b"next"))
    with connected(service.port) as connection:
        for expected in (b"", b"next"):
            connection.sendall(b"GET /tap/m/x HTTP/1.1\r\nHost: h\r\n\r\n")
            assert answer(connection, "GET").body == expected
    assert not caplog.records


def test_an_answer_to_head_says_its_length_and_has_no_body(service: Service, upstream: Upstream) -> None:
    upstream.answering(b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n")
    with connected(service.port) as connection:
        for _ in range(2):
            connection.sendall(b"HEAD /tap/m/x HTTP/1.1\r\nHost: h\r\n\r\n")
            got = answer(connection, "HEAD")
            assert (got.header("content-length"), got.body) == (["12345"], b"")


def test_early_hints_are_passed_over(service: Service, upstream: Upstream) -> None:
    upstream.answering(b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n" + ok(b"final"))
    assert post(service.port, "/tap/m/x").body == b"final"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
def test_encoded_bodies_are_left_as_they_are(service: Service, upstream: Upstream, encoding: str) -> None:
    body = gzip.compress(b"whatever it is")
    upstream.answering(ok(body, f"content-encoding: {encoding}"))
    got = post(service.port, "/tap/m/x", body, content_encoding=encoding)
    assert upstream.requests[0].body == got.body == body
    assert got.header("content-encoding") == upstream.requests[0].header(b"content-encoding")[0].decode().split()


def test_a_chunked_upload_arrives_whole(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b"got it"))
    head = b"POST /tap/m/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [bytes([65 + n]) * size for n, size in enumerate((1, 70_000, 3))]
    assert (
        send(service.port, head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n").status == 200
    )
    assert upstream.requests[0].body == b"".join(parts)


def test_an_upload_streams_while_it_is_sent(service: Service, upstream: Upstream) -> None:
    first = Event()

    def script(wire: Wire) -> None:
        wire.head()
        assert wire.file.read(5) == b"first"
        first.set()
        wire.file.read(6)
        wire.send(ok(b""))

    upstream.script = script
    with connected(service.port) as connection:
        connection.sendall(b"POST /tap/m/x HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nfirst")
        assert first.wait(5)
        connection.sendall(b"second")
        assert answer(connection).status == 200


def test_a_sender_that_waits_to_be_asked_for_its_body_is_asked(service: Service, upstream: Upstream) -> None:
    """An upstream may ignore the expectation, which the tap has met: it must not wait for it for ever."""
    upstream.answering(ok(b"done"))
    with connected(service.port) as connection:
        connection.sendall(b"POST /tap/m/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert answer(connection).body == b"done"


def test_server_sent_events_arrive_while_the_upstream_is_still_sending(service: Service, upstream: Upstream) -> None:
    seen = Event()

    def script(wire: Wire) -> None:
        wire.request()
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        wire.send(b"d\r\ndata: first\n\n\r\n")
        assert seen.wait(5)
        wire.send(b"c\r\ndata: last\n\n\r\n0\r\n\r\n")

    upstream.script = script
    with connected(service.port) as connection:
        connection.sendall(b"GET /tap/m/stream HTTP/1.1\r\nHost: h\r\n\r\n")
        got = b""
        while b"data: first\n\n" not in got:
            got += connection.recv(1000)
        seen.set()
        while not got.endswith(b"0\r\n\r\n"):
            got += connection.recv(1000)
    assert b"data: last\n\n" in got


def test_an_answer_that_ends_with_its_connection_is_whole(service: Service, upstream: Upstream) -> None:
    def script(wire: Wire) -> None:
        wire.request()
        wire.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000)

    upstream.script = script
    assert post(service.port, "/tap/m/x").body == b"x" * 100_000


def test_a_large_body_passes_both_ways(service: Service, upstream: Upstream) -> None:
    body = bytes(range(256)) * 40_000
    upstream.answering(ok(body))
    assert post(service.port, "/tap/m/x", body).body == body
    assert upstream.requests[0].body == body


def test_connections_are_used_again_on_both_sides(service: Service, upstream: Upstream) -> None:
    upstream.answering(ok(b"a"))
    with connected(service.port) as connection:
        for _ in range(5):
            connection.sendall(b"POST /tap/m/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            assert answer(connection).body == b"a"
    assert upstream.connections == 1


def test_fifty_calls_at_once_get_their_own_answers(service: Service, upstream: Upstream) -> None:
    def script(wire: Wire) -> None:
        while True:
            request = wire.request()
            time.sleep(0.05)
            wire.send(ok(request.body[::-1]))

    upstream.script = script
    started = time.perf_counter()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda n: post(service.port, "/tap/m/x", b"%05d" % n), range(50)))
    assert [a.body for a in answers] == [(b"%05d" % n)[::-1] for n in range(50)]
    assert time.perf_counter() - started < 50 * 0.05


def test_a_slow_upstream_holds_up_nobody_else(service: Service, upstream: Upstream) -> None:
    release = Event()

    def script(wire: Wire) -> None:
        while True:
            request = wire.request()
            if b"/slow" in request.line:
                release.wait(5)
            wire.send(ok(request.line))

    upstream.script = script
    with connected(service.port) as slow:
        slow.sendall(b"GET /tap/m/slow HTTP/1.1\r\nHost: h\r\n\r\n")
        assert post(service.port, "/tap/m/quick").status == 200
        release.set()
        assert b"/slow" in answer(slow, "GET").body


def test_an_upstream_may_have_a_path_of_its_own(upstream: Upstream, start: Callable[..., Service]) -> None:
    upstream.answering(ok(b""))
    service = start(upstream, taps=[{"name": "m", "upstream": f"{upstream.url}/seldon/ns/"}])
    send(service.port, b"GET /tap/m/v2 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert upstream.requests[0].line == b"GET /seldon/ns/v2 HTTP/1.1"


def test_a_path_that_only_looks_like_a_tap_is_404(service: Service) -> None:
    for path in ("/tap/", "/tap/m2/x", "/%74ap/m/x"):
        assert post(service.port, path).status == 404


def test_an_unknown_tap_is_404_and_says_which_there_are(service: Service) -> None:
    got = post(service.port, "/tap/n/v2/models/x/infer")
    assert (got.status, got.header("content-type")) == (404, ["application/problem+json"])
    assert b"configured taps: m" in got.body
