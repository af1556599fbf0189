"""What servers answer when an inference failed."""

from collections.abc import Callable

import pytest

from collectors.formats import Hints, decode, error_text
from collectors.formats.error import MOST_CHARACTERS
from core.errors import Rejected


def test_mlservers_plain_text_is_the_error(golden: Callable[[str], tuple[bytes, Hints]]) -> None:
    assert error_text(golden("mlserver-1.7.1-infer-error.json")[0]) == "Internal Server Error"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"Model iris not found"}', "Model iris not found"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"error":{"code":7}}', '{"code":7}'),
        (b'{"status":{"code":-1,"info":"bad names","reason":"MICROSERVICE_BAD_DATA","status":"FAILURE"}}',
         "MICROSERVICE_BAD_DATA: bad names"),
        (b'{"something":1}', '{"something":1}'),
        (b'{"error":' + b"[" * 1_000 + b"]" * 1_000 + b"}", "an error that is nested too deep to be shown"),
        (b'"quoted"', "quoted"),
        (b"caf\xe9\n", "caf\ufffd"),
        (b"", ""),
        (b"x" * 100_000, "x" * MOST_CHARACTERS),
    ],
)  # fmt: skip
def test_the_error_is_found_where_each_server_says_it(body: bytes, text: str) -> None:
    assert error_text(body) == text


def test_a_failed_answer_has_no_tensors_and_says_why() -> None:
    payload = decode(b'{"error":"no such model"}', "response")
    assert (payload.tensors, payload.error) == ((), "no such model")


def test_a_request_with_only_an_error_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        decode(b'{"error":"no such model"}', "request")
    assert (caught.value.status, caught.value.field) == (422, "error")
