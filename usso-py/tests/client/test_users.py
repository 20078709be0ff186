"""Users, profiles and identifiers: what is sent, and how a refusal shows."""

from __future__ import annotations

import pytest
from client.loopback import API, Answer

from usso.exceptions import USSOException
from usso.schemas import UserResponse

TIME = "2026-01-02T03:04:05Z"
USER = {
    "uid": "u1",
    "created_at": TIME,
    "updated_at": TIME,
    "is_deleted": False,
    "tenant_id": "t1",
    "roles": ["editor"],
}


@pytest.fixture
def client(make, sso):
    return make(api_key="k", usso_base_url=sso.url)


def test_users_are_listed(client, sso):
    sso.routes[f"GET {API}/users"] = Answer(200, {"items": [USER], "next": None})
    users = client.get_users({"limit": 1})
    assert [(type(user), user.uid) for user in users] == [(UserResponse, "u1")]
    assert sso.seen[0].path == f"{API}/users?limit=1"
    assert sso.seen[0].headers["x-api-key"] == "k"


def test_a_user_is_created(client, sso):
    sso.routes[f"POST {API}/users"] = Answer(201, USER)
    assert client.create_users({"identifiers": ["a@example.com"]}).roles == ["editor"]
    assert sso.seen[0].json() == {"identifiers": ["a@example.com"]}


def test_a_profile_is_read(client, sso):
    sso.routes[f"GET {API}/profiles/u1"] = Answer(200, {"nickname": "n"})
    assert client.get_profile("u1") == {"nickname": "n"}


def test_an_identifier_is_added(client, sso):
    sso.routes[f"POST {API}/users/u1/identifiers"] = Answer(201, {"ok": True})
    assert client.add_identifier("u1", "email", "a@example.com") == {"ok": True}
    assert sso.seen[0].json() == {"type": "email", "identifier": "a@example.com"}


@pytest.mark.parametrize(
    ("user_id", "encoded"),
    [
        ("a/b", "a%2Fb"),
        ("../keys", "..%2Fkeys"),
        ("a?b#c", "a%3Fb%23c"),
        ("a%2Fb", "a%252Fb"),
        ("é\n", "%C3%A9%0A"),
        ("a b;c", "a%20b%3Bc"),
    ],
)
def test_an_id_stays_one_segment_of_the_path(client, sso, user_id, encoded):
    client.get_profile(user_id)
    client.add_identifier(user_id, "email", "a@example.com")
    profile, identifiers = f"{API}/profiles/{encoded}", f"{API}/users/{encoded}/identifiers"
    assert [seen.path for seen in sso.seen] == [profile, identifiers]


@pytest.mark.parametrize("user_id", ["", ".", ".."])
def test_an_id_that_means_another_path_is_not_sent(client, sso, user_id):
    with pytest.raises(ValueError, match="id"):
        client.get_profile(user_id)
    assert sso.seen == []


def calls(client):
    return [
        client.get_users,
        client.create_users,
        lambda: client.get_profile("u1"),
        lambda: client.add_identifier("u1", "email", "a@example.com"),
    ]


@pytest.mark.parametrize("which", range(4))
def test_a_refusal_keeps_status_code_and_message(client, sso, which):
    refusal = {"error_code": "access.forbidden", "message": {"en": "No."}, "detail": "users"}
    routes = ["GET /users", "POST /users", "GET /profiles/u1", "POST /users/u1/identifiers"]
    sso.routes[routes[which].replace(" ", f" {API}")] = Answer(403, refusal)
    with pytest.raises(USSOException) as raised:
        calls(client)[which]()
    error = raised.value
    assert (error.status_code, error.error_code) == (403, "access.forbidden")
    assert (error.message, error.detail) == ({"en": "No."}, "users")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"[1]",
        {"error_code": 1, "message": 2, "detail": []},
        {"message": {"en": 1}},
        {"message": {}},
        b"[" * 100_000,
    ],
)
def test_a_refusal_in_another_shape_is_an_error_all_the_same(client, sso, body):
    sso.routes[f"GET {API}/users"] = Answer(500, body)
    with pytest.raises(USSOException) as raised:
        client.get_users()
    assert (raised.value.status_code, raised.value.error_code) == (500, "sso.refused")


def test_an_oauth_error_keeps_its_code(client, sso):
    refusal = {"error": "invalid_client", "error_description": "Unknown client."}
    sso.routes[f"GET {API}/users"] = Answer(400, refusal)
    with pytest.raises(USSOException) as raised:
        client.get_users()
    assert (raised.value.error_code, raised.value.detail) == ("invalid_client", "Unknown client.")


def test_a_user_that_is_none_is_an_error_without_its_values(client, sso):
    sso.routes[f"POST {API}/users"] = Answer(201, {**USER, "roles": "secret-role"})
    with pytest.raises(USSOException) as raised:
        client.create_users()
    assert (raised.value.status_code, raised.value.detail) == (502, "no user in it: roles")
    assert raised.value.__context__ is None


def test_a_redirect_is_no_answer(client, sso):
    sso.routes[f"GET {API}/users"] = Answer(302, {}, {"Location": "/login"})
    with pytest.raises(USSOException) as raised:
        client.get_users()
    assert (raised.value.status_code, raised.value.error_code) == (502, "sso.bad_answer")


def test_a_list_without_items_is_an_error(client, sso):
    sso.routes[f"GET {API}/users"] = Answer(200, {})
    with pytest.raises(USSOException) as raised:
        client.get_users()
    assert (raised.value.status_code, raised.value.detail) == (502, "it has no items")
