"""The table of requests and answers, through real servers."""

from __future__ import annotations

import django_site
import pytest
import table
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from usso import _native

# What servers of WSGI do with a request before Django sees it.
WSGI: dict[str, tuple[int, ...]] = {
    # They join lines of one name by a comma, which a cookie may have: it is no token then.
    "two cookies in two headers are refused": (401,),
}
# A handshake without a key is malformed to uvicorn.
ASGI: dict[str, tuple[int, ...]] = {
    "a websocket by cookie needs proof although it is a GET": (400,),
    "a websocket from an allowed page is good": (400,),
}
# Without Django's check against forged requests, which needs a token of its own.
MIDDLEWARE = [django_site.SESSION, django_site.DJANGOS, django_site.OURS]


@pytest.mark.parametrize("creates_users", [True, False])
def test_every_request_of_the_table_gets_its_answer_from_wsgi(creates_users: bool) -> None:
    issuer = _native.TestIssuer(table.ISSUER)
    given = {"USSO_JWT_CONFIG": table.config(issuer), "USSO_CREATE_USERS": creates_users}
    with override_settings(MIDDLEWARE=MIDDLEWARE, **given), django_site.serve_wsgi() as port:
        assert table.differences(port, issuer, WSGI) == []


def test_every_request_of_the_table_gets_its_answer_from_asgi() -> None:
    issuer = _native.TestIssuer(table.ISSUER)
    given = {"USSO_JWT_CONFIG": table.config(issuer), "ROOT_URLCONF": "site_async_urls"}
    with (
        override_settings(MIDDLEWARE=MIDDLEWARE, **given),
        table.serve_asgi(ASGIHandler()) as port,
    ):
        assert table.differences(port, issuer, ASGI) == []
