"""Agents: services that prove who they are with an Ed25519 key.

An agent signs a JWT that lives for 300 s and exchanges it for an access token. Whoever holds the
JWT can do the same, so it goes to the configured SSO only.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any

from . import wire

if TYPE_CHECKING:
    import httpx

LIFETIME_SECONDS = 300

# RFC 8410 sections 4 and 7: what precedes the 32 bytes of an Ed25519 key in DER.
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
_PKCS8_PREFIX = bytes.fromhex("302e020100300506032b657004220420")


def generate_agent_jwt(
    scopes: list[str],
    aud: str,
    tenant_id: str | None = None,
    *,
    agent_id: str | None = None,
    private_key: str | bytes | None = None,
) -> str:
    """Signs the JWT by which an agent asks for an access token. It lives for 300 s.

    `agent_id` and `private_key` default to `AGENT_ID` and `AGENT_PRIVATE_KEY`. Without an agent id
    the SSO finds the agent by the `kid`. Raises `ValueError` if there is no Ed25519 key.
    """
    from usso import _native

    key = _private_key(private_key)
    agent_id = agent_id or os.getenv("AGENT_ID") or None
    now = int(time.time())
    header = {"alg": "EdDSA", "typ": "JWT", "kid": _native.spki_kid(_public_pem(key))}
    claims: dict[str, object] = {
        "scopes": list(scopes),
        "aud": aud,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": str(uuid.uuid4()),
    }
    if tenant_id:
        claims["tenant_id"] = tenant_id
    if agent_id:
        claims["iss"] = agent_id
    message = f"{_part(header)}.{_part(claims)}".encode()
    return f"{message.decode()}.{_base64url(_native.sign('EdDSA', key, message))}"


def kid_from_verify_key(verify_key: str | bytes) -> str:
    """Gives the SHA-256 of a public key's SPKI DER in hex: the `kid` that the SSO knows it by."""
    from usso import _native

    return _native.spki_kid(_key_text(verify_key))


def get_agent_token(
    jwt: str, base_url: str | None = None, *, danger_allow_http: bool = False
) -> str:
    """Exchanges an agent's JWT for an access token.

    It is sent to `base_url`, else `USSO_BASE_URL`, else https://sso.usso.io, and nowhere else.
    Raises `USSOException` if it is refused, `httpx.TransportError` if there is no answer.
    """
    base = wire.base_url(base_url, danger_allow_http=danger_allow_http)
    with _client(base) as client:
        return wire.read_tokens(wire.ask(client, token_request(client, base, jwt))).access


async def get_agent_token_async(
    jwt: str, base_url: str | None = None, *, danger_allow_http: bool = False
) -> str:
    """Does what `get_agent_token` does."""
    base = wire.base_url(base_url, danger_allow_http=danger_allow_http)
    async with _async_client(base) as client:
        answer = await wire.ask_async(client, token_request(client, base, jwt))
    return wire.read_tokens(answer).access


def token_request(client: httpx.Client | httpx.AsyncClient, base: str, jwt: str) -> httpx.Request:
    """Makes the request that exchanges an agent's JWT."""
    headers = {"Authorization": f"Bearer {wire.credential(jwt, 'jwt')}"}
    return client.build_request("POST", f"{base}{wire.API}/agents/auth", headers=headers)


def register_agent(
    registration_key: str,
    *,
    name: str,
    scopes: list[str],
    description: str | None = None,
    private_key: str | bytes | None = None,
    base_url: str | None = None,
    danger_allow_http: bool = False,
) -> dict[str, Any]:
    """Registers this service as an agent, with a registration key that works once.

    Without `private_key` a new one is made. Gives the SSO's answer with `private_key` (PEM) added:
    keep it, only the public key is sent. Raises `USSOException` if the registration is refused.
    """
    base = wire.base_url(base_url, danger_allow_http=danger_allow_http)
    private_pem, body = _registration(registration_key, name, scopes, description, private_key)
    with _client(base) as client:
        request = client.build_request("POST", f"{base}{wire.API}/agents/register", json=body)
        return {**wire.ask(client, request), "private_key": private_pem}


async def register_agent_async(
    registration_key: str,
    *,
    name: str,
    scopes: list[str],
    description: str | None = None,
    private_key: str | bytes | None = None,
    base_url: str | None = None,
    danger_allow_http: bool = False,
) -> dict[str, Any]:
    """Does what `register_agent` does."""
    base = wire.base_url(base_url, danger_allow_http=danger_allow_http)
    private_pem, body = _registration(registration_key, name, scopes, description, private_key)
    async with _async_client(base) as client:
        request = client.build_request("POST", f"{base}{wire.API}/agents/register", json=body)
        return {**await wire.ask_async(client, request), "private_key": private_pem}


def _client(base: str) -> httpx.Client:
    import httpx

    return httpx.Client(**wire.client_arguments(base))


def _async_client(base: str) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(**wire.client_arguments(base))


def _registration(
    registration_key: str,
    name: str,
    scopes: list[str],
    description: str | None,
    private_key: str | bytes | None,
) -> tuple[str, dict[str, object]]:
    """Gives the private key in PEM, and what is sent."""
    if private_key is None:
        key: str | bytes = _PKCS8_PREFIX + secrets.token_bytes(32)
    else:
        key = _key_text(private_key)
    body: dict[str, object] = {
        "registration_key": registration_key,
        "name": name,
        "scopes": list(scopes),
        "alg": "ED25519",
        "verify_key": _public_pem(key),
    }
    if description:
        body["description"] = description
    return key if isinstance(key, str) else _pem("PRIVATE KEY", key), body


def _private_key(given: str | bytes | None) -> str | bytes:
    given = given or os.getenv("AGENT_PRIVATE_KEY")
    if not given:
        raise ValueError("private_key is required: give it, or set AGENT_PRIVATE_KEY")
    return _key_text(given)


def _key_text(key: str | bytes) -> str | bytes:
    r"""Gives a PEM as a PEM, out of quotes and with its lines apart where they were `\n`."""
    if isinstance(key, bytes):
        if b"-----BEGIN" not in key:
            return key
        key = key.decode("ascii", "replace")
    text = key.strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    text = text.replace("\\r", "").replace("\\n", "\n").strip()
    if not text.startswith("-----BEGIN"):
        raise ValueError("the key must be a PEM (-----BEGIN …) or DER bytes")
    return text + "\n"


def _public_pem(private_key: str | bytes) -> str:
    """Gives the public key of an Ed25519 private key. Raises `ValueError` for any other key."""
    from usso import _native

    jwk = _native.public_jwk(private_key)
    if jwk.get("crv") != "Ed25519":
        raise ValueError("the key of an agent must be an Ed25519 key")
    public = base64.urlsafe_b64decode(jwk["x"] + "=")
    return _pem("PUBLIC KEY", _SPKI_PREFIX + public)


def _pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _part(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
