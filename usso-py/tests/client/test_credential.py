"""Where the credential goes, and where it does not."""

from __future__ import annotations

import httpx
import pytest
from client.loopback import API, Answer, Loopback, rotating

from usso.client import AsyncUssoClient, UssoClient

SECRET_HEADERS = {"authorization", "x-api-key", "cookie"}


def leaked(server: Loopback) -> set[str]:
    """The headers of a credential that a server saw."""
    assert server.seen, "nothing arrived"
    return {name for seen in server.seen for name in seen.headers} & SECRET_HEADERS


def redirect(to: str, status: int = 307) -> Answer:
    return Answer(status, {}, {"Location": to, "Set-Cookie": "sid=secret"})


def test_an_api_key_is_sent_to_the_sso(make, sso):
    make(api_key="k1", usso_base_url=sso.url).get("/thing")
    assert sso.seen[0].headers["x-api-key"] == "k1"


def test_an_access_token_is_sent_to_the_sso(make, sso):
    rotating(sso)
    make(refresh_token="r0", usso_base_url=sso.url).get("/thing")
    assert sso.to("/thing")[0].headers["authorization"] == "Bearer a1"


def test_an_absolute_url_of_the_sso_gets_the_credential(make, sso):
    make(api_key="k1", usso_base_url=sso.url).get(f"{sso.url}/thing")
    assert sso.seen[0].headers["x-api-key"] == "k1"


def test_an_api_key_is_not_sent_to_another_origin(make, sso, stranger):
    make(api_key="k1", usso_base_url=sso.url).get(f"{stranger.url}/thing")
    assert leaked(stranger) == set()


def test_an_access_token_is_not_sent_to_another_origin(make, sso, stranger):
    rotating(sso)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    client.get("/thing")
    client.get(f"{stranger.url}/thing")
    assert leaked(stranger) == set()


def test_another_scheme_is_another_origin(sso):
    client = UssoClient(api_key="k1", usso_base_url="https://sso.example")
    request = client.build_request("GET", "http://sso.example/thing")
    client._attach(request)
    assert "x-api-key" not in request.headers


def test_the_default_port_is_the_same_origin():
    client = UssoClient(api_key="k1", usso_base_url="https://sso.example")
    request = client.build_request("GET", "https://SSO.example:443/thing")
    client._attach(request)
    assert request.headers["x-api-key"] == "k1"


def test_cookies_of_the_client_are_not_sent_to_another_origin(make, sso, stranger):
    client = make(api_key="k1", usso_base_url=sso.url, cookies={"sid": "secret"})
    client.get(f"{stranger.url}/thing")
    assert leaked(stranger) == set()


def test_headers_of_the_client_that_prove_who_calls_stay_with_the_sso(make, sso, stranger):
    own = {"Authorization": "Bearer own", "x-api-key": "own", "x-other": "1"}
    client = make(api_key="k1", usso_base_url=sso.url, headers=own)
    client.get(f"{stranger.url}/thing")
    assert leaked(stranger) == set()
    assert stranger.seen[0].headers["x-other"] == "1"


def test_basic_auth_of_the_client_stays_with_the_sso(make, sso, stranger):
    client = make(api_key="k1", usso_base_url=sso.url, auth=("user", "password"))
    client.get(f"{stranger.url}/thing")
    assert leaked(stranger) == set()


def test_a_header_of_one_request_goes_where_the_request_goes(make, sso, stranger):
    client = make(api_key="k1", usso_base_url=sso.url)
    client.get(f"{stranger.url}/thing", headers={"Authorization": "Bearer theirs"})
    assert stranger.seen[0].headers["authorization"] == "Bearer theirs"


