"""The middleware that tells who is calling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from usso.exceptions import USSOException
from usso.integrations.django._request import (
    RefusedResponse,
    Verdict,
    add_headers,
    aidentify,
    bind,
    identify,
    known,
    refused,
)
from usso.integrations.django._settings import project_auth
from usso.integrations.django.users import check_installed

DJANGOS = "django.contrib.auth.middleware.AuthenticationMiddleware"


class USSOAuthenticationMiddleware(MiddlewareMixin):
    """Sets `request.user`, `request.usso_user` and `request.usso_claims` to the caller.

    A request without a credential passes as it came: `request.user` is that of Django's session
    then, and the other two are `None`. A credential that is refused is answered at once, in JSON;
    so is a `USSOException` that a view raises.

    Django's check against forged requests of other sites is left out for callers who sent their
    token in a header, which no other site can do, and stays for those with a cookie.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Raises `ImproperlyConfigured` if the settings cannot be used."""
        super().__init__(get_response)
        project_auth()
        check_installed()
        _check_order(type(self))

    async def __acall__(self, request: HttpRequest) -> Any:
        response = await self.aprocess_request(request)
        if response is None:
            response = await cast("Any", self.get_response)(request)
        return self.process_response(request, response)

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Authenticates a request; gives the answer if it is refused."""
        auth = project_auth()
        try:
            _admit(request, identify(auth, request))
        except USSOException as error:
            return refused(auth, error, request)
        return None

    async def aprocess_request(self, request: HttpRequest) -> HttpResponse | None:
        """Does as `process_request`, without blocking."""
        auth = project_auth()
        try:
            _admit(request, await aidentify(auth, request))
        except USSOException as error:
            return refused(auth, error, request)
        return None

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """Adds what caches must know."""
        verdict = known(project_auth(), request)
        if verdict is not None and not isinstance(response, RefusedResponse):
            add_headers(verdict, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answers what a view refuses."""
        if isinstance(exception, USSOException):
            return refused(project_auth(), exception, request)
        return None


USSOAuthMiddleware = USSOAuthenticationMiddleware


def _admit(request: Any, verdict: Verdict) -> None:
    bind(request, verdict)
    if verdict.claims is not None:
        if verdict.by_header:
            request._dont_enforce_csrf_checks = True
    elif not hasattr(request, "user") and apps.is_installed("django.contrib.auth"):
        from django.contrib.auth.models import AnonymousUser

        request.user = AnonymousUser()


def _check_order(own: type) -> None:
    """Refuses a place before Django's middleware, which would replace `request.user` again."""
    names = list(settings.MIDDLEWARE)
    place = next((at for at, name in enumerate(names) if import_string(name) is own), None)
    if place is not None and DJANGOS in names[place:]:
        raise ImproperlyConfigured(f"put {names[place]} after {DJANGOS} in MIDDLEWARE")
