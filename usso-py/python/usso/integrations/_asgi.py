"""What FastAPI and Starlette share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from usso._native import Claims, Request
from usso._verifier import Verifier
from usso.exceptions import USSOException

if TYPE_CHECKING:
    from usso.auth import UssoAuth


def _head(scope: Scope) -> tuple[str, str, list[tuple[bytes, bytes]]]:
    """Gives method, target and headers of a request or the handshake of a WebSocket."""
    # As sent, if the server says; a proof of DPoP is about that.
    raw_path: bytes | None = scope.get("raw_path")
    path = raw_path.decode("latin-1") if raw_path else str(scope["path"])
    query: bytes = scope.get("query_string", b"")
    target = f"{path}?{query.decode('latin-1')}" if query else path
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    if scope["type"] == "websocket":
        # Over HTTP/2 nothing else says it (RFC 8441), and a cookie needs proof here.
        headers.append((b"upgrade", b"websocket"))
    return scope.get("method", "GET"), target, headers


def native_request(connection: HTTPConnection) -> Request:
    """Describes a request or the handshake of a WebSocket to the verifier."""
    return Request(*_head(connection.scope))


async def verdict(
    auth: UssoAuth[Any], connection: HTTPConnection, request: Request
) -> Claims | None:
    """Gives the caller of a request, asking once for each verifier: a proof of DPoP is good once.

    Raises `USSOException`.
    """
    scope, head = connection.scope, _head(connection.scope)
    # Another request that an app makes of this one has no share in the verdict.
    seen: dict[Verifier, Claims | None] = {}
    seen, of = scope.get("usso", (seen, None))
    if of != head:
        seen = {}
        scope["usso"] = (seen, head)
    if auth.verifier not in seen:
        seen[auth.verifier] = await auth.verifier.aauthenticate(request)
    return seen[auth.verifier]


class HTTPRefused(USSOException, HTTPException):
    """A refusal that Starlette answers by itself: with its status and how to authenticate.

    Each one is also of the class that the verifier raised, such as `TokenExpired`.
    """

    answer: tuple[int, list[tuple[str, str]], str]


def http_refused(auth: UssoAuth[Any], error: USSOException, request: Request) -> HTTPRefused:
    """Makes the exception that answers a request."""
    status, headers, body = auth.answer(error, request)
    kind = _class_of(type(error))
    made = kind.__new__(kind)
    made.__dict__.update(error.__dict__)
    Exception.__init__(made, error.detail)
    made.answer = (status, headers, body)
    made.status_code = status
    made.__dict__["headers"] = _joined(headers)
    return made


def response_of(error: HTTPRefused) -> Response:
    """Makes the answer in USSO's shape."""
    status, headers, body = error.answer
    response = Response(body, status)
    # One challenge a line, as browsers and curl read it.
    del response.headers["content-length"]
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
    response.raw_headers = [*raw, (b"content-length", str(len(body.encode())).encode())]
    return response


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Joins lines of one name (RFC 9110 section 5.3); who answers says the type of the body."""
    joined: dict[str, str] = {}
    for name, value in headers:
        if name != "content-type":
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


_CLASSES: dict[type[USSOException], type[HTTPRefused]] = {}


def _class_of(kind: type[USSOException]) -> type[HTTPRefused]:
    """Gives the class that is both `kind` and `HTTPRefused`."""
    if kind not in _CLASSES:
        bases = (HTTPRefused,) if kind is USSOException else (kind, HTTPRefused)
        # `headers` is a property of what the verifier raises and a value of Starlette's.
        _CLASSES[kind] = type(f"HTTP{kind.__name__}", bases, {"headers": None})
    return _CLASSES[kind]
