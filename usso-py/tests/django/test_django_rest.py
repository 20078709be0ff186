"""Django REST framework."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory, override_settings
from django_site import DJANGOS, SESSION
from rest_framework.permissions import AllowAny, IsAdminUser
from rest_framework.response import Response
from site_urls import Rest

from usso.integrations.django import HasRole, HasScope, Requires, usso_user
from usso.testing import Issuer

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
TOKEN = "a" * 32


@pytest.fixture(autouse=True, params=["with the middleware", "alone"])
def _middleware(request: pytest.FixtureRequest) -> Any:
    """Has each test run with and without the middleware before the views."""
    if request.param == "with the middleware":
        yield
        return
    with override_settings(MIDDLEWARE=[SESSION, DJANGOS]):
        yield


def get(client: Client, issuer: Issuer, path: str, **claims: Any) -> Any:
    return client.get(path, headers=issuer.authorization("user:alice", **claims))


def test_the_caller_is_the_user(client: Client, issuer: Issuer) -> None:
    answer = get(client, issuer, "/rest/known").json()
    assert answer == {"sub": "user:alice", "pk": User.objects.get().pk}


def test_the_caller_is_known_as_after_the_middleware(issuer: Issuer) -> None:
    class View(Rest):
        def get(self, request: Any, **_: str) -> Response:
            inner = request._request
            return Response([usso_user(request).sub, inner.usso_claims.sub, inner.user.pk])

    answer = View.as_view()(RequestFactory().get("/", headers=issuer.authorization("user:alice")))
    assert answer.data == ["user:alice", "user:alice", User.objects.get().pk]


def test_a_caller_may_be_nobody_where_that_is_allowed(client: Client) -> None:
    assert client.get("/rest/open").json() == {"sub": None, "pk": None}


@pytest.mark.parametrize("path", ["/rest/known", "/rest/files"])
def test_no_credential_is_401_and_told_how_to_authenticate(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_a_missing_scope_is_403_and_named(client: Client, issuer: Issuer) -> None:
    answer = get(client, issuer, "/rest/files", scopes=["read:users"])
    assert (answer.status_code, answer.json()["error_code"]) == (403, "access.scope")
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
    assert 'scope="read:files"' in answer["WWW-Authenticate"]


def test_a_scope_lets_in(client: Client, issuer: Issuer) -> None:
    assert get(client, issuer, "/rest/files", scopes=["read:files"]).status_code == 200


def test_a_refused_token_is_401_and_told_why(client: Client, issuer: Issuer) -> None:
    for path in ("/rest/open", "/rest/files"):
        answer = client.get(path, headers={"Authorization": f"Bearer {issuer.expired()}"})
        assert (answer.status_code, answer.json()["error_code"]) == (401, "token.expired")
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_malformed_header_is_400(client: Client) -> None:
    answer = client.get("/rest/open", headers={"Authorization": "Bearer"})
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "access.authorization_malformed"


def test_parts_of_the_address_are_compared(client: Client, issuer: Issuer) -> None:
    scopes = ["read:users?user_id=7"]
    assert get(client, issuer, "/rest/users/7", scopes=scopes).status_code == 200
    assert get(client, issuer, "/rest/users/8", scopes=scopes).status_code == 403


@pytest.mark.parametrize(
    ("path", "claims", "status"),
    [
        ("/rest/either", {"scopes": ["read:files"]}, 200),
        ("/rest/either", {"roles": ["admin"]}, 200),
        ("/rest/either", {}, 403),
        ("/rest/both", {"scopes": ["read:files"]}, 403),
        ("/rest/both", {"roles": ["admin"]}, 403),
        ("/rest/both", {"scopes": ["read:files"], "roles": ["admin"]}, 200),
        ("/rest/neither", {}, 403),
    ],
)
def test_permissions_may_be_combined(
    client: Client, issuer: Issuer, path: str, claims: Any, status: int
) -> None:
    assert get(client, issuer, path, **claims).status_code == status


def test_nobody_is_401_also_where_permissions_are_combined(client: Client) -> None:
    answer = client.get("/rest/either")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


@pytest.mark.parametrize("make", [lambda: ~HasScope("read:files"), lambda: ~HasRole("admin")])
def test_what_callers_must_not_have_cannot_be_said(make: Any) -> None:
    with pytest.raises(TypeError, match="would let strangers in"):
        make()


class Known(Requires):
    """Is given as a class."""


@pytest.mark.parametrize(
    "permission",
    [
        ~(HasScope("read:files") | HasRole("admin")),
        ~(HasScope("read:files") & IsAdminUser),
        ~(AllowAny & (IsAdminUser | HasScope("read:users?user_id={id}"))),
        ~Known,
    ],
)
def test_what_is_negated_with_others_lets_nobody_in(
    client: Client, issuer: Issuer, permission: Any
) -> None:
    view = Rest.as_view(permission_classes=[permission])
    with pytest.raises(TypeError, match="would let strangers in"):
        view(RequestFactory().get("/"), id="a,b")


def test_an_inactive_user_is_403(client: Client, issuer: Issuer) -> None:
    get(client, issuer, "/rest/known")
    User.objects.update(is_active=False)
    answer = get(client, issuer, "/rest/open")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "access.user_inactive")


def test_an_outage_is_503_and_to_be_tried_again(client: Client) -> None:
    with (
        Issuer().serve() as served,
        override_settings(USSO_JWT_CONFIG=served.config(danger_allow_http=True)),
    ):
        served.outage()
        answer = client.get("/rest/open", headers=served.authorization())
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_a_header_needs_no_token_of_django(client: Client, issuer: Issuer) -> None:
    answer = client.post("/rest/known", headers=issuer.authorization("user:alice"))
    assert answer.status_code == 200


def test_a_cookie_needs_the_token_of_django(client: Client, issuer: Issuer) -> None:
    client.cookies["usso-access-token"] = issuer.mint("user:alice")
    answer = client.post("/rest/open", headers=OWN_PAGE)
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


def test_a_cookie_with_both_proofs_is_let_in(client: Client, issuer: Issuer) -> None:
    client.cookies["csrftoken"] = TOKEN
    client.cookies["usso-access-token"] = issuer.mint("user:alice")
    answer = client.post("/rest/known", headers={**OWN_PAGE, "X-CSRFToken": TOKEN})
    assert answer.status_code == 200
    answer = client.post("/rest/known", headers={"X-CSRFToken": TOKEN})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "request.cross_site")


def test_a_view_that_authenticates_nobody_knows_nobody(client: Client, issuer: Issuer) -> None:
    # Such a view checks no cookie for forged requests either.
    answer = get(client, issuer, "/rest/unasked", scopes=["read:files"])
    assert (answer.status_code, answer.json()["error_code"]) == (403, "access.token_missing")


def test_djangos_cache_keeps_callers_apart(client: Client, issuer: Issuer) -> None:
    for subject in ("user:alice", "user:bob"):
        headers = issuer.authorization(subject, scopes=["read:files"])
        answer = client.get("/rest/cached", headers=headers)
        assert answer.json()["sub"] == subject
        assert "authorization, cookie, x-api-key" in answer["Vary"].lower()
    assert client.get("/rest/cached").status_code == 401
