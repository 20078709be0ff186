"""What all parts of the integration share: a request's verdict, and the answers."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from weakref import ReferenceType, ref

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from usso._native import Claims, Request
from usso.auth import UssoAuth
from usso.exceptions import USSOException
from usso.integrations.django._settings import creates_users
from usso.integrations.django.users import project_user

# WSGI servers join lines of one name by a comma, which these never have. Others that were sent
# twice are malformed anyway; a cookie may have a comma, and is not found then.
_JOINED = ("HTTP_ORIGIN", "HTTP_DPOP")
_PATH = "/:@!$&'()*+,;=~"
_BOUND = ("usso_user", "usso_claims", "user", "auser")


@dataclass
class Verdict:
    """What was found out about a request. It holds as long as the request.

    Asking twice would refuse proofs of DPoP, which are good once.
    """

    auth: UssoAuth[Any]
    native: Request
    claims: Claims | None
    by_header: bool
    """Whether no cookie can have been what let the caller in."""
    user_data: Any = None
    user: Any = None


@dataclass
class _Seen:
    """What the verifiers found out about a request, and whom of them it is bound to."""

    of: ReferenceType[HttpRequest]
    verdicts: dict[UssoAuth[Any], Verdict] = field(default_factory=dict[UssoAuth[Any], Verdict])
    bound: Verdict | None = None


def judge(auth: UssoAuth[Any], request: HttpRequest) -> Verdict:
    """Authenticates a request, once. Raises `USSOException`."""
    found = known(auth, request)
    if found is not None:
        return found
    native, by_header = _described(auth, request)
    return _keep(request, auth, native, auth.authenticate(native), by_header)


async def ajudge(auth: UssoAuth[Any], request: HttpRequest) -> Verdict:
    """Does as `judge`, without blocking."""
    found = known(auth, request)
    if found is not None:
        return found
    native, by_header = _described(auth, request)
    return _keep(request, auth, native, await auth.aauthenticate(native), by_header)


def identify(auth: UssoAuth[Any], request: HttpRequest) -> Verdict:
    """Authenticates a request and finds its caller's user. Raises `USSOException`.

    The database is used only if there is a credential.
    """
    verdict = judge(auth, request)
    if verdict.claims is not None and verdict.user is None:
        verdict.user = project_user(verdict.user_data, request)
    return verdict


async def aidentify(auth: UssoAuth[Any], request: HttpRequest) -> Verdict:
    """Does as `identify`, without blocking."""
    verdict = await ajudge(auth, request)
    if verdict.claims is not None and verdict.user is None:
        find = sync_to_async(project_user) if creates_users() else _at_once
        verdict.user = await find(verdict.user_data, request)
    return verdict


def bind(request: Any, verdict: Verdict, *, first: bool = False) -> None:
    """Makes the caller that of the request, unless nobody is known and somebody was before.

    `request.user` is that caller, too, if the user was looked up; else it stays. `first` leaves
    the caller of another verifier in place.
    """
    seen = _seen(request)
    if seen.bound is not None and (first or verdict.claims is None):
        return
    request.usso_claims = verdict.claims
    request.usso_user = verdict.user_data
    if verdict.claims is None:
        return
    seen.bound = verdict
    user = verdict.user
    if user is None:
        return

    async def auser() -> Any:
        return user

    request.user = user
    request.auser = auser


@contextmanager
def bound(request: Any, verdict: Verdict) -> Generator[None, None, None]:
    """Binds a guard's caller while its view runs, and then again whom another guard let in.

    If there was no other, the caller stays: answers may be rendered after the view.
    """
    seen = _seen(request)
    other = seen.bound
    if other is None or other is verdict:
        bind(request, verdict)
        yield
        return
    kept = {name: getattr(request, name) for name in _BOUND if hasattr(request, name)}
    bind(request, verdict)
    try:
        yield
    finally:
        seen.bound = other
        for name in _BOUND:
            if name in kept:
                setattr(request, name, kept[name])
            elif hasattr(request, name):
                delattr(request, name)


async def _at_once(user_data: Any, request: HttpRequest) -> Any:
    return project_user(user_data, request)


class RefusedResponse(HttpResponse):
    """The answer to a refused request: one challenge a line, as clients read them best."""

    def __init__(self, answer: tuple[int, list[tuple[str, str]], str]) -> None:
        status, headers, body = answer
        super().__init__(body, status=status)
        self.challenges = [value for name, value in headers if name == "www-authenticate"]
        for name, value in headers:
            self.headers[name] = value
        if self.challenges:
            self.headers["WWW-Authenticate"] = ", ".join(self.challenges)

    def items(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        """Gives the headers as they are sent."""
        for name, value in self.headers.items():
            if name.lower() == "www-authenticate" and value == ", ".join(self.challenges):
                yield from ((name, challenge) for challenge in self.challenges)
            else:
                yield name, value


def refused(auth: UssoAuth[Any], error: USSOException, request: HttpRequest) -> RefusedResponse:
    """Makes the answer to a refused request."""
    return RefusedResponse(auth.answer(error, _described(auth, request)[0]))


def add_headers(verdict: Verdict, response: Any) -> Any:
    """Keeps caches from giving one caller's answer to another.

    `Vary` is always there: Django's own cache may keep answers to requests with `Authorization`.
    """
    if isinstance(response, HttpResponseBase):
        patch_vary_headers(response, vary_of(verdict))
        for name, value in _headers(verdict):
            if name != "vary":
                response.headers.setdefault(name, value)
    return response


def vary_of(verdict: Verdict) -> list[str]:
    """Gives the headers by which answers differ."""
    return [
        part for name, value in _headers(verdict) if name == "vary" for part in value.split(", ")
    ]


def known(auth: UssoAuth[Any], request: HttpRequest) -> Verdict | None:
    """Gives the verdict on a request, if there is one."""
    return _seen(request).verdicts.get(auth)


def _headers(verdict: Verdict) -> list[tuple[str, str]]:
    return verdict.auth.verifier.native.response_headers(verdict.native, True)


def _seen(request: HttpRequest) -> _Seen:
    found: _Seen | None = vars(request).get("_usso_seen")
    # A copy of a request has the attributes of the first, and perhaps another credential.
    if found is None or found.of() is not request:
        found = vars(request)["_usso_seen"] = _Seen(ref(request))
    return found


def _keep(
    request: HttpRequest,
    auth: UssoAuth[Any],
    native: Request,
    claims: Claims | None,
    by_header: bool,
) -> Verdict:
    verdict = Verdict(auth, native, claims, by_header)
    if claims is not None:
        verdict.user_data = auth.user_of(claims)
    _seen(request).verdicts[auth] = verdict
    return verdict


def _described(auth: UssoAuth[Any], request: Any) -> tuple[Request, bool]:
    """Describes a request to the verifier; says, too, whether its cookie cannot be looked at."""
    scope = getattr(request, "scope", None)
    lines = list(_wsgi_lines(request.META) if scope is None else _asgi_lines(scope))
    native = Request(request.method or "", _target(request.META, scope), lines)
    header = auth.jwt_configs[0].jwt_header
    token_header = (header.header_name if header else None) or "authorization"
    cookie = header.cookie_name if header else None
    names = {name.lower() for name, _ in lines}
    cookies = [value for name, value in lines if name.lower() == "cookie"]
    # The header comes first: where there is one, the cookie is not looked at.
    by_header = token_header.lower() in names
    return native, by_header or cookie is None or not any(cookie in text for text in cookies)


def _asgi_lines(scope: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in scope["headers"]:
        yield name.decode("latin-1"), value.decode("latin-1")


def _wsgi_lines(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            for line in str(value).split(",") if name in _JOINED else [str(value)]:
                yield name[5:].replace("_", "-"), line.strip(" \t")


def _target(environ: dict[str, Any], scope: dict[str, Any] | None) -> str:
    """Gives path and query as they were sent, if the server says; proofs of DPoP are about that."""
    query = environ.get("QUERY_STRING") or ""
    if scope is not None:
        raw: bytes | None = scope.get("raw_path")
        path = raw.decode("latin-1") if raw else quote(scope["path"], safe=_PATH, errors="replace")
    else:
        sent = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        if sent:
            return sent
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        path = quote(path.encode("latin-1", "replace"), safe=_PATH)
    return f"{path}?{query}" if query else path
