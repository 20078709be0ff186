"""Django REST framework: who is calling, and what they may do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.permissions import NOT, BasePermission, OperationHolderMixin

from usso._native import Claims, Refusal, Rule
from usso.auth import UssoAuth, require
from usso.exceptions import USSOException, of_refusal
from usso.integrations.django._request import (
    RefusedResponse,
    Verdict,
    bind,
    identify,
    refused,
    vary_of,
)
from usso.integrations.django._settings import project_auth

_NEGATED = "`~` would let strangers in: say what callers need, not what they must not have"


class USSOTokenAuthentication(BaseAuthentication):
    """Makes the caller `request.user`, and their claims `request.auth`.

    A request without a credential goes on to the next authentication. One with a cookie must pass
    Django's check against forged requests, as with `SessionAuthentication`.
    """

    def authenticate(self, request: Any) -> tuple[Any, Claims] | None:
        """Gives user and claims; `None` if there is no credential. Raises `APIException`."""
        auth = project_auth()
        inner = request._request
        try:
            verdict = identify(auth, inner)
        except USSOException as error:
            raise _exception(auth, error, inner) from None
        _tell_caches(request, verdict)
        if verdict.claims is not None and not verdict.by_header:
            _enforce_csrf(inner)
        bind(inner, verdict)
        if verdict.claims is None:
            return None
        return verdict.user, verdict.claims

    def authenticate_header(self, request: Any) -> str:
        """Says how to authenticate, and what was wrong."""
        inner = request._request
        answer: RefusedResponse | None = getattr(inner, "_usso_refused", None)
        if answer is None:
            answer = refused(project_auth(), of_refusal(Refusal.missing()), inner)
        return answer.headers["WWW-Authenticate"]


class Requires(OperationHolderMixin, BasePermission):
    """Lets callers in who may do all of what is needed; takes what `Rule` takes.

    Goes into `permission_classes` as it is, alone or with others by `&` and `|`; not under `~`,
    which would let strangers in. `{name}` stands for the part of that name in the address:
    `HasScope("read:users?user_id={id}")`. Raises `ValueError` if a scope is not one.
    """

    def __init__(self, **needed: Any) -> None:
        self._rule = Rule(**needed)

    def __call__(self) -> Requires:
        """Is what the framework does to make one from a class."""
        return self

    def __invert__(self) -> NoReturn:
        """Raises `TypeError`."""
        raise TypeError(_NEGATED)

    def has_permission(self, request: Any, view: Any) -> bool:
        """Says whether the caller may. Raises `APIException`, which names what is missing."""
        auth = project_auth()
        claims = request.auth if isinstance(request.auth, Claims) else None
        given: dict[str, Any] = getattr(view, "kwargs", {})
        parameters = {name: str(value) for name, value in given.items()}
        try:
            require(auth.verifier, claims, self._rule, parameters)
        except USSOException as error:
            alone: Sequence[Any] = getattr(view, "permission_classes", ())
            if any(one is self for one in alone):
                raise _exception(auth, error, request._request) from None
            asked: Callable[[], Sequence[Any]] = getattr(view, "get_permissions", tuple)
            if any(_negates(one) for one in asked()):
                raise TypeError(_NEGATED) from None
            # With others, these have a say: `HasScope("read:files") | IsAdminUser`.
            return False
        return True


class HasScope(Requires):
    """Lets callers in who have all of these scopes. Raises `ValueError` if one is not a scope."""

    def __init__(self, *scopes: str, **needed: Any) -> None:
        if not scopes:
            raise ValueError("HasScope needs a scope: HasScope('read:files')")
        super().__init__(scopes=scopes, **needed)


class HasRole(Requires):
    """Lets callers in who have all of these roles."""

    def __init__(self, *roles: str, **needed: Any) -> None:
        if not roles:
            raise ValueError("HasRole needs a role: HasRole('admin')")
        super().__init__(roles=roles, **needed)


def _negates(permission: Any, below: bool = False) -> bool:
    """Says whether one of ours is below a `~`, such as that of `~(HasScope("a") | IsAdminUser)`."""
    if isinstance(permission, Requires):
        return below
    below = below or isinstance(permission, NOT)
    parts = [getattr(permission, name, None) for name in ("op1", "op2")]
    return any(_negates(part, below) for part in parts if part is not None)


def _exception(auth: UssoAuth[Any], error: USSOException, inner: Any) -> exceptions.APIException:
    """Makes the exception that the framework answers in USSO's shape."""
    answer = refused(auth, error, inner)
    inner._usso_refused = answer
    kinds = {401: exceptions.AuthenticationFailed, 403: exceptions.PermissionDenied}
    kind = kinds.get(answer.status_code, exceptions.APIException)
    made: Any = kind(json.loads(answer.content))
    made.status_code = answer.status_code
    made.auth_header = answer.headers.get("WWW-Authenticate")
    made.wait = int(answer.headers["Retry-After"]) if "Retry-After" in answer.headers else None
    return made


def _enforce_csrf(inner: Any) -> None:
    check: Any = CSRFCheck(lambda request: HttpResponse())
    check.process_request(inner)
    reason = check.process_view(inner, None, (), {})
    if reason:
        raise exceptions.PermissionDenied(f"CSRF Failed: {reason}")


def _tell_caches(request: Any, verdict: Verdict) -> None:
    """Has the view's answer vary by credential, also inside `cache_page`."""
    context: dict[str, Any] = request.parser_context or {}
    headers: dict[str, str] = getattr(context.get("view"), "headers", {})
    vary = [headers["Vary"]] if "Vary" in headers else []
    headers["Vary"] = ", ".join(vary + vary_of(verdict))
