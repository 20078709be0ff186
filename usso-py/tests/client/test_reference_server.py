"""The clients against the reference server."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from usso.client.base_client import jwt_from_token, payload_scopes
from usso.exceptions import USSOException
from usso.utils.string_utils import get_authorization_scheme_param

API = "/api/sso/v1"


@pytest.fixture
def told() -> list[str]:
    """The refresh tokens that `on_refresh` was told."""
    return []


@pytest.fixture
def client(make, server, told):
    """A client of a session of its own."""
    first = server.login()["refresh_token"]
    return make(refresh_token=first, usso_base_url=server.base_url, on_refresh=told.append)


@pytest.fixture
def no_grace(server):
    """For the test, a used refresh token is taken for stolen at once, not only after seconds."""
    tenant = server.as_admin("GET", "/tenants")["items"][0]["id"]
    settings = {"settings": {"refresh_grace_seconds": 0}}
    server.as_admin("PATCH", f"/tenants/{tenant}", settings)
    yield
    server.as_admin("PATCH", f"/tenants/{tenant}", {"settings": {"refresh_grace_seconds": None}})


def test_a_refresh_token_from_a_sign_in_makes_requests_work(client, server):
    answer = client.get(f"{API}/me")
    assert answer.status_code == 200
    assert answer.json()["identifiers"][0]["identifier"] == server.admin


def test_refresh_tokens_rotate(client, told):
    first = client.refresh_token
    for _ in range(3):
        client._refresh()
        assert client.get(f"{API}/me").status_code == 200
    assert len({first, *told}) == 4
    assert client.refresh_token == told[-1]


def test_a_session_goes_on_with_the_token_that_was_kept(make, server, client, told):
    client.get_session()
    later = make(refresh_token=told[-1], usso_base_url=server.base_url)
    assert later.get(f"{API}/me").status_code == 200


def test_the_second_use_of_a_refresh_token_ends_the_family(client, server, no_grace):
    stolen = client.refresh_token
    client.get_session()
    thief = server.refresh(stolen)
    assert (thief.status_code, thief.json()["error_code"]) == (401, "session.refresh_reused")
    with pytest.raises(USSOException) as raised:
        client._refresh()
    assert (raised.value.status_code, raised.value.error_code) == (401, "session.refresh_not_valid")
    assert client.refresh_token is None


def test_a_client_with_a_used_refresh_token_is_refused(make, client, server, no_grace):
    used = client.refresh_token
    client.get_session()
    late = make(refresh_token=used, usso_base_url=server.base_url)
    with pytest.raises(USSOException) as raised:
        late.get(f"{API}/me")
    assert raised.value.error_code == "session.refresh_reused"


def test_a_token_that_another_client_just_exchanged_is_kept(make, client, server):
    used = client.refresh_token
    client.get_session()
    twin = make(refresh_token=used, usso_base_url=server.base_url)
    with pytest.raises(USSOException) as raised:
        twin.get(f"{API}/me")
    assert (raised.value.status_code, raised.value.error_code) == (409, "session.refresh_raced")
    assert twin.refresh_token == used


def test_a_refresh_token_that_was_made_up_is_refused(make, server):
    client = make(refresh_token="usso_rt_made-up", usso_base_url=server.base_url)
    with pytest.raises(USSOException) as raised:
        client.get_session()
    assert raised.value.error_code == "session.refresh_not_valid"


def test_twenty_threads_at_once_cause_one_refresh(client, told):
    barrier = threading.Barrier(20)

    def work(_):
        barrier.wait()
        return client.get(f"{API}/me").status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(work, range(20)))
    assert statuses == [200] * 20
    assert len(told) == 1


def test_a_refused_access_token_is_replaced(client, told):
    client.get_session()
    client._session.access = "not.a.token"
    assert client.get(f"{API}/me").status_code == 200
    assert len(told) == 2


def test_after_signing_out_a_request_is_refused(client):
    client.get_session()
    assert client.post(f"{API}/auth/logout").status_code == 204
    with pytest.raises(USSOException) as raised:
        client.get(f"{API}/me")
    assert raised.value.error_code == "session.refresh_not_valid"


def test_users_are_created_and_listed(client):
    name = str(uuid.uuid4())
    made = client.create_users({"identifiers": [f"{name}@example.com"], "name": name})
    assert made.name == name
    assert made.uid in {user.uid for user in client.get_users({"limit": 200})}


def test_a_refusal_is_told_in_the_servers_words(client):
    with pytest.raises(USSOException) as raised:
        client.create_users({"identifiers": []})
    assert (raised.value.status_code, raised.value.error_code) == (422, "user.invalid")


@pytest.fixture
def person(server):
    """The tokens of somebody who is no administrator."""
    name = f"{uuid.uuid4()}@example.com"
    user = {"identifiers": [name], "secret": server.password, "scopes": ["read:files"]}
    server.as_admin("POST", "/users", user)
    return server.login(name)


def test_users_are_for_administrators(make, server, person):
    client = make(refresh_token=person["refresh_token"], usso_base_url=server.base_url)
    with pytest.raises(USSOException) as raised:
        client.get_users()
    assert (raised.value.status_code, raised.value.error_code) == (403, "access.forbidden")


def test_the_scopes_of_the_access_token_are_read(make, server, person):
    client = make(refresh_token=person["refresh_token"], usso_base_url=server.base_url)
    assert client._get_scopes() == ["read:files"]


def test_the_access_token_is_one_of_the_session(client, server):
    assert client.access_token is None
    client.get_session()
    token = client.access_token
    assert client.headers_map()["authorization"] == f"Bearer {token}"
    assert token.unverified_payload["iss"] == server.base_url


def test_scopes_are_those_of_a_verified_payload():
    assert payload_scopes(SimpleNamespace(payload={"scopes": ["read:a", 1]})) == ["read:a"]
    assert payload_scopes(SimpleNamespace(payload={"scopes": "read:a"})) == []


def test_only_a_text_is_wrapped_as_a_token(server):
    with pytest.raises(TypeError, match="token must be a string"):
        jwt_from_token(server.base_url, None)
    assert payload_scopes(None) == []


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (None, ("", "")),
        ("", ("", "")),
        ("Bearer a b", ("Bearer", "a b")),
        ("Bearer", ("Bearer", "")),
        ("Bearer  a", ("Bearer", " a")),
    ],
)
def test_a_header_is_split_at_its_first_space(value, parts):
    assert get_authorization_scheme_param(value) == parts
