"""The issuer for tests, without and with its server."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest

from usso import _native
from usso.auth import UssoAuth
from usso.config import AuthConfig
from usso.exceptions import TokenExpired, USSOException, VerifierUnavailable
from usso.testing import Issuer

pytest_plugins = ["pytester"]


def code_of(config: AuthConfig, token: str) -> str:
    """Gives the code with which a token is refused."""
    with pytest.raises(USSOException) as refused:
        UssoAuth(config).verify(token)
    return refused.value.error_code


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES384", "RS256", "PS256"])
def test_a_minted_token_is_good_for_the_issuer_s_configuration(algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    claims = UssoAuth(issuer.config()).verify(issuer.mint("user:a"))
    assert (claims.sub, claims.iss, claims.algorithm) == ("user:a", issuer.name, algorithm)


def test_a_token_of_another_issuer_with_that_name_is_refused(issuer: Issuer) -> None:
    assert code_of(issuer.config(), Issuer().mint()) == "token.unknown_key"


def test_an_unknown_algorithm_is_an_error() -> None:
    with pytest.raises(ValueError, match="algorithm"):
        Issuer(algorithm="HS256")


def test_claims_are_as_they_are_asked_for(issuer: Issuer) -> None:
    token = issuer.mint(
        "user:a",
        audience=["https://api.example", "other"],
        scopes=["read:files"],
        roles=["admin"],
        tenant_id="org_1",
        workspace_id="ws_1",
        expires_in=60,
        header={"typ": "JWT"},
        email="a@example.org",
        jti=None,
    )
    header, claims = _native.decode_unverified(token)
    assert header == {"alg": "EdDSA", "kid": issuer.kid, "typ": "JWT"}
    assert claims["exp"] - claims["iat"] in (59, 60, 61)
    assert {name: value for name, value in claims.items() if name not in ("exp", "iat", "nbf")} == {
        "iss": "https://sso.example",
        "sub": "user:a",
        "aud": ["https://api.example", "other"],
        "scopes": ["read:files"],
        "roles": ["admin"],
        "tenant_id": "org_1",
        "workspace_id": "ws_1",
        "email": "a@example.org",
        "token_type": "access",
        "client_id": "test",
    }


def test_what_is_not_asked_for_is_not_in_a_token(issuer: Issuer) -> None:
    _, claims = _native.decode_unverified(issuer.mint())
    assert not {"scopes", "roles", "tenant_id", "workspace_id"} & set(claims)
    assert claims["exp"] - claims["iat"] == 900


def test_a_claim_that_is_none_is_left_out(issuer: Issuer) -> None:
    assert "aud" not in _native.decode_unverified(issuer.mint(aud=None))[1]


def test_an_expired_token_is_expired_and_nothing_else(issuer: Issuer) -> None:
    with pytest.raises(TokenExpired):
        UssoAuth(issuer.config()).verify(issuer.expired(scopes=["read:files"]))


def test_authorization_is_a_header_with_a_good_token(issuer: Issuer) -> None:
    request = _native.Request("GET", "/", issuer.authorization("user:a", roles=["r"]).items())
    claims = UssoAuth(issuer.config()).authenticate(request)
    assert claims is not None
    assert (claims.sub, claims.to_dict()["roles"]) == ("user:a", ["r"])


def test_a_revoked_key_is_published_no_more_and_still_signs(issuer: Issuer) -> None:
    stolen = issuer.kid
    new = issuer.rotate()
    assert {key["kid"] for key in issuer.jwks()["keys"]} == {stolen, new}
    issuer.revoke(stolen)
    assert {key["kid"] for key in issuer.jwks()["keys"]} == {new}
    assert code_of(issuer.config(), issuer.mint(kid=stolen)) == "token.unknown_key"


def test_a_key_that_never_was_cannot_sign(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="never had the key 'other'"):
        issuer.mint(kid="other")


def test_a_configuration_keeps_the_keys_it_was_made_with(issuer: Issuer) -> None:
    before = issuer.config()
    issuer.rotate()
    assert code_of(before, issuer.mint()) == "token.unknown_key"
    assert UssoAuth(issuer.config()).verify(issuer.mint()).sub == "user:1"


def test_settings_of_a_configuration_may_be_overridden(issuer: Issuer) -> None:
    config = issuer.config(audience="other", leeway=5)
    assert (config.audience, config.leeway, config.issuer) == ("other", 5, issuer.name)


def test_a_served_issuer_has_the_server_s_address_until_it_ends(issuer: Issuer) -> None:
    with issuer.serve() as served:
        assert served is issuer
        url = issuer.name
        document = httpx.get(f"{url}/.well-known/openid-configuration").json()
        assert document == {"issuer": url, "jwks_uri": f"{url}/.well-known/jwks.json"}
        assert httpx.get(document["jwks_uri"]).json() == issuer.jwks()
        assert httpx.get(f"{url}/elsewhere").status_code == 404
        assert UssoAuth(issuer.config()).verify(issuer.mint()).iss == url
    assert issuer.name == "https://sso.example"
    address = urlsplit(url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(address.hostname), address.port or 0))


def test_only_questions_for_keys_are_counted(usso_server: Issuer) -> None:
    httpx.get(f"{usso_server.name}/.well-known/openid-configuration")
    assert usso_server.fetches == 0
    auth = UssoAuth(usso_server.config())
    auth.verify(usso_server.mint())
    auth.verify(usso_server.mint())
    assert usso_server.fetches == 1


def test_an_issuer_that_is_down_gives_no_answer(usso_server: Issuer) -> None:
    usso_server.outage()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(usso_server.jwks_url)
    with pytest.raises(VerifierUnavailable):
        UssoAuth(usso_server.config()).verify(usso_server.mint())
    usso_server.recover()
    assert UssoAuth(usso_server.config()).verify(usso_server.mint()).sub == "user:1"


def test_a_slow_answer_takes_its_time(usso_server: Issuer) -> None:
    usso_server.slow(0.2)
    start = time.monotonic()
    assert httpx.get(usso_server.jwks_url).json() == usso_server.jwks()
    assert time.monotonic() - start >= 0.2


def test_a_slow_answer_comes_as_soon_as_the_issuer_recovers(usso_server: Issuer) -> None:
    usso_server.slow(60)
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.get(usso_server.jwks_url).status_code), daemon=True
    )
    asking.start()
    usso_server.wait_for_fetch()
    assert answers == []
    usso_server.recover()
    asking.join(10)
    assert answers == [200]


def test_every_request_gets_the_answer_that_is_given(usso_server: Issuer) -> None:
    usso_server.answer(503, "later", {"Retry-After": "7", "Content-Type": "text/plain"})
    answer = httpx.get(usso_server.jwks_url)
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (503, "later", "7")
    usso_server.answer(body={"keys": []})
    assert httpx.get(usso_server.jwks_url).json() == {"keys": []}
    usso_server.answer(headers={"Cache-Control": "max-age=60"})
    answer = httpx.get(usso_server.jwks_url)
    assert (answer.json(), answer.headers["cache-control"]) == (usso_server.jwks(), "max-age=60")


def test_waiting_for_a_question_that_never_comes_ends(usso_server: Issuer) -> None:
    with pytest.raises(TimeoutError, match="0 fetches"):
        usso_server.wait_for_fetch(1, 0.01)


def test_an_issuer_that_is_not_served_says_so(issuer: Issuer) -> None:
    with pytest.raises(RuntimeError, match=r"issuer\.serve"):
        issuer.outage()
    with issuer.serve(), pytest.raises(RuntimeError, match="already"), issuer.serve():
        pass


def test_the_plugin_loads_nothing_until_it_is_used() -> None:
    heavy = "{'httpx', 'pydantic', 'http.server', 'usso._native', 'usso.config'}"
    code = f"import sys, usso.testing.plugin; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert done.strip() == "[]"


def test_the_fixtures_work_in_a_project_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import httpx
        from usso.auth import UssoAuth

        def test_in_memory(usso_issuer):
            assert UssoAuth(usso_issuer.config()).verify(usso_issuer.mint("user:a")).sub == "user:a"

        def test_served(usso_server):
            assert UssoAuth(usso_server.config()).verify(usso_server.mint()).iss == usso_server.name
            assert usso_server.fetches == 1

        def test_each_test_has_its_own(usso_issuer, usso_server):
            assert usso_issuer.jwks() != usso_server.jwks()
            assert usso_server.fetches == 0
        """
    )
    done = pytester.runpytest_subprocess("-p", "usso.testing.plugin", "-p", "no:usso")
    done.assert_outcomes(passed=3)
