"""The routes of the table, with async views."""

from __future__ import annotations

from typing import Any

import site_urls
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views import View

from usso.integrations.django import (
    USSOAuthentication,
    USSOAuthMixin,
    require_auth,
    require_role,
    require_scope,
)


async def me(request: Any, **_: str) -> HttpResponse:
    return HttpResponse(request.usso_user.sub)


async def maybe(request: Any) -> HttpResponse:
    return site_urls.maybe(request)


async def color(request: Any) -> HttpResponse:
    return site_urls.color(request)


async def panics(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


async def user(request: Any) -> HttpResponse:
    found = await request.auser()
    assert found == request.user
    return site_urls.user(request)


async def authorized(request: HttpRequest) -> HttpResponse:
    auth = USSOAuthentication()
    return await auth.authorize(resource_path="files", filter_data={"owner": 7})(me)(request)


class Policy(USSOAuthMixin, View):
    required_scopes = ("read:users?user_id={id}",)

    async def get(self, request: Any, **_: str) -> HttpResponse:
        return await me(request)


urlpatterns = [
    path("me", require_auth(me)),
    path("maybe", maybe),
    path("claims", require_auth(color)),
    path("files", require_scope("read:files")(me)),
    path("users/<path:id>", require_scope("read:users?user_id={id}")(me)),
    path("policy/<path:id>", Policy.as_view()),
    path("admin", require_role("admin")(me)),
    path("machine", require_auth(service=True)(me)),
    path("w/<workspace>/notes", require_auth(workspace="{workspace}")(me)),
    path("t/<tenant>/notes", require_auth(tenant="{tenant}")(me)),
    path("payments", require_auth(max_age=300)(me)),
    path("panic", require_auth(panics)),
    path("user", user),
    path("authorized", authorized),
]
