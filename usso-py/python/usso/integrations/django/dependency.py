"""A verifier of one's own for single views, in the way of the older package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from usso import _native
from usso._native import Refusal
from usso.auth import UssoAuth
from usso.config import AvailableJwtConfigs
from usso.exceptions import USSOException, of_refusal
from usso.integrations.django._request import (
    Verdict,
    add_headers,
    ajudge,
    bind,
    bound,
    judge,
    refused,
)
from usso.integrations.django._settings import project_config
from usso.user import UserData

View = TypeVar("View", bound=Callable[..., Any])


class USSOAuthentication(UssoAuth[UserData]):
    """Tells views who is calling, by settings of its own; without, by those of the project.

    No user of the project is looked up or made. Raises `ConfigError` if the settings cannot be
    used.
    """

    def __init__(
        self,
        jwt_config: AvailableJwtConfigs | None = None,
        *,
        raise_exception: bool = True,
        expected_token_type: str = "access",
        from_usso_base_url: str | None = None,
    ) -> None:
        if jwt_config is None and from_usso_base_url is None:
            jwt_config = project_config()
        super().__init__(jwt_config, from_usso_base_url=from_usso_base_url)
        self.raise_exception = raise_exception
        self.expected_token_type = expected_token_type
        self.verifier = self._for(str(expected_token_type))

    def __call__(self, request: HttpRequest) -> UserData | None:
        """Does as `usso_access_security`."""
        return self.usso_access_security(request)

    def usso_access_security(self, request: HttpRequest) -> UserData | None:
        """Gives the caller. Raises `USSOException`, unless made to give `None`.

        The caller is `request.usso_user`, too, unless that is the caller of another verifier.
        """
        try:
            return _met(request, judge(self, request))
        except USSOException:
            if self.raise_exception:
                raise
            return None

    async def usso_access_security_async(self, request: HttpRequest) -> UserData | None:
        """Does as `usso_access_security`, without blocking."""
        try:
            return _met(request, await ajudge(self, request))
        except USSOException:
            if self.raise_exception:
                raise
            return None

    def authorize(
        self,
        *,
        action: str = "read",
        resource_path: str,
        filter_data: Mapping[str, object] | None = None,
    ) -> Callable[[View], View]:
        """Lets callers in who may do this, as `request.usso_user`; answers the others itself.

        `request.user` stays as it is: it may be the caller of the project's own verifier.
        `filter_data` says what the resource is like. Raises `ValueError` if the action is unknown.
        """
        if _native.action_level(action) is None:
            raise ValueError(f"{action!r} is no action")
        values = {name: str(value) for name, value in (filter_data or {}).items()}

        def check(verdict: Verdict) -> None:
            _caller(verdict)
            claims = verdict.claims
            if claims is None or not claims.can(action, resource_path, [values] if values else ()):
                raise of_refusal(Refusal.scope(f"{action}:{resource_path}"))

        def decorate(view: View) -> View:
            @wraps(view)
            def guarded(request: HttpRequest, *args: Any, **parameters: Any) -> Any:
                try:
                    verdict = judge(self, request)
                    check(verdict)
                except USSOException as error:
                    return refused(self, error, request)
                with bound(request, verdict):
                    return add_headers(verdict, view(request, *args, **parameters))

            @wraps(view)
            async def aguarded(request: HttpRequest, *args: Any, **parameters: Any) -> Any:
                try:
                    verdict = await ajudge(self, request)
                    check(verdict)
                except USSOException as error:
                    return refused(self, error, request)
                with bound(request, verdict):
                    return add_headers(verdict, await view(request, *args, **parameters))

            return cast("View", aguarded if iscoroutinefunction(view) else guarded)

        return decorate


def _met(request: HttpRequest, verdict: Verdict) -> UserData:
    bind(request, verdict, first=True)
    return _caller(verdict)


def _caller(verdict: Verdict) -> UserData:
    if verdict.claims is None:
        raise of_refusal(Refusal.missing())
    return verdict.user_data
