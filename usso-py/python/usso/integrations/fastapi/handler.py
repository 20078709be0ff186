"""Refusals in USSO's shape: `FastAPI(exception_handlers=EXCEPTION_HANDLERS)`.

Without it a refusal has the shape of FastAPI's own errors, with the same status and headers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from usso.exceptions import USSOException
from usso.integrations._asgi import HTTPRefused, response_of


async def usso_exception_handler(request: Request, exc: USSOException) -> Response:
    """Answers a refusal: `{"error_code", "message": {language: text}, "detail"}`."""
    if isinstance(exc, HTTPRefused):
        return response_of(exc)
    return JSONResponse(exc.body(), exc.status_code, exc.headers)


EXCEPTION_HANDLERS: dict[
    int | type[Exception], Callable[[Any, Any], Coroutine[Any, Any, Response]]
] = {USSOException: usso_exception_handler}
