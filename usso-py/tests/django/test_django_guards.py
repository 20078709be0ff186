"""Decorators, the mixin, the dependency and the backend."""

from __future__ import annotations

import asyncio
from typing import Any

import django_site
import pytest
import site_urls
from django.contrib.auth import authenticate
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.views import View
from django.views.generic import TemplateView
from rest_framework.views import APIView

from usso.exceptions import TokenInvalid, TokenNotFound
from usso.integrations.django import (
    HasRole,
    HasScope,
    USSOAuthentication,
    USSOAuthenticationBackend,
    USSOAuthMixin,
    require_auth,
    require_role,
    require_scope,
)
from usso.testing import Issuer

MISSPELT = [
    lambda: require_scope("raed:files"),
    lambda: require_scope(),
    lambda: require_scope(site_urls.me),
    lambda: require_role(site_urls.me),
    lambda: require_auth(scopes=["read:users?user_id={id"]),
    lambda: HasScope("raed:files"),
    lambda: HasScope(),
    lambda: HasRole(),
    lambda: type("Misspelt", (USSOAuthMixin, View), {"required_scopes": ["raed:files"]}),
    lambda: type("Text", (USSOAuthMixin, View), {"required_scopes": "read:files"}),
    lambda: type("Text", (USSOAuthMixin, View), {"required_roles": "admin"}),
    lambda: type("Once", (USSOAuthMixin, View), {"required_roles": (name for name in ["admin"])}),
    lambda: site_urls.Mixed.as_view(required_scopes=["raed:files"]),
    lambda: site_urls.Mixed.as_view(required_roles="admin"),
    lambda: USSOAuthentication().authorize(action="raed", resource_path="files"),
]


