"""Flask: guards for views and blueprints.

```python
usso = USSO(app)


@app.get("/users/<id>")
@usso.require(scopes=["read:users?user_id={id}"])
def show(id):
    return {"caller": current_user.sub}
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from flask import Blueprint, Flask, Response, after_this_request, current_app, g, request
from typing_extensions import Unpack
from werkzeug.local import LocalProxy

from usso._native import Claims, Request, Rule
from usso.auth import Needed, UssoAuth, require
from usso.config import AvailableJwtConfigs
from usso.exceptions import USSOException
from usso.user import UserData

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["USSO", "current_claims", "current_user", "native_request"]

View = TypeVar("View", bound=Callable[..., Any])


class USSO:
    """Tells who is calling, and refuses those who may not.

    In a guarded view the caller is `g.usso_user`, or `current_user` from anywhere below it, and the
    claims are `g.usso_claims`. Refusals are answered in JSON with `WWW-Authenticate`, unless the
    app handles `USSOException` itself.

    The configuration is `config`, else the app's `USSO_JWT_CONFIG`, else that of the environment.
    An app may have several, such as for two audiences. `user_schema` is what callers are given as.
    Raises `ConfigError` if the settings cannot be used.
    """

    def __init__(
        self,
        app: Flask | None = None,
        config: AvailableJwtConfigs | UssoAuth[Any] | None = None,
        *,
        user_schema: type[Any] = UserData,
    ) -> None:
        self._config = config
        self._user_schema = user_schema
        if app is not None:
            self.init_app(app)

    def init_app(
        self, app: Flask, config: AvailableJwtConfigs | UssoAuth[Any] | None = None
    ) -> None:
        """Makes the guards work in an app. Raises `ConfigError`."""
        settings = cast("dict[str, Any]", app.config)
        given = config or self._config or settings.get("USSO_JWT_CONFIG")
        if isinstance(given, UssoAuth):
            auth = cast("UssoAuth[Any]", given)
        else:
            auth = UssoAuth(given, user_schema=self._user_schema)
        known = _guards(app)
        if not known:
            app.register_error_handler(USSOException, _refused)
            app.teardown_request(_forget)
        known[self] = auth

    @property
    def auth(self) -> UssoAuth[Any]:
        """The verifier of the current app."""
        auth = _guards(current_app).get(self)
        if auth is None:
            raise RuntimeError("this app has no guard yet: call `usso.init_app(app)`")
        return auth

    def required(self, view: View) -> View:
        """Lets callers in who are known."""
        return self.require()(view)

    def optional(self, view: View) -> View:
        """Lets callers without a credential in, too: then `g.usso_user` is `None`.

        A credential that is sent and not good is refused all the same.
        """
        return self._guard(None)(view)

    def require(
        self, *also: str, scopes: Sequence[str] = (), **needed: Unpack[Needed]
    ) -> Callable[[View], View]:
        """Lets callers in who may do all of this; scopes are written out or given as a list.

        `{name}` stands for the view's argument of that name, as in `read:users?user_id={id}`, and
        `max_age` is how many seconds ago they may have signed in. Raises `ValueError` if a scope is
        not one.
        """
        return self._guard(self._rule(*also, scopes=scopes, **needed))

    def protect(self, part: Blueprint | Flask, **rule: Any) -> None:
        """Guards every view of a blueprint, or of the app; takes what `require` takes.

        What Flask answers to `OPTIONS` by itself is not guarded: browsers ask that without
        credentials. Raises `ValueError` if a scope is not one.
        """
        needed = self._rule(**rule)

        def before() -> None:
            url_rule = request.url_rule
            automatic = getattr(url_rule, "provide_automatic_options", False)
            if not (automatic and request.method == "OPTIONS"):
                self._admit(needed)

        part.before_request(before)

    @staticmethod
    def _rule(*also: str, scopes: Sequence[str] = (), **needed: Unpack[Needed]) -> Rule:
        return Rule(scopes=[*also, *scopes], **needed)

    def _guard(self, rule: Rule | None) -> Callable[[View], View]:
        def decorate(view: View) -> View:
            @wraps(view)
            def guarded(*args: Any, **parameters: Any) -> Any:
                seen = _seen()
                other, auth = seen.caller, seen.auth
                try:
                    self._admit(rule)
                    answer = current_app.ensure_sync(view)(*args, **parameters)
                    seen.auth = auth or seen.auth
                    return answer
                finally:
                    # The view that called this one has its own caller again.
                    if other is not None:
                        _bind(seen, *other)

            return cast("View", guarded)

        return decorate

    def _admit(self, rule: Rule | None) -> None:
        """Lets the request pass. Raises `USSOException`."""
        auth, seen = self.auth, _seen()
        seen.auth = auth
        # A proof of DPoP is good once: the verdict holds for the whole request.
        if self not in seen.verdicts:
            seen.verdicts[self] = auth.authenticate(seen.request)
        claims = seen.verdicts[self]
        if rule is not None:
            given = request.view_args or {}
            parameters = {name: str(value) for name, value in given.items()}
            claims = require(auth.verifier, claims, rule, parameters)
        if claims is not None:
            _bind(seen, auth.user_of(claims), claims)
        elif seen.caller is None:
            _bind(seen, None, None)
        _add_headers(auth, seen, rule is None)


def native_request(environ: WSGIEnvironment) -> Request:
    """Describes a request to the verifier.

    WSGI joins lines of one name by commas. No good credential has a comma, so two are refused.
    """
    # As sent, if the server says; a proof of DPoP is about that.
    target = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if not target:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        query = environ.get("QUERY_STRING")
        target = quote(path.encode("latin-1", "replace"), safe="/:@!$&'()*+,;=~")
        target = f"{target}?{query}" if query else target
    headers: list[tuple[str, str]] = []
    for name, value in environ.items():
        if name == "HTTP_ORIGIN":
            # An origin has no comma (RFC 6454 section 7): these were several lines.
            headers += [("origin", origin) for origin in value.split(",")]
        elif name.startswith("HTTP_"):
            headers.append((name[5:].replace("_", "-"), value))
    return Request(environ["REQUEST_METHOD"], target, headers)


@dataclass
class _Seen:
    """What the guards know of a request."""

    request: Request
    verdicts: dict[USSO, Claims | None] = field(default_factory=dict["USSO", "Claims | None"])
    auth: UssoAuth[Any] | None = None
    caller: tuple[Any, Claims | None] | None = None
    headers: dict[str, str] | None = None


def _seen() -> _Seen:
    # Not in `g`, which requests made inside one app context share.
    own: dict[str, Any] = cast("Any", request)._get_current_object().__dict__
    seen: _Seen | None = own.get("_usso")
    if seen is None:
        seen = own["_usso"] = _Seen(native_request(request.environ))
    return seen


def _guards(app: Flask) -> dict[USSO, UssoAuth[Any]]:
    return app.extensions.setdefault("usso", {})


def _caller() -> tuple[Any, Claims | None]:
    caller = _seen().caller
    if caller is None:
        raise RuntimeError("nothing guards this view: decorate it, such as by `@usso.required`")
    return caller


def _bind(seen: _Seen, user: Any, claims: Claims | None) -> None:
    seen.caller = g.usso_user, g.usso_claims = user, claims


def _forget(_: BaseException | None) -> None:
    g.pop("usso_user", None)
    g.pop("usso_claims", None)


def _refused(error: USSOException) -> Response:
    """Answers what a guard refused, and what a view raised."""
    seen = _seen()
    auth = seen.auth or next(iter(_guards(current_app).values()))
    status, headers, body = auth.answer(error, seen.request)
    return Response(body, status, headers)


def _add_headers(auth: UssoAuth[Any], seen: _Seen, optional: bool) -> None:
    """Keeps shared caches from giving one caller's answer to another."""
    extra = auth.verifier.native.response_headers(seen.request, optional)
    if seen.headers is None:
        seen.headers = {}
        after_this_request(_answered)
    vary = seen.headers.get("vary")
    seen.headers.update(extra)
    if vary and vary != seen.headers.get("vary"):
        seen.headers["vary"] = ", ".join(filter(None, [vary, seen.headers.get("vary")]))


def _answered(response: Response) -> Response:
    for name, value in (_seen().headers or {}).items():
        if name == "vary":
            response.vary.update(part.strip() for part in value.split(","))
        else:
            response.headers.setdefault(name, value)
    return response


current_user: UserData = cast("UserData", LocalProxy(lambda: _caller()[0]))
"""The caller of this request; false where nobody is. Raises `RuntimeError` in an unguarded view."""

current_claims: Claims = cast("Claims", LocalProxy(lambda: _caller()[1]))
"""The claims of the caller of this request."""
