"""An async project."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import table
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler
from django.test import AsyncClient, override_settings

from usso.testing import Issuer


@pytest.fixture(autouse=True)
def _async() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="site_async_urls"):
        yield


def test_slow_keys_hold_up_no_other_request() -> None:
    with (
        Issuer().serve() as served,
        override_settings(USSO_JWT_CONFIG=served.config()),
        table.serve_asgi(ASGIHandler()) as port,
        ThreadPoolExecutor(1) as pool,
    ):
        served.slow(60)
        bearer = [("authorization", f"Bearer {served.mint('user:alice')}")]
        waiting = pool.submit(table.exchange, port, "GET", "/maybe", bearer)
        served.wait_for_fetch()
        others = [table.exchange(port, "GET", "/maybe", []) for _ in range(3)]
        held_up = waiting.done()
        served.recover()
        status, _, body = waiting.result(30)
    assert [(status, body) for status, _, body in others] == [(200, "nobody")] * 3
    assert not held_up
    assert (status, body) == (200, "user:alice")


def test_request_auser_is_the_caller(issuer: Issuer) -> None:
    bob = User.objects.create_user("bob", password="secret")

    async def get() -> int:
        client = AsyncClient()
        sign_in = sync_to_async(client.force_login)
        await sign_in(bob, "django.contrib.auth.backends.ModelBackend")
        answer = await client.get("/user", headers=issuer.authorization("user:alice"))
        return answer.json()["pk"]

    assert asyncio.run(get()) == User.objects.exclude(pk=bob.pk).get().pk


def test_users_may_be_left_out(issuer: Issuer) -> None:
    async def get() -> str:
        answer = await AsyncClient().get("/user", headers=issuer.authorization("user:alice"))
        return answer.json()["name"]

    with override_settings(USSO_CREATE_USERS=False):
        assert asyncio.run(get()) == "user:alice"
    assert User.objects.count() == 0


def test_a_refused_credential_is_answered_at_once(issuer: Issuer) -> None:
    async def get() -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {issuer.expired()}"}
        answer = await AsyncClient().get("/maybe", headers=headers)
        return answer.status_code, answer.json()["error_code"]

    assert asyncio.run(get()) == (401, "token.expired")


def test_django_checks_cookies_for_forged_requests(issuer: Issuer) -> None:
    async def post(headers: dict[str, str]) -> int:
        client = AsyncClient(enforce_csrf_checks=True)
        return (await client.post("/maybe", headers=headers)).status_code

    cookie = {"Cookie": f"usso-access-token={issuer.mint()}", "Sec-Fetch-Site": "same-origin"}
    assert asyncio.run(post(cookie)) == 403
    assert asyncio.run(post(issuer.authorization())) == 200
