"""The scope catalog: what is registered, where, and that a failure stays quiet."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
from client.loopback import API, Answer

from usso.exceptions import USSOException
from usso.scope_catalog import (
    fetch_client_credentials_token,
    put_scope_catalog,
    register_scope_catalog,
    scopes_from_resource_paths,
    scopes_from_routers,
)

SCOPES = [{"scope": "read:media/files"}]


def register(**settings) -> bool:
    given = {"service": "media", "scopes": SCOPES, "client_id": "c", "client_secret": "s-1"}
    return asyncio.run(register_scope_catalog(**{**given, **settings}))


@pytest.fixture
def catalog(sso):
    """An SSO that gives a token for the client."""
    sso.routes[f"POST {API}/oauth/token"] = Answer(200, {"access_token": "a1"})
    sso.routes[f"PUT {API}/scope-catalog/media"] = Answer(204, b"")
    return sso


def test_each_path_has_a_scope_for_each_action():
    entries = scopes_from_resource_paths(["/a/b/", "c", " ", "c"])
    assert [entry["scope"] for entry in entries] == [
        "read:a/b",
        "manage:a/b",
        "read:c",
        "manage:c",
    ]


def test_labels_are_found_by_scope_then_by_path():
    labels = {"read:a": {"label": "Read"}, "a": {"label": "A", "label_fa": "", "other": "x"}}
    assert scopes_from_resource_paths(["a"], labels=labels) == [
        {"scope": "read:a", "label": "Read"},
        {"scope": "manage:a", "label": "A"},
    ]


def test_routers_tell_their_path_as_text_or_by_a_method():
    routers = [
        SimpleNamespace(resource_path="a"),
        SimpleNamespace(resource_path=lambda: "b"),
        SimpleNamespace(resource_path=None),
        object(),
    ]
    entries = scopes_from_routers(routers, actions=("read",))
    assert entries == [{"scope": "read:a"}, {"scope": "read:b"}]


def test_scopes_are_registered_with_the_clients_token(catalog):
    assert register(usso_base_url=catalog.url)
    token, put = catalog.seen
    assert parse_qs(token.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["c"],
        "client_secret": ["s-1"],
    }
    assert (put.method, put.headers["authorization"]) == ("PUT", "Bearer a1")
    assert put.json() == {"scopes": SCOPES}


def test_settings_come_from_the_environment(catalog, monkeypatch):
    for name, value in {
        "USSO_BASE_URL": catalog.url,
        "SCOPE_CATALOG_CLIENT_ID": "c-env",
        "SCOPE_CATALOG_CLIENT_SECRET": "s-env",
        "USSO_API_BASE_PATH": "/v2/",
        "USSO_OAUTH_TOKEN_PATH": "/v2/token",
    }.items():
        monkeypatch.setenv(name, value)
    catalog.routes["POST /v2/token"] = Answer(200, {"access_token": "a1"})
    assert register(client_id=None, client_secret=None)
    assert [seen.path for seen in catalog.seen] == ["/v2/token", "/v2/scope-catalog/media"]
    assert b"client_id=c-env" in catalog.seen[0].body


@pytest.mark.parametrize(
    "settings",
    [{"enabled": False}, {"client_id": ""}, {"client_secret": None}, {"scopes": []}],
)
def test_without_client_or_scopes_nothing_is_sent(catalog, settings):
    assert register(usso_base_url=catalog.url, **settings) is False
    assert catalog.seen == []


def test_it_is_switched_off_by_the_environment(catalog, monkeypatch):
    monkeypatch.setenv("SCOPE_CATALOG_ENABLED", "false")
    assert register(usso_base_url=catalog.url) is False
    assert catalog.seen == []


@pytest.mark.parametrize(
    "failure",
    [Answer(None), Answer(401, {"error": "invalid_client"}), Answer(200, {}), Answer(200, b"[")],
)
def test_a_failure_is_logged_without_the_secret_and_not_raised(catalog, failure, caplog):
    catalog.routes[f"POST {API}/oauth/token"] = failure
    with caplog.at_level(logging.DEBUG):
        assert register(usso_base_url=catalog.url) is False
    assert "could not be registered" in caplog.text
    assert "s-1" not in caplog.text


def test_a_secret_is_not_sent_over_http_to_afar(caplog):
    assert register(usso_base_url="http://sso.example") is False
    assert "ValueError" in caplog.text


def test_a_secret_does_not_follow_a_redirect(catalog, stranger):
    to = {"Location": f"{stranger.url}/x"}
    catalog.routes[f"POST {API}/oauth/token"] = Answer(307, {}, to)
    assert register(usso_base_url=catalog.url) is False
    assert stranger.seen == []


@pytest.mark.parametrize("path", ["@evil.example/token", ".evil.example/token", ":1/token"])
def test_a_path_cannot_change_the_host(path):
    with pytest.raises(ValueError, match="must begin with /"):
        asyncio.run(
            fetch_client_credentials_token(
                usso_base_url="https://sso.example",
                client_id="c",
                client_secret="s",
                oauth_token_path=path,
            )
        )


def test_a_service_stays_one_segment_of_the_path(sso):
    settings = {"usso_base_url": sso.url, "scopes": SCOPES, "access_token": "a1"}
    asyncio.run(put_scope_catalog(service="../users", **settings))
    assert sso.seen[0].path == f"{API}/scope-catalog/..%2Fusers"


def test_a_catalog_that_is_refused_raises(sso):
    sso.routes[f"PUT {API}/scope-catalog/media"] = Answer(403, {"error_code": "access.forbidden"})
    settings = {"usso_base_url": sso.url, "scopes": SCOPES, "access_token": "a1"}
    with pytest.raises(USSOException) as raised:
        asyncio.run(put_scope_catalog(service="media", **settings))
    assert (raised.value.status_code, raised.value.error_code) == (403, "access.forbidden")
