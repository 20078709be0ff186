"""What an attack run found, a named test each."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from client.loopback import Answer, loopback
from core.tokens import signer

from usso import AuthConfig, UssoAuth, _transport
from usso._native import Wait
from usso.config import APIHeaderConfig, is_container
from usso.exceptions import ConfigError, TokenInvalid, USSOException, VerifierUnavailable
from usso.testing import Issuer
from usso.user import UserData

KEY = "usso_sk_0123456789abcdef"


def code(auth: UssoAuth[Any], token: str, token_type: str = "access") -> str:
    try:
        auth.user_data_from_token(token, expected_token_type=token_type)
    except USSOException as error:
        return error.error_code
    return "good"


def looked_up(**claims: Any) -> APIHeaderConfig:
    return APIHeaderConfig(api_key_verifier=lambda key: UserData(sub="service:1", **claims))


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_sees_nothing_of_what_is_plain(
    name: str, usso_server: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could exchange the keys, and read API keys."""
    with loopback() as proxy:
        monkeypatch.setenv(name, proxy.url)
        auth = UssoAuth(usso_server.config())
        assert auth.verify(usso_server.mint()).sub == "user:1"
        with pytest.raises(USSOException):
            auth.user_data_from_api_key(KEY)
        assert proxy.seen == []


def test_of_several_configurations_none_takes_keys_by_itself(usso_server: Issuer) -> None:
    other = Issuer("https://other.example")
    auth = UssoAuth([usso_server.config(), other.config()])
    with pytest.raises(TokenInvalid):
        auth.user_data_from_api_key(KEY)
    assert usso_server.fetches == 0


def test_the_configuration_that_says_so_takes_the_keys(usso_server: Issuer) -> None:
    other = Issuer("https://other.example")
    own = other.config(api_key_header=looked_up())
    assert UssoAuth([usso_server.config(), own]).user_data_from_api_key(KEY).sub == "service:1"


def test_two_that_say_so_are_an_error(issuer: Issuer) -> None:
    first = issuer.config(api_key_header=looked_up())
    second = Issuer("https://other.example").config(api_key_header=looked_up())
    with pytest.raises(ConfigError, match="API keys"):
        UssoAuth([first, second])


def test_what_is_required_of_tokens_is_required_of_keys(issuer: Issuer) -> None:
    for claims, expected in (
        ({"tenant_id": "mine", "jti": "k"}, None),
        ({"tenant_id": "other", "jti": "k"}, "token.tenant"),
        ({"tenant_id": "mine"}, "token.claim_missing"),
        ({"tenant_id": "mine", "jti": "k", "token_type": "refresh"}, "token.token_type"),
    ):
        header = looked_up(**claims)
        auth = UssoAuth(
            issuer.config(tenant="mine", required_claims=["jti"], api_key_header=header)
        )
        if expected is None:
            assert auth.user_data_from_api_key(KEY).tenant_id == "mine"
            continue
        with pytest.raises(USSOException) as caught:
            auth.user_data_from_api_key(KEY)
        assert caught.value.error_code == expected


def test_a_key_is_for_access_and_for_nothing_else(issuer: Issuer) -> None:
    auth = UssoAuth(issuer.config(api_key_header=looked_up()))
    assert code(auth, KEY) == "good"
    for kind in ("refresh", "one_time"):
        assert code(auth, KEY, kind) != "good"


@pytest.mark.parametrize("profile", ["usso_legacy", "usso", "rfc9068", "custom"])
def test_the_type_of_a_token_counts_in_every_profile(issuer: Issuer, profile: str) -> None:
    auth = UssoAuth(issuer.config(profile=profile))
    secure = issuer.mint(token_type="secure")
    assert code(auth, secure) == "token.token_type"
    assert code(auth, secure, "secure") == "good"
    assert code(auth, issuer.mint(), "secure") == "token.token_type"
    assert code(auth, issuer.mint(token_type=None), "secure") == "token.token_type"
    assert code(auth, issuer.mint()) == "good"


def test_no_thread_to_be_had_is_503_and_keeps_nobody_waiting(
    usso_server: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    auth = UssoAuth(usso_server.config())
    with monkeypatch.context() as patch:
        patch.setattr(_transport.threading.Thread, "start", refuse)
        with pytest.raises(VerifierUnavailable):
            asyncio.run(auth.averify(usso_server.mint()))
    # Nothing is under way that others would wait for.
    assert not isinstance(auth.verifier.native.verify(usso_server.mint()), Wait)
    assert auth.verifier._state.waiting == {}


def test_who_gives_up_a_lookup_says_nothing_about_the_key(issuer: Issuer) -> None:
    async def look_up(key: str) -> UserData:
        await asyncio.sleep(0)
        return UserData(sub="service:1")

    auth = UssoAuth(issuer.config(api_key_header=APIHeaderConfig(api_key_verifier_async=look_up)))

    async def give_up(key: str) -> None:
        task = asyncio.ensure_future(auth.user_data_from_api_key_async(key))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def run() -> str:
        for number in range(10):
            await give_up(f"usso_sk_0123456789abcde{number}")
        return (await auth.user_data_from_api_key_async(KEY)).sub

    assert asyncio.run(run()) == "service:1"


def test_certificates_are_read_once_for_all_requests() -> None:
    """Reading them takes longer than everything else that a made-up key costs."""
    assert _transport._context() is _transport._context()


def test_made_up_keys_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    for status in (500, None):
        with loopback() as sso:
            # Without a status the connection is closed.
            sso.routes["POST /api/sso/v1/apikeys/verify"] = Answer(status)
            auth = UssoAuth(AuthConfig(jwks_url=f"{sso.url}/k", audience="a"))
            for number in range(4):
                with pytest.raises(VerifierUnavailable):
                    auth.user_data_from_api_key(f"{KEY}{number}")
            assert len(sso.seen) == 4
        assert len(caplog.records) <= 1


def test_the_password_of_a_proxy_is_not_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:s3cr/et@proxy.example")
    auth = UssoAuth(AuthConfig(jwks_url="https://sso.example/k", audience="a"))
    token = signer("EdDSA").mint(iss="https://sso.example", aud="a")
    with pytest.raises(VerifierUnavailable):
        auth.verify(token)
    assert "cannot be asked" in caplog.text and "s3cr" not in caplog.text


@pytest.mark.parametrize("host", ["sso%2eevil%2ecom", "1", "0x7f", "a.b", "[::1]", "", "ü"])
def test_what_others_read_as_another_host_is_no_container(host: str) -> None:
    assert not is_container(f"http://{host}/keys")


def test_keys_go_to_the_application_and_not_to_its_host() -> None:
    config = AuthConfig(
        jwks_url="https://shared.example/tenants/mine/.well-known/jwks.json",
        issuer="https://shared.example/tenants/mine",
        audience="a",
    )
    endpoint = config.verify_endpoint
    assert endpoint == "https://shared.example/tenants/mine/api/sso/v1/apikeys/verify"


def test_an_empty_configuration_is_an_error() -> None:
    for empty in ({}, "{}"):
        with pytest.raises(ConfigError, match="empty"):
            UssoAuth(empty)


@pytest.mark.parametrize("user_id", [10**23 + 1, {"a": 1}, ["user:2"], True, 1.5, ""])
def test_a_user_id_that_is_no_text_names_nobody(issuer: Issuer, user_id: Any) -> None:
    auth = UssoAuth(issuer.config())
    assert auth.verify_token(issuer.mint("user:7", user_id=user_id)).user_id == "user:7"
