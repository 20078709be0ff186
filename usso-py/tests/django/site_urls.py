"""The routes of the project, with sync views."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page
from pydantic import BaseModel
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from usso.auth import UssoAuth
from usso.exceptions import PermissionDenied
from usso.integrations.django import (
    HasRole,
    HasScope,
    USSOAuthentication,
    USSOAuthMixin,
    require_auth,
    require_role,
    require_scope,
)
from usso.integrations.django._settings import project_config


class Colored(BaseModel):
    color: str


def me(request: Any, **_: str) -> HttpResponse:
    return HttpResponse(request.usso_user.sub)


def maybe(request: Any) -> HttpResponse:
    return HttpResponse(request.usso_user.sub if request.usso_user else "nobody")


def color(request: Any) -> HttpResponse:
    auth = UssoAuth(project_config(), user_schema=Colored)
    return HttpResponse(auth.user_of(request.usso_claims).color)


def panics(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


def refuses(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied(detail="not on Sundays")


def user(request: Any) -> HttpResponse:
    """Answers with what Django knows of the caller."""
    found = request.user
    return JsonResponse(
        {
            "pk": found.pk,
            "name": found.get_username(),
            "known": found.is_authenticated,
            "usso": request.usso_user and request.usso_user.sub,
        }
    )


def login(request: HttpRequest) -> HttpResponse:
    """Does what a login form does."""
    found = authenticate(request, username="bob", password="wrong")
    return HttpResponse(getattr(found, "pk", "nobody"))


def authorized(request: HttpRequest) -> HttpResponse:
    auth = USSOAuthentication()
    return auth.authorize(action="read", resource_path="files", filter_data={"owner": 7})(me)(
        request
    )


@method_decorator(require_scope("read:files"), name="dispatch")
class Decorated(View):
    def get(self, request: Any) -> HttpResponse:
        return me(request)


class Mixed(USSOAuthMixin, View):
    required_scopes = ("read:users?user_id={id}",)
    required_roles = ("member",)

    def get(self, request: Any, **_: str) -> HttpResponse:
        return me(request)


class Rest(APIView):
    """Answers with what the framework knows of the caller."""

    permission_classes: tuple[Any, ...] = (AllowAny,)

    def get(self, request: Any, **_: str) -> Response:
        return Response({"sub": request.auth and request.auth.sub, "pk": request.user.pk})

    def post(self, request: Any, **_: str) -> Response:
        return self.get(request)


class Nobody(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False


def rest(*permissions: Any) -> Any:
    return Rest.as_view(permission_classes=permissions)


urlpatterns = [
    path("me", require_auth(me)),
    path("maybe", maybe),
    path("claims", require_auth(color)),
    path("files", require_scope("read:files")(me)),
    path("users/<path:id>", require_scope("read:users?user_id={id}")(me)),
    path("policy/<path:id>", require_auth(scopes=["read:users?user_id={id}"])(me)),
    path("admin", require_role("admin")(me)),
    path("machine", require_auth(service=True)(me)),
    path("w/<workspace>/notes", require_auth(workspace="{workspace}")(me)),
    path("t/<tenant>/notes", require_auth(tenant="{tenant}")(me)),
    path("payments", require_auth(max_age=300)(me)),
    path("panic", require_auth(panics)),
    # Others than those of the table.
    path("user", user),
    path("login", login),
    path("refuses", refuses),
    path("cached", cache_page(60)(require_auth(me))),
    path("authorized", authorized),
    path("decorated", Decorated.as_view()),
    path("mixed/<id>", Mixed.as_view()),
    path("rest/open", rest(AllowAny)),
    path("rest/known", rest(IsAuthenticated)),
    path("rest/files", rest(HasScope("read:files"))),
    path("rest/users/<id>", rest(HasScope("read:users?user_id={id}"))),
    path("rest/either", rest(HasScope("read:files") | HasRole("admin"))),
    path("rest/both", rest(HasScope("read:files") & HasRole("admin"))),
    path("rest/neither", rest(HasScope("read:files") | Nobody)),
    path(
        "rest/unasked",
        Rest.as_view(permission_classes=[HasScope("read:files")], authentication_classes=[]),
    ),
    path("rest/cached", cache_page(60)(rest(HasScope("read:files")))),
]
