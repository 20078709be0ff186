"""Requests that other sites forge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings

from usso.config import APIHeaderConfig, HeaderConfig
from usso.testing import Issuer
from usso.user import UserData

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
TOKEN = "a" * 32


@pytest.fixture
def posting(client: Client) -> Client:
    """A browser that has Django's cookie against forged requests."""
    client.cookies["csrftoken"] = TOKEN
    return client


def is_djangos(answer: Any) -> bool:
    """Whether Django refused a request as forged, and not this package."""
    return answer.status_code == 403 and b"CSRF" in answer.content


def signed_in(client: Client, issuer: Issuer) -> Client:
    client.cookies["usso-access-token"] = issuer.mint("user:alice")
    return client


def test_a_token_in_a_header_needs_no_token_of_django(client: Client, issuer: Issuer) -> None:
    answer = client.post("/me", headers=issuer.authorization("user:alice"))
    assert (answer.status_code, answer.content) == (200, b"user:alice")


def test_a_cookie_needs_the_token_of_django(client: Client, issuer: Issuer) -> None:
    assert is_djangos(signed_in(client, issuer).post("/me", headers=OWN_PAGE))


def test_a_cookie_with_both_proofs_is_let_in(posting: Client, issuer: Issuer) -> None:
    answer = signed_in(posting, issuer).post("/me", headers={**OWN_PAGE, "X-CSRFToken": TOKEN})
    assert (answer.status_code, answer.content) == (200, b"user:alice")


def test_the_token_of_django_does_not_stand_in_for_the_page(
    posting: Client, issuer: Issuer
) -> None:
    for page in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = signed_in(posting, issuer).post("/me", headers={**page, "X-CSRFToken": TOKEN})
        assert (answer.status_code, answer.json()["error_code"]) == (403, "request.cross_site")


def test_a_caller_nobody_knows_needs_the_token_of_django(client: Client) -> None:
    assert is_djangos(client.post("/maybe"))


def test_a_refused_header_is_no_way_around(client: Client, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.expired()}", **OWN_PAGE}
    assert signed_in(client, issuer).post("/me", headers=headers).status_code == 401


def test_a_header_that_is_not_looked_at_is_no_way_around(client: Client, issuer: Issuer) -> None:
    config = issuer.config(jwt_header=HeaderConfig(header_name="X-Token"))
    with override_settings(USSO_JWT_CONFIG=config):
        headers = {**issuer.authorization("user:bob"), **OWN_PAGE}
        assert is_djangos(signed_in(client, issuer).post("/me", headers=headers))


def test_the_header_that_is_looked_at_needs_no_token_of_django(
    client: Client, issuer: Issuer
) -> None:
    config = issuer.config(jwt_header=HeaderConfig(header_name="X-Token"))
    with override_settings(USSO_JWT_CONFIG=config):
        answer = client.post("/me", headers={"X-Token": issuer.mint("user:bob")})
    assert (answer.status_code, answer.content) == (200, b"user:bob")


def known_key(key: str) -> UserData:
    return UserData(sub="service:robot")


@pytest.fixture
def keys(issuer: Issuer) -> Iterator[None]:
    config = issuer.config(api_key_header=APIHeaderConfig(api_key_verifier=known_key))
    with override_settings(USSO_JWT_CONFIG=config):
        yield


def post_key(client: Client) -> HttpResponse:
    return client.post("/me", headers={"X-API-Key": "usso_sk_1234567890", **OWN_PAGE})


def test_an_api_key_needs_no_token_of_django(client: Client, keys: None) -> None:
    answer = post_key(client)
    assert (answer.status_code, answer.content) == (200, b"service:robot")


def test_an_api_key_beside_a_cookie_is_no_way_around(
    client: Client, issuer: Issuer, keys: None
) -> None:
    assert is_djangos(post_key(signed_in(client, issuer)))


def test_a_decorator_alone_leaves_djangos_check_as_it_is(client: Client, issuer: Issuer) -> None:
    from django_site import CSRF, SESSION

    with override_settings(MIDDLEWARE=[SESSION, CSRF]):
        assert is_djangos(client.post("/me", headers=issuer.authorization()))
