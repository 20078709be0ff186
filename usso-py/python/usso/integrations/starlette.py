"""Starlette: callers in `request.state` and `request.user`, by a middleware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.authentication import AuthCredentials, BaseUser
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import Unpack

from usso._native import Claims, Request, Rule
from usso.auth import Needed, UssoAuth, require
from usso.config import AvailableJwtConfigs
from usso.exceptions import USSOException
from usso.integrations._asgi import http_refused, native_request, response_of, verdict
from usso.user import UserData

__all__ = ["USSOMiddleware", "USSOUser", "require_caller"]


class USSOUser(BaseUser):
    """The caller, as Starlette's own `request.user`."""

    def __init__(self, data: UserData) -> None:
        self.data = data

    @property
    def is_authenticated(self) -> bool:
        """True: nobody is `UnauthenticatedUser`."""
        return True

    @property
    def display_name(self) -> str:
        """The name the issuer gave, or the subject."""
        return self.data.user_name or self.identity

    @property
    def identity(self) -> str:
        """The subject."""
        return self.data.sub or ""


class USSOMiddleware:
    """Verifies the caller of every request and WebSocket that comes through here.

    The caller is in `request.state.usso_user` (a `UserData`), `request.state.usso_claims` and
    `request.user`, whose scopes are `request.auth.scopes` for Starlette's `@requires`. Whoever
    sends no credential is let through as nobody only with `optional=True`; a credential that is
    not good is always refused.

    What handlers behind it refuse, by `require_caller` or otherwise, is answered as well.

    To guard a part of an app give the middleware to a `Mount` or `Router`, not a list of paths:
    two spellings of one path would get two verdicts.
    """

    def __init__(
        self,
        app: ASGIApp,
        auth: UssoAuth[Any] | AvailableJwtConfigs | None = None,
        *,
        optional: bool = False,
        scopes: Sequence[str] = (),
        **needed: Unpack[Needed],
    ) -> None:
        """Raises `ValueError` if a scope is not one, `ConfigError` for settings."""
        self.app = app
        self.auth: UssoAuth[Any] = auth if isinstance(auth, UssoAuth) else UssoAuth(auth)
        self.optional = optional
        self.rule = Rule(scopes=scopes, **needed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        native = native_request(connection)
        try:
            claims = await verdict(self.auth, connection, native)
            if claims is not None or not self.optional:
                claims = require(self.auth.verifier, claims, self.rule)
            user = None if claims is None else self.auth.user_of(claims)
        except USSOException as error:
            await self._refuse(error, native)(scope, receive, send)
            return
        _note(scope, connection, claims, user)
        # By guard: the caller of another one is not this one's.
        guards: dict[UssoAuth[Any], Claims | None] = getattr(connection.state, "usso_guards", {})
        connection.state.usso_guards = {**guards, self.auth: claims}
        extra = self.auth.verifier.native.response_headers(native, self.optional)

        started = False

        async def add(message: Message) -> None:
            nonlocal started
            started = True
            if extra and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in extra:
                    if name == "vary":
                        headers.add_vary_header(value)
                    else:
                        headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, add)
        except USSOException as error:
            if started:
                raise
            await self._refuse(error, native)(scope, receive, send)

    def _refuse(self, error: USSOException, native: Request) -> Response:
        return response_of(http_refused(self.auth, error, native))


def require_caller(
    connection: HTTPConnection, auth: UssoAuth[Any], *scopes: str, **needed: Unpack[Needed]
) -> UserData:
    """Requires in a handler that the caller whom the middleware found may do this.

    `{name}` takes a part of the path: `require_caller(request, auth, "read:users?user_id={id}")`.
    Raises `USSOException`, which the middleware answers, and `ValueError` if a scope is not one.
    """
    guards: dict[UssoAuth[Any], Claims | None] = getattr(connection.state, "usso_guards", {})
    if auth not in guards:
        raise RuntimeError("nothing guards this route: put `USSOMiddleware` with `auth` before it")
    rule = Rule(scopes=scopes, **needed)
    parameters = {name: str(value) for name, value in connection.path_params.items()}
    return auth.user_of(require(auth.verifier, guards[auth], rule, parameters))


def _note(
    scope: Scope, connection: HTTPConnection, claims: Claims | None, user: UserData | None
) -> None:
    connection.state.usso_claims = claims
    connection.state.usso_user = user
    if user is not None:
        scope["auth"] = AuthCredentials(["authenticated", *getattr(user, "scopes", [])])
        scope["user"] = USSOUser(user)
    elif "user" not in scope:
        from starlette.authentication import UnauthenticatedUser

        scope["auth"], scope["user"] = AuthCredentials(), UnauthenticatedUser()
