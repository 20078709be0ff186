"""Agents: what they sign, and to whom they send it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
import uuid

import httpx
import pytest
from client.loopback import API, Answer
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from usso.exceptions import PermissionDenied, USSOException
from usso.utils import (
    generate_agent_jwt,
    get_agent_token,
    get_agent_token_async,
    kid_from_verify_key,
    register_agent,
    register_agent_async,
)

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = KEY.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()).decode()
DER = KEY.private_bytes(pem.Encoding.DER, pem.PrivateFormat.PKCS8, pem.NoEncryption())
SPKI = pem.PublicFormat.SubjectPublicKeyInfo
PUBLIC_PEM = KEY.public_key().public_bytes(pem.Encoding.PEM, SPKI).decode()
KID = hashlib.sha256(KEY.public_key().public_bytes(pem.Encoding.DER, SPKI)).hexdigest()
ESCAPED = PEM.strip().replace("\n", "\\n")


def opened(jwt: str) -> tuple[dict, dict]:
    """Header and claims of a JWT, whose signature is checked."""
    header, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in jwt.split(".")
    )
    KEY.public_key().verify(signature, jwt.rpartition(".")[0].encode())
    return json.loads(header), json.loads(claims)


def bearer(seen) -> str:
    scheme, _, token = seen.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return token


@pytest.fixture
def agents(sso):
    """An SSO that knows the agent."""
    scopes = {"tenant_id": "t1", "scopes": ["read:files", "delete:media/files"]}
    sso.routes[f"POST {API}/agents/scopes"] = Answer(200, scopes)
    tokens = {"tokens": {"access": "agent-access"}}
    sso.routes[f"POST {API}/agents/auth"] = Answer(200, tokens)
    return sso


@pytest.fixture
def client(make, agents):
    return make(agent_id="agent1", agent_private_key=PEM, usso_base_url=agents.url)


# The JWT.


def test_the_header_names_algorithm_and_key():
    header, _ = opened(generate_agent_jwt(["read:a"], "api", private_key=PEM))
    assert header == {"alg": "EdDSA", "typ": "JWT", "kid": KID}


def test_the_jwt_lives_for_300_s():
    _, claims = opened(generate_agent_jwt([], "api", private_key=PEM))
    assert claims["exp"] - claims["iat"] == 300
    assert claims["iat"] == claims["nbf"] <= time.time() <= claims["exp"]


def test_each_jwt_has_an_id_of_its_own():
    first, second = (opened(generate_agent_jwt([], "a", private_key=PEM))[1] for _ in range(2))
    assert uuid.UUID(first["jti"]).version == 4
    assert first["jti"] != second["jti"]


def test_claims_that_are_not_known_are_left_out():
    _, claims = opened(generate_agent_jwt(["read:a"], "api", private_key=PEM))
    assert claims.keys() == {"scopes", "aud", "iat", "nbf", "exp", "jti"}


def test_tenant_and_agent_are_named_if_known():
    _, claims = opened(generate_agent_jwt([], "api", "t1", agent_id="agent1", private_key=PEM))
    assert (claims["tenant_id"], claims["iss"]) == ("t1", "agent1")


def test_agent_and_key_are_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("AGENT_ID", "agent-env")
    monkeypatch.setenv("AGENT_PRIVATE_KEY", ESCAPED)
    header, claims = opened(generate_agent_jwt([], "api"))
    assert (header["kid"], claims["iss"]) == (KID, "agent-env")


@pytest.mark.parametrize(
    "key",
    [
        PEM,
        PEM.strip(),
        PEM.encode(),
        DER,
        ESCAPED,
        ESCAPED + "\\n",
        f'"{ESCAPED}"',
        f"'{ESCAPED}'",
        f' "{PEM}" ',
        PEM.replace("\n", "\r\n"),
        PEM.replace("\n", "\\r\\n"),
    ],
)
def test_a_key_is_taken_in_every_form_that_env_files_make_of_it(key):
    assert opened(generate_agent_jwt([], "api", private_key=key))[0]["kid"] == KID


@pytest.mark.parametrize(
    "key",
    [
        "",
        "secret",
        "-----BEGIN PRIVATE KEY-----",
        b"\x30\x00",
        b"-----BEGIN \xff",
        PUBLIC_PEM,
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()
        ),
    ],
)
def test_what_is_no_ed25519_private_key_is_refused(key):
    with pytest.raises(ValueError, match="key"):
        generate_agent_jwt([], "api", private_key=key)


@pytest.mark.parametrize("key", [PUBLIC_PEM, PUBLIC_PEM.encode(), PUBLIC_PEM.replace("\n", "\\n")])
def test_the_kid_is_the_sha_256_of_the_spki(key):
    assert kid_from_verify_key(key) == KID


# The exchange.


def test_an_agent_token_is_asked_for_at_the_given_sso(agents):
    assert get_agent_token("the.agent.jwt", agents.url) == "agent-access"
    assert (agents.seen[0].method, agents.seen[0].path) == ("POST", f"{API}/agents/auth")
    assert bearer(agents.seen[0]) == "the.agent.jwt"


def test_an_agent_token_is_asked_for_at_the_sso_of_the_environment(agents, monkeypatch):
    monkeypatch.setenv("USSO_BASE_URL", agents.url)
    assert get_agent_token("the.agent.jwt") == "agent-access"
    assert asyncio.run(get_agent_token_async("the.agent.jwt")) == "agent-access"


def test_an_agent_jwt_is_not_sent_over_http_to_afar():
    with pytest.raises(ValueError, match="https"):
        get_agent_token("the.agent.jwt", "http://sso.example")
    with pytest.raises(ValueError, match="https"):
        asyncio.run(get_agent_token_async("the.agent.jwt", "http://sso.example"))


def test_an_agent_jwt_does_not_follow_a_redirect(agents, stranger):
    to = {"Location": f"{stranger.url}/x"}
    agents.routes[f"POST {API}/agents/auth"] = Answer(307, {}, to)
    with pytest.raises(USSOException):
        get_agent_token("the.agent.jwt", agents.url)
    with pytest.raises(USSOException):
        asyncio.run(get_agent_token_async("the.agent.jwt", agents.url))
    assert stranger.seen == []


def test_a_refused_agent_gets_the_ssos_reason(agents):
    refusal = {"error_code": "agent.unknown", "message": "No such agent."}
    agents.routes[f"POST {API}/agents/auth"] = Answer(401, refusal)
    with pytest.raises(USSOException) as raised:
        get_agent_token("the.agent.jwt", agents.url)
    assert (raised.value.status_code, raised.value.error_code) == (401, "agent.unknown")
    assert raised.value.message == {"en": "No such agent."}


def test_a_client_sends_its_agent_jwt_to_its_own_sso(client, agents, monkeypatch, stranger):
    monkeypatch.setenv("USSO_BASE_URL", stranger.url)
    assert client.use_agent_token(["read:files"], "api") == "agent-access"
    _, claims = opened(bearer(agents.to(f"{API}/agents/auth")[0]))
    assert (claims["scopes"], claims["aud"]) == (["read:files"], "api")
    assert (claims["tenant_id"], claims["iss"]) == ("t1", "agent1")
    assert stranger.seen == []


def test_the_tenant_is_asked_for_once(client, agents):
    client.use_agent_token(["read:files"], "api")
    client.use_agent_token(["read:files"], "api")
    asked = agents.to(f"{API}/agents/scopes")
    assert len(asked) == 1
    assert opened(bearer(asked[0]))[1]["scopes"] == []


def test_the_tenant_is_not_asked_for_if_given(client, agents):
    client.use_agent_token(["read:files"], "api", "t2")
    assert agents.to(f"{API}/agents/scopes") == []
    assert opened(bearer(agents.seen[0]))[1]["tenant_id"] == "t2"


def test_requests_carry_the_agent_token_from_then_on(client, agents):
    client.use_agent_token(["read:files"], "api")
    client.get("/thing")
    assert bearer(agents.to("/thing")[0]) == "agent-access"


def test_an_agent_token_goes_before_the_api_key(make, agents):
    client = make(api_key="k", agent_private_key=PEM, usso_base_url=agents.url)
    client.use_agent_token(["read:files"], "api")
    client.get("/thing")
    assert "x-api-key" not in agents.to("/thing")[0].headers


def test_an_agent_jwt_goes_without_the_api_key(make, agents):
    client = make(api_key="k", agent_private_key=PEM, usso_base_url=agents.url)
    client.use_agent_token(["read:files"], "api")
    assert all("x-api-key" not in seen.headers for seen in agents.seen)


def test_a_client_without_an_agent_key_cannot_use_an_agent_token(make, sso):
    with pytest.raises(ValueError, match="private_key is required"):
        make(api_key="k", usso_base_url=sso.url).use_agent_token([], "api")
    assert sso.seen == []


# Scopes.


def test_a_scope_within_the_agents_own_is_exchanged(client):
    assert client._get_token("read:files") == "agent-access"


@pytest.mark.parametrize("scope", ["delete:files", "manage:files", "read:users", "publish:files"])
def test_a_scope_beyond_the_agents_own_is_refused_before_anything_is_signed(client, agents, scope):
    with pytest.raises(PermissionDenied):
        client._get_token(["read:files", scope])
    assert agents.to(f"{API}/agents/auth") == []


def test_a_narrow_agent_token_does_not_narrow_the_next_one(client):
    client._get_token("read:files")
    assert client._get_token("delete:media/files") == "agent-access"


def test_the_scopes_of_an_api_key_are_asked_for_once(make, sso):
    sso.routes[f"POST {API}/apikeys/verify"] = Answer(200, {"sub": "s", "scopes": ["read:files"]})
    client = make(api_key="k1", usso_base_url=sso.url)
    for _ in range(2):
        assert client._get_token("read:files") is None
    assert [seen.json() for seen in sso.seen] == [{"api_key": "k1"}]


def test_scopes_of_one_client_are_not_given_to_another(make, sso):
    def verify(seen):
        is_admin = seen.json()["api_key"] == "admin"
        return Answer(200, {"scopes": ["admin:users"] if is_admin else []})

    sso.routes[f"POST {API}/apikeys/verify"] = verify
    client = make(api_key="admin", usso_base_url=sso.url)
    assert client._get_scopes() == ["admin:users"]
    getattr(client, "client", client).api_key = "low"
    assert client._get_scopes() == []
    assert make(api_key="low", usso_base_url=sso.url)._get_scopes() == []


def test_what_is_remembered_cannot_be_changed_from_outside(make, sso):
    sso.routes[f"POST {API}/apikeys/verify"] = Answer(200, {"scopes": ["read:files"]})
    client = make(api_key="k", usso_base_url=sso.url)
    client._get_scopes().append("admin:users")
    client._get_api_key()["scopes"].append("admin:users")
    assert client._get_scopes() == ["read:files"]


def test_the_scopes_of_an_access_token_are_read_from_it(make, sso):
    access = generate_agent_jwt(["read:files"], "api", private_key=PEM)
    tokens = {"access_token": access, "refresh_token": "r1"}
    sso.routes[f"POST {API}/auth/refresh"] = Answer(200, tokens)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    assert client._get_scopes() == ["read:files"]


def test_the_life_of_an_access_token_is_read_from_it(make, sso):
    access = generate_agent_jwt([], "api", private_key=PEM)
    sso.routes[f"POST {API}/auth/refresh"] = Answer(200, {"tokens": {"access": access}})
    client = make(refresh_token="r0", usso_base_url=sso.url)
    client.get_session()
    assert 0 < client._session.due - time.monotonic() <= 270


# Registration.


def registered(server) -> dict:
    assert server.seen[-1].path == f"{API}/agents/register"
    assert server.seen[-1].method == "POST"
    return server.seen[-1].json()


def test_an_agent_is_registered_with_its_public_key(sso):
    sso.routes[f"POST {API}/agents/register"] = Answer(201, {"id": "a1"})
    answer = register_agent(
        "once", name="n", scopes=["read:a"], description="d", private_key=ESCAPED, base_url=sso.url
    )
    assert answer == {"id": "a1", "private_key": PEM}
    assert registered(sso) == {
        "registration_key": "once",
        "name": "n",
        "scopes": ["read:a"],
        "alg": "ED25519",
        "verify_key": PUBLIC_PEM,
        "description": "d",
    }


def test_a_new_agent_gets_a_new_key_that_never_leaves(sso):
    first = register_agent("once", name="n", scopes=[], base_url=sso.url)
    second = register_agent("once", name="n", scopes=[], base_url=sso.url)
    assert first["private_key"] != second["private_key"]
    key = pem.load_pem_private_key(first["private_key"].encode(), None)
    public = key.public_key().public_bytes(pem.Encoding.PEM, SPKI).decode()
    assert sso.seen[0].json()["verify_key"] == public
    assert b"PRIVATE" not in sso.seen[0].body


def test_an_agent_is_not_registered_with_another_kind_of_key(sso):
    key = ec.generate_private_key(ec.SECP256R1())
    other = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    with pytest.raises(ValueError, match="must be an Ed25519 key"):
        register_agent("once", name="n", scopes=[], private_key=other, base_url=sso.url)
    assert sso.seen == []


def test_a_key_given_as_der_comes_back_as_pem(sso):
    answer = register_agent("once", name="n", scopes=[], private_key=DER, base_url=sso.url)
    assert answer["private_key"] == PEM


def test_an_agent_is_registered_asynchronously_too(sso, monkeypatch):
    monkeypatch.setenv("USSO_BASE_URL", sso.url)
    answer = asyncio.run(register_agent_async("once", name="n", scopes=[], private_key=PEM))
    assert answer == {"private_key": PEM}
    assert registered(sso)["verify_key"] == PUBLIC_PEM


def test_a_used_registration_key_is_refused(sso):
    refusal = Answer(409, {"error_code": "agent.key_used"})
    sso.routes[f"POST {API}/agents/register"] = refusal
    with pytest.raises(USSOException) as raised:
        register_agent("once", name="n", scopes=[], base_url=sso.url)
    assert (raised.value.status_code, raised.value.error_code) == (409, "agent.key_used")


def test_an_sso_that_does_not_answer_is_an_error_of_httpx(sso):
    sso.routes[f"POST {API}/agents/auth"] = Answer(None)
    with pytest.raises(httpx.TransportError):
        get_agent_token("the.agent.jwt", sso.url)


@pytest.mark.parametrize("jwt", ["", "a b", "secret\r\nx: 1", "sécret"])
def test_a_jwt_that_no_header_carries_is_not_shown(jwt):
    with pytest.raises(ValueError, match=r"^jwt is empty, too long or has characters") as raised:
        get_agent_token(jwt, "https://sso.example")
    assert "secret" not in str(raised.value)


def test_a_jwt_over_http_does_not_pass_a_proxy_of_the_environment(agents, stranger, monkeypatch):
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, stranger.url)
    monkeypatch.setenv("no_proxy", "")
    assert get_agent_token("the.agent.jwt", agents.url) == "agent-access"
    assert asyncio.run(get_agent_token_async("the.agent.jwt", agents.url)) == "agent-access"
    assert stranger.seen == []


def test_the_password_of_a_proxy_is_in_no_error(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:hunt/er2@proxy:80")
    with pytest.raises(ValueError, match="the address of a proxy"):
        get_agent_token("the.agent.jwt", "https://sso.example")