def test_redirects_are_not_followed_by_default(make, sso, stranger):
    sso.routes["GET /thing"] = redirect(f"{stranger.url}/thing")
    answer = make(api_key="k1", usso_base_url=sso.url).get("/thing")
    assert (answer.status_code, stranger.seen) == (307, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_does_not_carry_the_api_key(make, sso, stranger, status):
    sso.routes["POST /thing"] = redirect(f"{stranger.url}/thing", status)
    make(api_key="k1", usso_base_url=sso.url).post("/thing", follow_redirects=True)
    assert leaked(stranger) == set()


def test_a_redirect_to_another_origin_does_not_carry_the_access_token(make, sso, stranger):
    rotating(sso)
    sso.routes["GET /thing"] = redirect(f"{stranger.url}/thing")
    make(refresh_token="r0", usso_base_url=sso.url, follow_redirects=True).get("/thing")
    assert leaked(stranger) == set()


def test_a_redirect_within_the_sso_carries_the_credential(make, sso):
    sso.routes["GET /thing"] = redirect("/other")
    answer = make(api_key="k1", usso_base_url=sso.url, follow_redirects=True).get("/thing")
    assert sso.to("/other")[0].headers["x-api-key"] == "k1"
    assert [hop.status_code for hop in answer.history] == [307]


def test_redirects_without_end_are_given_up_on(make, sso):
    sso.routes["GET /thing"] = redirect("/thing")
    settings = {"follow_redirects": True, "max_redirects": 3}
    with pytest.raises(httpx.TooManyRedirects):
        make(api_key="k1", usso_base_url=sso.url, **settings).get("/thing")
    assert len(sso.seen) == 1 + 3


def test_a_redirect_of_the_refresh_does_not_carry_the_refresh_token(make, sso, stranger):
    sso.routes[f"POST {API}/auth/refresh"] = redirect(f"{stranger.url}/thing")
    client = make(refresh_token="r0", usso_base_url=sso.url, follow_redirects=True)
    with pytest.raises(Exception, match="status is 307"):
        client.get("/thing")
    assert stranger.seen == []


def test_a_base_url_that_is_changed_later_gets_no_credential(make, sso, stranger):
    client = make(api_key="k1", usso_base_url=sso.url)
    getattr(client, "client", client).base_url = stranger.url
    client.get("/thing")
    assert leaked(stranger) == set()


def test_a_credential_of_the_caller_on_one_request_is_kept(make, sso):
    client = make(api_key="k1", usso_base_url=sso.url)
    client.get("/thing", headers={"Authorization": "Bearer mine"})
    assert sso.seen[0].headers["authorization"] == "Bearer mine"
    assert "x-api-key" not in sso.seen[0].headers


def test_headers_of_the_caller_are_sent(make, sso):
    make(api_key="k1", usso_base_url=sso.url, headers={"x-tenant": "t"}).get("/thing")
    assert sso.seen[0].headers["x-tenant"] == "t"


def test_headers_map_shows_what_the_sso_gets(make, sso):
    client = make(api_key="k1", usso_base_url=sso.url, headers={"x-tenant": "t"})
    shown = client.headers_map()
    assert (shown["x-api-key"], shown["x-tenant"]) == ("k1", "t")


@pytest.mark.parametrize("kind", [UssoClient, AsyncUssoClient])
def test_the_repr_shows_the_base_url_only(kind):
    client = kind(api_key="k-1", agent_private_key="p-1", usso_base_url="https://sso.example")
    assert repr(client) == f"{kind.__name__}(usso_base_url='https://sso.example')"


def test_a_redirect_among_others_carries_no_cookie_of_the_client(make, sso, stranger):
    stranger.routes["GET /thing"] = Answer(307, {}, {"Location": "/other"})
    client = make(api_key="k1", usso_base_url=sso.url, cookies={"sid": "secret"})
    client.get(f"{stranger.url}/thing", follow_redirects=True)
    assert len(stranger.seen) == 2
    assert leaked(stranger) == set()


def test_a_redirect_back_to_the_sso_carries_no_credential(make, sso, stranger):
    stranger.routes["GET /thing"] = redirect(f"{sso.url}/thing")
    client = make(api_key="k1", usso_base_url=sso.url)
    client.get(f"{stranger.url}/thing", follow_redirects=True)
    assert leaked(sso) == set()
