"""Guards for views, sync and async, functions and methods under `method_decorator`.

The caller is there as after the middleware, which need not be installed. Without it, though, a
request with a token in a header must pass Django's check against forged requests as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from typing_extensions import Unpack

from usso._native import Rule
from usso.auth import Needed, require
from usso.exceptions import USSOException
from usso.integrations.django._request import (
    Verdict,
    add_headers,
    aidentify,
    bound,
    identify,
    refused,
)
from usso.integrations.django._settings import project_auth

View = TypeVar("View", bound=Callable[..., Any])


@overload
def require_auth(view: View, /) -> View: ...
@overload
def require_auth(
    *, scopes: Sequence[str] = (), **needed: Unpack[Needed]
) -> Callable[[View], View]: ...
def require_auth(view: Callable[..., Any] | None = None, /, **needed: Any) -> Any:
    """Lets callers in who may do all of what is needed; without arguments, everyone who is known.

    `{name}` stands for the part of that name in the address: `read:users?user_id={id}`. `max_age`
    is how many seconds ago they may have signed in. Raises `ValueError` if a scope is not one.
    """
    rule = Rule(**needed)
    if view is not None:
        return _guarded(view, rule)

    def decorate(view: View) -> View:
        return _guarded(view, rule)

    return decorate


def require_scope(*scopes: str, **needed: Any) -> Callable[[View], View]:
    """Lets callers in who have all of these scopes; takes what `require_auth` takes, too.

    Raises `ValueError` if a scope is not one, or there is none.
    """
    return require_auth(scopes=_some(scopes), **needed)


def require_role(*roles: str, **needed: Any) -> Callable[[View], View]:
    """Lets callers in who have all of these roles; takes what `require_auth` takes, too.

    Raises `ValueError` if there is none.
    """
    return require_auth(roles=_some(roles), **needed)


def check(verdict: Verdict, rule: Rule, parameters: dict[str, Any]) -> None:
    """Requires what a rule asks for, with what the address says. Raises `USSOException`."""
    given = {name: str(value) for name, value in parameters.items()}
    require(verdict.auth.verifier, verdict.claims, rule, given)


def guard(rule: Rule, request: HttpRequest, parameters: dict[str, Any], view: Any) -> Any:
    """Calls a view if the caller may do what the rule asks for; else gives the refusal."""
    auth = project_auth()
    try:
        verdict = identify(auth, request)
        check(verdict, rule, parameters)
    except USSOException as error:
        return refused(auth, error, request)
    with bound(request, verdict):
        return add_headers(verdict, view())


async def aguard(rule: Rule, request: HttpRequest, parameters: dict[str, Any], view: Any) -> Any:
    """Does as `guard`, with an async view, without blocking."""
    auth = project_auth()
    try:
        verdict = await aidentify(auth, request)
        check(verdict, rule, parameters)
    except USSOException as error:
        return refused(auth, error, request)
    with bound(request, verdict):
        return add_headers(verdict, await view())


def _guarded(view: View, rule: Rule) -> View:
    if not callable(view):
        raise TypeError("decorate a view; scopes are for `require_scope`")

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **parameters: Any) -> Any:
        return guard(rule, request, parameters, lambda: view(request, *args, **parameters))

    @wraps(view)
    async def aguarded(request: HttpRequest, *args: Any, **parameters: Any) -> Any:
        return await aguard(rule, request, parameters, lambda: view(request, *args, **parameters))

    return cast("View", aguarded if iscoroutinefunction(view) else guarded)


def _some(names: tuple[object, ...]) -> Any:
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("name at least one, as text: it goes in parentheses after the decorator")
    return names