@pytest.mark.parametrize("make", MISSPELT)
def test_a_misspelt_rule_is_an_error_when_it_is_made(make: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        make()


def test_a_decorator_for_scopes_is_not_for_roles() -> None:
    with pytest.raises(TypeError):
        require_auth("read:files")  # type: ignore[call-overload]


def test_methods_are_guarded_as_functions_are(client: Client, issuer: Issuer) -> None:
    good = client.get("/decorated", headers=issuer.authorization(scopes=["read:files"]))
    assert (good.status_code, good.content) == (200, b"user:1")
    assert client.get("/decorated", headers=issuer.authorization()).status_code == 403
    assert client.get("/decorated").status_code == 401


def test_the_mixin_wants_all_scopes_and_roles(client: Client, issuer: Issuer) -> None:
    scopes = ["read:users?user_id=7"]

    def status(path: str, **claims: Any) -> int:
        return client.get(path, headers=issuer.authorization(**claims)).status_code

    assert status("/mixed/7", scopes=scopes, roles=["member"]) == 200
    assert status("/mixed/8", scopes=scopes, roles=["member"]) == 403
    assert status("/mixed/7", scopes=scopes) == 403
    assert status("/mixed/7", roles=["member"]) == 403
    assert client.get("/mixed/7").status_code == 401


def test_a_subclass_of_a_guarded_view_is_guarded(issuer: Issuer) -> None:
    class Child(site_urls.Mixed):
        pass

    assert Child.as_view()(RequestFactory().get("/"), id="7").status_code == 401


@pytest.mark.parametrize(
    ("needed", "claims"),
    [
        ({"required_scopes": ["read:files"]}, {"scopes": ["read:files"]}),
        ({"required_roles": ["admin"]}, {"roles": ["admin"]}),
    ],
)
def test_the_mixin_wants_what_as_view_is_given(issuer: Issuer, needed: Any, claims: Any) -> None:
    class Plain(USSOAuthMixin, View):
        def get(self, request: Any) -> HttpResponse:
            return HttpResponse("in")

    view, get = Plain.as_view(**needed), RequestFactory().get
    assert view(get("/", headers=issuer.authorization())).status_code == 403
    assert view(get("/", headers=issuer.authorization(**claims))).status_code == 200


def test_the_mixin_after_a_view_is_an_error_when_the_class_is_made() -> None:
    for bases in [(View, USSOAuthMixin), (TemplateView, USSOAuthMixin), (APIView, site_urls.Mixed)]:
        with pytest.raises(TypeError, match="put USSOAuthMixin before"):
            type("Unguarded", bases, {})
    assert type("Guarded", (LoginRequiredMixin, USSOAuthMixin, TemplateView), {})


@override_settings(MIDDLEWARE=[])
def test_a_decorator_needs_no_middleware(client: Client, issuer: Issuer) -> None:
    answer = client.get("/me", headers=issuer.authorization("user:alice"))
    assert (answer.status_code, answer.content) == (200, b"user:alice")
    assert client.get("/me").json()["error_code"] == "access.token_missing"


def test_what_a_view_refuses_is_answered(client: Client) -> None:
    answer = client.get("/refuses")
    assert (answer.status_code, answer.json()["detail"]) == (403, "not on Sundays")


def test_each_challenge_has_its_line(client: Client, issuer: Issuer) -> None:
    with override_settings(USSO_JWT_CONFIG=issuer.config(public_url="https://api.example")):
        answer = client.get("/me")
    lines = [value for name, value in answer.items() if name == "WWW-Authenticate"]
    assert [line.split()[0] for line in lines] == ["Bearer", "DPoP"]
    assert answer["Cache-Control"] == "no-store"


@override_settings(MIDDLEWARE=[])
def test_answers_vary_by_every_place_of_a_credential(client: Client, issuer: Issuer) -> None:
    answer = client.get("/me", headers=issuer.authorization())
    assert answer["Vary"].lower() == "authorization, cookie, x-api-key"


def test_answers_of_unguarded_views_vary_as_well(client: Client, issuer: Issuer) -> None:
    client.cookies["usso-access-token"] = issuer.mint()
    answer = client.get("/maybe")
    assert answer["Cache-Control"] == "private"
    assert "authorization, cookie, x-api-key" in answer["Vary"].lower()


def test_djangos_cache_keeps_callers_apart(client: Client, issuer: Issuer) -> None:
    for subject in ("user:alice", "user:bob"):
        answer = client.get("/cached", headers=issuer.authorization(subject))
        assert answer.content == subject.encode()
    assert client.get("/cached").status_code == 401


def test_djangos_cache_keeps_cookies_apart(client: Client, issuer: Issuer) -> None:
    for subject in ("user:alice", "user:bob"):
        client.cookies["usso-access-token"] = issuer.mint(subject)
        answer = client.get("/cached")
        assert (answer.content, answer["Cache-Control"]) == (subject.encode(), "private")


def test_authorize_wants_action_path_and_filters(client: Client, issuer: Issuer) -> None:
    def answer(*scopes: str) -> HttpResponse:
        return client.get("/authorized", headers=issuer.authorization(scopes=scopes))

    assert answer("read:files").content == b"user:1"
    assert answer("read:files?owner=7").status_code == 200
    assert answer("read:files?owner=8").status_code == 403
    refused = answer("read:users")
    assert (refused.status_code, refused.json()["error_code"]) == (403, "access.scope")
    assert 'error="insufficient_scope"' in refused["WWW-Authenticate"]
    assert client.get("/authorized").status_code == 401


@override_settings(MIDDLEWARE=[])
def test_authorize_uses_no_database(client: Client, issuer: Issuer) -> None:
    headers = issuer.authorization(scopes=["read:files"])
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/authorized", headers=headers).status_code == 200
    assert len(queries) == 0


@override_settings(MIDDLEWARE=[], ROOT_URLCONF="site_async_urls")
def test_async_views_may_be_authorized(issuer: Issuer) -> None:
    async def status(*scopes: str) -> int:
        headers = issuer.authorization(scopes=scopes)
        return (await AsyncClient().get("/authorized", headers=headers)).status_code

    assert asyncio.run(status("read:files")) == 200
    assert asyncio.run(status("read:files?owner=8")) == 403


def test_the_dependency_gives_the_caller_or_raises(issuer: Issuer) -> None:
    auth, requests = USSOAuthentication(issuer.config()), RequestFactory()
    good = requests.get("/", headers=issuer.authorization("user:alice"))
    assert auth(good).sub == auth.usso_access_security(good).sub == "user:alice"  # type: ignore[union-attr]
    assert asyncio.run(auth.usso_access_security_async(good)).sub == "user:alice"  # type: ignore[union-attr]
    assert auth.get_request_jwt(good) == good.headers["Authorization"].split()[1]
    with pytest.raises(TokenNotFound):
        auth(requests.get("/"))
    with pytest.raises(TokenInvalid):
        auth(requests.get("/", headers={"Authorization": "Bearer x"}))


def test_the_dependency_gives_none_if_it_is_told_to(issuer: Issuer) -> None:
    auth, requests = USSOAuthentication(issuer.config(), raise_exception=False), RequestFactory()
    assert auth(requests.get("/")) is None
    assert auth(requests.get("/", headers={"Authorization": "Bearer x"})) is None
    assert asyncio.run(auth.usso_access_security_async(requests.get("/"))) is None


def test_the_dependency_wants_the_type_of_token_it_is_for(issuer: Issuer) -> None:
    auth = USSOAuthentication(issuer.config(profile="usso"), expected_token_type="refresh")
    requests = RequestFactory()
    refresh = requests.get("/", headers=issuer.authorization(token_type="refresh"))
    assert auth(refresh).sub == "user:1"  # type: ignore[union-attr]
    with pytest.raises(TokenInvalid):
        auth(requests.get("/", headers=issuer.authorization(token_type="access")))


def test_what_one_verifier_found_another_does_not_take_over(issuer: Issuer) -> None:
    other = Issuer(issuer.name)
    request = RequestFactory().get("/", headers=issuer.authorization())
    assert USSOAuthentication(issuer.config())(request) is not None
    with pytest.raises(TokenInvalid):
        USSOAuthentication(other.config())(request)


BAD = ["Bearer", "Bearer x", "Basic dXNlcjpwYXNz", "Bearer \xff", "", "Bearer a.b.c"]


@pytest.mark.parametrize("header", BAD)
def test_the_backend_gives_none_for_a_bad_credential(header: str) -> None:
    request = RequestFactory().get("/", headers={"Authorization": header})
    assert USSOAuthenticationBackend().authenticate(request) is None
    assert asyncio.run(USSOAuthenticationBackend().aauthenticate(request)) is None
    assert authenticate(request) is None


def test_the_backend_gives_none_without_a_request_or_a_credential() -> None:
    backend = USSOAuthenticationBackend()
    assert backend.authenticate(None) is None
    assert backend.authenticate(RequestFactory().get("/")) is None


def test_the_backend_gives_the_user(issuer: Issuer) -> None:
    request = RequestFactory().get("/", headers=issuer.authorization("user:alice"))
    found = authenticate(request)
    assert found == User.objects.get()
    assert asyncio.run(USSOAuthenticationBackend().aauthenticate(request)) == found
    assert USSOAuthenticationBackend().get_user(found.pk) == found


def test_the_backend_gives_no_inactive_user(issuer: Issuer) -> None:
    headers = issuer.authorization("user:alice")
    found = authenticate(RequestFactory().get("/", headers=headers))
    User.objects.update(is_active=False)
    assert authenticate(RequestFactory().get("/", headers=headers)) is None
    assert USSOAuthenticationBackend().get_user(found.pk) is None
    assert USSOAuthenticationBackend().get_user(0) is None


@override_settings(MIDDLEWARE=[])
def test_a_token_makes_no_login_form_accept_any_password(client: Client, issuer: Issuer) -> None:
    User.objects.create_user("bob", password="secret")
    answer = client.get("/login", headers=issuer.authorization("user:alice"))
    assert answer.content == b"nobody"


def test_a_misplaced_middleware_is_an_error_at_the_start(client: Client) -> None:
    wrong = [django_site.SESSION, django_site.OURS, django_site.DJANGOS]
    with (
        override_settings(MIDDLEWARE=wrong),
        pytest.raises(django_site.ImproperlyConfigured, match="after"),
    ):
        client.get("/maybe")
