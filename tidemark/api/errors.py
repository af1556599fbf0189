"""Every error of the API as problem details (RFC 9457), the field at fault by name."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from collectors.taps.asgi import problem
from core.errors import Overloaded, Rejected, StoreError, StoreUnavailable


def install(app: FastAPI) -> None:
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Overloaded, _overloaded)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, {"content-type": "application/problem+json", **(headers or {})})


async def _rejected(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Rejected)
    return _answer(*problem(error))


async def _overloaded(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Overloaded)
    return _answer(*problem(error), {"retry-after": str(error.retry_after)})


async def _store(_: Request, error: Exception) -> JSONResponse:
    passing = isinstance(error, StoreUnavailable)
    status = 503 if passing else 500
    body = {"type": "about:blank", "title": "the store failed", "status": status, "detail": str(error)}
    return _answer(status, body, {"retry-after": "1"} if passing else None)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    said = "there is no such parameter" if first["type"] == "extra_forbidden" else first["msg"]
    return _answer(*problem(Rejected(422, "bad_parameter", said.removeprefix("Value error, "), field)))


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(
        *problem(Rejected(error.status_code, str(error.detail).lower().replace(" ", "_"), str(error.detail)))
    )
