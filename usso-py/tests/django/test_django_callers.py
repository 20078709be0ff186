"""Whose request it is, where several verifiers look at one."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.permissions import AllowAny
from rest_framework.request import Request as RestRequest
from site_urls import Rest

from usso.exceptions import TokenNotFound
from usso.integrations.django import (
    USSOAuthentication,
    USSOAuthenticationMiddleware,
    require_auth,
    require_scope,
    usso_user,
)
from usso.testing import Issuer


@pytest.fixture
def other() -> Issuer:
    return Issuer("https://other.example", "https://o")


@pytest.fixture
def second(other: Issuer) -> USSOAuthentication:
    """A verifier of other tokens, in a header of their own."""
    header = {"header_name": "x-other", "cookie_name": None}
    return USSOAuthentication(other.config(jwt_header=header), raise_exception=False)


def asked(issuer: Issuer, other: Issuer | None) -> Any:
    """Makes a request of Alice, and perhaps of Mallory with the other verifier."""
    more = {"x-other": other.mint("user:mallory")} if other else {}
    return RequestFactory().get("/", headers={**issuer.authorization("user:alice"), **more})


def seen(request: Any) -> list[Any]:
    return [request.usso_user.sub, request.usso_claims.sub, request.user.usso_links.get().subject]


@pytest.mark.parametrize("known", [True, False])
def test_an_optional_verifier_takes_no_request_from_its_caller(
    issuer: Issuer, other: Issuer, second: USSOAuthentication, known: bool
) -> None:
    def view(request: Any) -> HttpResponse:
        found = second(request)
        assert (found and found.sub) == ("user:mallory" if known else None)
        assert seen(request) == ["user:alice"] * 3
        return HttpResponse("done")

    request = asked(issuer, other if known else None)
    assert USSOAuthenticationMiddleware(view)(request).content == b"done"
    assert require_auth(view)(asked(issuer, other if known else None)).content == b"done"


def test_a_guard_binds_a_caller_that_it_knows_already_again(
    issuer: Issuer, other: Issuer, second: USSOAuthentication
) -> None:
    def view(request: Any) -> HttpResponse:
        return HttpResponse(",".join(seen(request)))

    def mixed(request: Any) -> HttpResponse:
        request.usso_user = second(request)
        return require_auth(view)(request)

    answer = USSOAuthenticationMiddleware(mixed)(asked(issuer, other))
    assert answer.content == b"user:alice,user:alice,user:alice"


def test_a_guard_inside_another_gives_the_caller_back(
    issuer: Issuer, other: Issuer, second: USSOAuthentication
) -> None:
    @second.authorize(resource_path="files")
    def inner(request: Any) -> HttpResponse:
        return HttpResponse(request.usso_user.sub)

    @require_auth
    def outer(request: Any) -> HttpResponse:
        for _ in ("first", "second"):
            answer = inner(request)
            assert seen(request) == ["user:alice"] * 3
        return answer

    headers = {"x-other": other.mint("user:bob", scopes=["read:files"])}
    request = RequestFactory().get("/", headers={**issuer.authorization("user:alice"), **headers})
    assert outer(request).content == b"user:bob"
    assert outer(asked(issuer, other)).status_code == 403


def test_an_optional_guard_that_finds_nobody_takes_no_request_from_its_caller(
    other: Issuer, second: USSOAuthentication
) -> None:
    rest = Rest.as_view(permission_classes=[AllowAny])
    open_to_all = USSOAuthenticationMiddleware(rest)

    @second.authorize(resource_path="files")
    def outer(request: Any) -> HttpResponse:
        answer = open_to_all(request)
        assert answer.data["sub"] is None
        assert request.usso_user.sub == request.usso_claims.sub == "user:bob"
        return answer

    headers = {"x-other": other.mint("user:bob", scopes=["read:files"])}
    assert outer(RequestFactory().get("/", headers=headers)).status_code == 200


def test_the_user_is_given_back_as_well(
    issuer: Issuer, other: Issuer, second: USSOAuthentication
) -> None:
    @second.authorize(resource_path="files")
    def outer(request: Any) -> HttpResponse:
        require_auth(lambda request: HttpResponse(seen(request)[2]))(request)
        assert request.usso_user.sub == request.usso_claims.sub == "user:bob"
        assert request.user is nobody
        assert not hasattr(request, "auser")
        return HttpResponse("done")

    nobody = AnonymousUser()
    headers = {"x-other": other.mint("user:bob", scopes=["read:files"])}
    request: Any = RequestFactory().get("/", headers={**issuer.authorization(), **headers})
    request.user = nobody
    assert outer(request).content == b"done"


def test_an_async_guard_inside_another_gives_the_caller_back(
    issuer: Issuer, other: Issuer, second: USSOAuthentication
) -> None:
    @second.authorize(resource_path="files")
    async def inner(request: Any) -> HttpResponse:
        return HttpResponse(request.usso_user.sub)

    @require_auth
    async def outer(request: Any) -> HttpResponse:
        answer = await inner(request)
        assert (await request.auser(), request.usso_user.sub) == (request.user, "user:alice")
        assert (await second.usso_access_security_async(request)).sub == "user:bob"  # type: ignore[union-attr]
        assert request.usso_user.sub == "user:alice"
        return answer

    headers = {"x-other": other.mint("user:bob", scopes=["read:files"])}
    request = RequestFactory().get("/", headers={**issuer.authorization("user:alice"), **headers})
    assert asyncio.run(outer(request)).content == b"user:bob"


def test_a_caller_who_is_refused_is_not_that_of_the_request(issuer: Issuer) -> None:
    request = asked(issuer, None)
    assert require_scope("read:files")(seen)(request).status_code == 403
    assert not hasattr(request, "usso_user")


def test_a_view_may_sign_somebody_else_in(issuer: Issuer) -> None:
    def view(request: Any) -> HttpResponse:
        request.user = nobody
        return HttpResponse("done")

    nobody, request = AnonymousUser(), asked(issuer, None)
    USSOAuthenticationMiddleware(require_auth(view))(request)
    assert request.user is nobody


@pytest.mark.parametrize("credential", ["", "Bearer bob"])
def test_a_copy_of_a_request_is_judged_by_its_own_credential(
    issuer: Issuer, credential: str
) -> None:
    view = require_auth(lambda request: HttpResponse(request.usso_user.sub))
    first = asked(issuer, None)
    assert view(first).content == b"user:alice"
    second = copy.copy(first)
    second.META = {**first.META, "HTTP_AUTHORIZATION": f"Bearer {issuer.mint('user:bob')}"}
    if not credential:
        del second.META["HTTP_AUTHORIZATION"]
    answer = view(second)
    expected = (200, b"user:bob") if credential else (401, answer.content)
    assert (answer.status_code, answer.content) == expected
    assert view(first).content == b"user:alice"


def test_a_copy_without_a_credential_has_no_caller(issuer: Issuer) -> None:
    middleware = USSOAuthenticationMiddleware(lambda request: HttpResponse("done"))
    first = asked(issuer, None)
    middleware(first)
    second = copy.copy(first)
    second.META = {**first.META}
    del second.META["HTTP_AUTHORIZATION"]
    middleware(second)
    assert (first.usso_user.sub, second.usso_user) == ("user:alice", None)


def test_usso_user_is_the_caller(issuer: Issuer) -> None:
    request = asked(issuer, None)
    answer = require_auth(lambda request: HttpResponse(usso_user(request).sub))(request)
    assert answer.content == b"user:alice"
    assert usso_user(RestRequest(request)).sub == "user:alice"  # type: ignore[arg-type]


def test_usso_user_of_nobody_is_an_error() -> None:
    request = RequestFactory().get("/")
    for _ in ("unguarded", "after the middleware"):
        with pytest.raises(TokenNotFound):
            usso_user(request)
        USSOAuthenticationMiddleware(lambda request: HttpResponse("done"))(request)
