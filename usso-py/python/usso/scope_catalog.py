"""Tells the SSO which scopes a service knows, at its start."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from .utils import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DEFAULT_ACTIONS: tuple[str, ...] = ("read", "manage")
DEFAULT_API_BASE_PATH = wire.API
DEFAULT_OAUTH_TOKEN_PATH = f"{wire.API}/oauth/token"
DEFAULT_HTTP_TIMEOUT = 15.0

logger = logging.getLogger("usso")


def scopes_from_resource_paths(
    resource_paths: Iterable[str],
    *,
    actions: Sequence[str] = DEFAULT_ACTIONS,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> list[dict[str, str]]:
    """Makes one entry for each path and action, in order, without repeats.

    `labels` gives `label`, `label_fa` and `description` by scope, else by path.
    """
    labels = labels or {}
    entries: dict[str, dict[str, str]] = {}
    for path in (path.strip().strip("/") for path in resource_paths):
        for action in actions if path else ():
            scope = f"{action}:{path}"
            about = labels.get(scope) or labels.get(path) or {}
            texts = {
                key: about[key] for key in ("label", "label_fa", "description") if about.get(key)
            }
            entries.setdefault(scope, {"scope": scope, **texts})
    return list(entries.values())


def scopes_from_routers(
    routers: Iterable[Any],
    *,
    actions: Sequence[str] = DEFAULT_ACTIONS,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> list[dict[str, str]]:
    """Makes the entries for objects that have a `resource_path`, as a text or a method."""
    found = (getattr(router, "resource_path", None) for router in routers)
    paths = (path() if callable(path) else path for path in found)
    texts = [str(path) for path in paths if path]
    return scopes_from_resource_paths(texts, actions=actions, labels=labels)


async def fetch_client_credentials_token(
    *,
    usso_base_url: str,
    client_id: str,
    client_secret: str,
    oauth_token_path: str = DEFAULT_OAUTH_TOKEN_PATH,
    http_timeout: float = DEFAULT_HTTP_TIMEOUT,
    danger_allow_http: bool = False,
) -> str:
    """Gets an access token for a client and its secret (RFC 6749 section 4.4).

    Raises `USSOException` if it is refused, `httpx.TransportError` if there is no answer.
    """
    import httpx

    base = wire.base_url(usso_base_url, danger_allow_http=danger_allow_http)
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
    }
    async with httpx.AsyncClient(**wire.client_arguments(base, http_timeout)) as client:
        request = client.build_request("POST", wire.join(base, oauth_token_path), data=form)
        return wire.read_tokens(await wire.ask_async(client, request)).access


async def put_scope_catalog(
    *,
    usso_base_url: str,
    service: str,
    scopes: Sequence[Mapping[str, str]],
    access_token: str,
    api_base_path: str = DEFAULT_API_BASE_PATH,
    http_timeout: float = DEFAULT_HTTP_TIMEOUT,
    danger_allow_http: bool = False,
) -> None:
    """Replaces the entries of a service. Raises as `fetch_client_credentials_token` does."""
    import httpx

    base = wire.base_url(usso_base_url, danger_allow_http=danger_allow_http)
    path = f"{api_base_path.rstrip('/')}/scope-catalog/{wire.segment(service)}"
    async with httpx.AsyncClient(**wire.client_arguments(base, http_timeout)) as client:
        request = client.build_request(
            "PUT",
            wire.join(base, path),
            headers={"Authorization": f"Bearer {wire.credential(access_token, 'access_token')}"},
            json={"scopes": [dict(scope) for scope in scopes]},
        )
        await wire.send_async(client, request)


async def register_scope_catalog(
    *,
    service: str,
    scopes: Sequence[Mapping[str, str]],
    usso_base_url: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    api_base_path: str | None = None,
    oauth_token_path: str | None = None,
    enabled: bool | None = None,
    http_timeout: float = DEFAULT_HTTP_TIMEOUT,
    danger_allow_http: bool = False,
) -> bool:
    """Registers a service's scopes; says whether it did. Never raises: what failed is logged.

    Settings default to `USSO_BASE_URL`, `SCOPE_CATALOG_CLIENT_ID`, `SCOPE_CATALOG_CLIENT_SECRET`,
    `USSO_API_BASE_PATH`, `USSO_OAUTH_TOKEN_PATH` and `SCOPE_CATALOG_ENABLED` (on unless it is set
    to something else than true, 1 or yes). Without client, secret or scopes it does nothing.
    """
    if enabled is None:
        enabled = os.getenv("SCOPE_CATALOG_ENABLED", "true").lower() in {"true", "1", "yes"}
    client_id = client_id or os.getenv("SCOPE_CATALOG_CLIENT_ID")
    client_secret = client_secret or os.getenv("SCOPE_CATALOG_CLIENT_SECRET")
    if not (enabled and client_id and client_secret and scopes):
        logger.info("the scopes of %s are not registered: off, or no client or scopes", service)
        return False
    try:
        base = wire.base_url(usso_base_url, danger_allow_http=danger_allow_http)
        token = await fetch_client_credentials_token(
            usso_base_url=base,
            client_id=client_id,
            client_secret=client_secret,
            oauth_token_path=oauth_token_path
            or os.getenv("USSO_OAUTH_TOKEN_PATH")
            or DEFAULT_OAUTH_TOKEN_PATH,
            http_timeout=http_timeout,
            danger_allow_http=danger_allow_http,
        )
        await put_scope_catalog(
            usso_base_url=base,
            service=service,
            scopes=scopes,
            access_token=token,
            api_base_path=api_base_path or os.getenv("USSO_API_BASE_PATH") or DEFAULT_API_BASE_PATH,
            http_timeout=http_timeout,
            danger_allow_http=danger_allow_http,
        )
    except Exception as error:
        # Its kind only: the text of an exception can quote what was sent.
        code = getattr(error, "error_code", type(error).__name__)
        logger.error("the scopes of %s could not be registered: %s", service, code)
        return False
    logger.info("%d scopes of %s are registered", len(scopes), service)
    return True
