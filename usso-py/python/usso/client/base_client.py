"""What both clients share: settings, tokens, and which request may carry them. Performs no I/O."""

from __future__ import annotations

import encodings.idna  # noqa: F401  # pyright: ignore[reportUnusedImport]
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import httpx

from usso.utils import agent, wire

from ._session import Session

if TYPE_CHECKING:
    from httpx._client import UseClientDefault
    from httpx._types import AuthTypes
    from typing_extensions import Self

    from usso.exceptions import USSOException
    from usso.schemas import UserResponse
    from usso_jwt.schemas import JWT

LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30.0)
API_KEY_SECONDS = 60.0
AGENT_SECONDS = 600.0

# What a client adds to requests by itself, and what stays with the SSO.
_CREDENTIALS = ("authorization", "x-api-key", "cookie")
_ATTACHED = "usso.attached"


def jwt_from_token(usso_base_url: str, token: str | None) -> JWT:
    """Wraps a token, to be verified with the keys of that SSO. Raises `TypeError` for no text."""
    from usso_jwt.config import JWTConfig
    from usso_jwt.schemas import JWT

    if not isinstance(token, str):
        raise TypeError("token must be a string")
    jwks_url = f"{usso_base_url.rstrip('/')}/.well-known/jwks.json"
    return JWT(token=token, config=JWTConfig(jwks_url=jwks_url))


def payload_scopes(token: JWT | None) -> list[str]:
    """Gives the scopes of a token, which is verified for that; none if there is no token."""
    if token is None:
        return []
    payload: Any = token.payload
    return wire.scopes_of(dict(payload))


class BaseUssoClient:
    """Settings and tokens of a client.

    # Security

    The credential is sent to the origin of the base URL only. A request to another origin, also by
    a redirect, carries neither it nor the client's own headers of that kind, nor its cookies.
    """

    headers: httpx.Headers
    follow_redirects: bool
    api_key: str | None
    agent_id: str | None
    agent_private_key: str | bytes | None

    def __init__(
        self,
        *,
        api_key: str | None = None,
        agent_id: str | None = None,
        agent_private_key: str | bytes | None = None,
        refresh_token: str | None = None,
        usso_base_url: str | None = None,
        client: Self | None = None,
        on_refresh: Callable[[str], Awaitable[None] | None] | None = None,
        danger_allow_http: bool = False,
    ) -> None:
        """Reads the settings; what is absent is taken from the environment, now.

        A refresh token or API key that is given wins over both in the environment. Raises
        `ValueError` if there is no credential or the base URL is not safe.
        """
        self._on_refresh = on_refresh
        self._remembered: dict[str, tuple[float, object, dict[str, Any]]] = {}
        if client is not None:
            self._copy_settings(client)
            return
        self._base = wire.base_url(usso_base_url, danger_allow_http=danger_allow_http)
        if not api_key and not refresh_token:
            api_key = os.getenv("USSO_API_KEY")
            refresh_token = os.getenv("USSO_REFRESH_TOKEN")
        self.api_key = wire.credential(api_key, "api_key") if api_key else None
        self.agent_id = agent_id or os.getenv("AGENT_ID") or None
        self.agent_private_key = agent_private_key or os.getenv("AGENT_PRIVATE_KEY") or None
        if not (self.api_key or refresh_token or self.agent_private_key):
            raise ValueError("one of api_key, refresh_token and agent_private_key is required")
        refresh = wire.credential(refresh_token, "refresh_token") if refresh_token else None
        self._session = Session(refresh)

    def _copy_settings(self, client: BaseUssoClient) -> None:
        self._base = client._base
        self.api_key = client.api_key
        self.agent_id = client.agent_id
        self.agent_private_key = client.agent_private_key
        # One object: a refresh token works once, so two copies of it would end the session.
        self._session = client._session
        self._on_refresh = self._on_refresh or client._on_refresh

    def __repr__(self) -> str:
        return f"{type(self).__name__}(usso_base_url={self._base!r})"

    @property
    def usso_base_url(self) -> str:
        """The URL of the SSO."""
        return self._base

    @property
    def usso_refresh_url(self) -> str:
        """Where refresh tokens are exchanged."""
        return f"{self._base}{wire.API}/auth/refresh"

    @property
    def access_token(self) -> JWT | None:
        """The access token, if one was fetched; `str()` gives its text."""
        access = self._session.access
        return None if access is None else jwt_from_token(self._base, access)

    @property
    def refresh_token(self) -> str | None:
        """The refresh token that is good for the next refresh; none beside an API key."""
        return None if self.api_key else self._session.refresh

    def headers_map(self) -> dict[str, str]:
        """Gives the headers of a request to the SSO, with the credential."""
        headers, credential = dict(self.headers), self._credential()
        if credential is not None:
            headers[credential[0].lower()] = credential[1]
        return headers

    def _credential(self) -> tuple[str, str] | None:
        """Gives the header that proves who calls; a live access token goes before an API key."""
        session = self._session
        if session.access and (session.is_fresh() or not self.api_key):
            return "Authorization", f"Bearer {session.access}"
        return ("x-api-key", self.api_key) if self.api_key else None

    def _client_arguments(self, client: Self | None, given: dict[str, Any]) -> dict[str, Any]:
        """Gives the arguments of the httpx client: those given, over ours.

        Raises `TypeError` for `base_url`, `ValueError` for the address of a proxy that is none.
        """
        if "base_url" in given:
            raise TypeError("write `usso_base_url`, not `base_url`")
        own = wire.client_arguments(self._base, given={"limits": LIMITS, **given})
        if client is not None:
            own["headers"] = httpx.Headers(client.headers)
            own["headers"].update(given.get("headers"))
        self._arguments, self._pid = own, os.getpid()
        return own

    def _keep_to_own_connections(self) -> None:
        """Leaves the connections to the parent after a fork: answers on them would be mixed up."""
        if self._pid == os.getpid():
            return
        kind = httpx.Client if isinstance(self, httpx.Client) else httpx.AsyncClient
        fresh = vars(kind(**self._arguments))
        vars(self).update({name: fresh[name] for name in ("_transport", "_mounts")})
        self._pid = os.getpid()

    # Which request carries what.

    def _auth_for(
        self, request: httpx.Request, auth: AuthTypes | UseClientDefault | None
    ) -> AuthTypes | UseClientDefault | None:
        """Keeps the `auth` of the client with the SSO; that of a single request goes along."""
        is_default = auth is httpx.USE_CLIENT_DEFAULT
        return None if is_default and not self._is_ours(request.url) else auth

    def _follows(self, follow_redirects: bool | UseClientDefault) -> bool:
        is_default = follow_redirects is httpx.USE_CLIENT_DEFAULT
        return self.follow_redirects if is_default else bool(follow_redirects)

    def _is_bounded(self, request: httpx.Request, timeout: httpx.Timeout) -> bool:
        """Says whether an answer must be complete after 30 s: unless a timeout was chosen."""
        applies = request.extensions.get("timeout", timeout.as_dict())
        return applies == wire.default_timeout().as_dict()

    def _is_ours(self, url: httpx.URL) -> bool:
        return wire.origin(url) == wire.origin(httpx.URL(self._base))

    def _needs_token(self, request: httpx.Request) -> bool:
        """Says whether a request waits for a refresh. Raises `USSOException` if none can help."""
        if not self._is_ours(request.url) or self._is_signed(request) or self.api_key:
            return False
        if self._session.over:
            raise signed_out()
        return not self._session.is_fresh() and self._session.refresh is not None

    def _is_signed(self, request: httpx.Request) -> bool:
        """Says whether the caller put a credential of its own on the request."""
        if _ATTACHED in request.extensions:
            return False
        return "authorization" in request.headers or "x-api-key" in request.headers

    def _attach(self, request: httpx.Request) -> str | None:
        """Puts the credential on a request to the SSO, and takes it off any other.

        Gives the access token that it now carries, if it does.
        """
        if not self._is_ours(request.url):
            for name in _CREDENTIALS:
                own = self.headers.get(name)
                if name == "cookie" or (own is not None and request.headers.get(name) == own):
                    request.headers.pop(name, None)
            return None
        if self._is_signed(request):
            return None
        access = self._session.access
        credential = self._credential()
        if credential is None:
            return None
        request.headers[credential[0]] = credential[1]
        request.extensions[_ATTACHED] = True
        return access if credential[0] == "Authorization" else None

    def _can_repeat(self, request: httpx.Request, access: str | None) -> bool:
        """Says whether a refused request is worth a refresh and a second try.

        A body that was streamed is gone, so such a request is not sent again.
        """
        session = self._session
        can_change = session.refresh is not None or session.access != access
        repeatable = isinstance(request.stream, httpx.ByteStream)
        return access is not None and not self.api_key and can_change and repeatable

    def _next_hop(self, response: httpx.Response, hops: int, limit: int) -> httpx.Request | None:
        """Gives the request that a redirect asks for, without what must not leave the origin."""
        request = response.next_request
        if request is None:
            return None
        if hops >= limit:
            raise httpx.TooManyRedirects("there were too many redirects", request=response.request)
        crosses = wire.origin(request.url) != wire.origin(response.request.url)
        for name in _CREDENTIALS if crosses else ():
            request.headers.pop(name, None)
        if not self._is_ours(request.url):
            request.headers.pop("cookie", None)
        return request

    # Tokens.

    def _refresh_request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        if self._session.over:
            raise signed_out()
        if self._session.refresh is None:
            raise ValueError("refresh_token is required")
        body = {"refresh_token": self._session.refresh}
        return self._build(client, f"{wire.API}/auth/refresh", json=body)

    def _build(
        self,
        client: httpx.Client | httpx.AsyncClient,
        path: str,
        *,
        json: dict[str, Any] | None = None,
        bearer: str | None = None,
    ) -> httpx.Request:
        """Makes a POST to the SSO that carries no credential but the one given."""
        self._keep_to_own_connections()
        url, timeout = self._base + path, wire.default_timeout()
        request = client.build_request("POST", url, json=json, timeout=timeout)
        for name in _CREDENTIALS:
            request.headers.pop(name, None)
        if bearer is not None:
            request.headers["Authorization"] = f"Bearer {bearer}"
        return request

    def _refused(self, error: USSOException, sent: str | None) -> None:
        """Drops the tokens if the SSO refused the refresh token that was sent."""
        if error.status_code in {401, 403} and self._session.refresh == sent:
            self._session.drop()

    # Agents and scopes.

    def _agent_key(self) -> str | bytes:
        if not self.agent_private_key:
            raise ValueError("private_key is required")
        return self.agent_private_key

    def _agent_jwt(self, scopes: list[str], aud: str, tenant_id: str | None) -> str:
        key = self._agent_key()
        return agent.generate_agent_jwt(
            scopes, aud, tenant_id, agent_id=self.agent_id, private_key=key
        )

    def _recall(self, what: str, credential: object) -> dict[str, Any] | None:
        """Gives an answer that was remembered for this credential, if it is not too old."""
        until, owner, answer = self._remembered.get(what, (0.0, None, {}))
        return deepcopy(answer) if owner == credential and time.monotonic() < until else None

    def _remember(
        self, what: str, credential: object, answer: dict[str, Any], seconds: float
    ) -> dict[str, Any]:
        self._remembered[what] = (time.monotonic() + seconds, credential, deepcopy(answer))
        return answer

    def _own_scopes(self) -> list[str] | None:
        """Gives the scopes of the access token; `None` if there is none, or one of an agent."""
        session = self._session
        if session.access is None or not session.is_fresh() or session.is_agent:
            return None
        return wire.scopes_of(wire.unverified_claims(session.access))


def require_scopes(wanted: list[str], granted: list[str]) -> None:
    """Raises `PermissionDenied` unless every wanted scope lies within a granted one."""
    from usso import _native
    from usso.exceptions import PermissionDenied

    for scope in wanted:
        if not _native.has_subset_scope(scope, granted):
            raise PermissionDenied(detail=f"Scope {scope} is not allowed")


def signed_out() -> USSOException:
    """Makes the error of a client whose refresh token was refused before."""
    from usso.exceptions import USSOException

    message = "The session is over: sign in again."
    return USSOException(401, "client.signed_out", message=message)


def tenant_of(answer: Mapping[str, Any]) -> str | None:
    """Gives the tenant of an agent, as the SSO told it."""
    tenant = answer.get("tenant_id")
    return tenant if isinstance(tenant, str) else None


def object_in(response: httpx.Response) -> dict[str, Any]:
    """Reads the object that answers a request. Raises `USSOException`."""
    if not response.is_success:
        raise wire.refusal(response.status_code, wire.read_json(response.content))
    return wire.read_object(response.content)


def user_in(fields: object) -> UserResponse:
    """Reads a user. Raises `USSOException` (502) if it is none."""
    from pydantic import ValidationError

    from usso.schemas import UserResponse

    try:
        return UserResponse.model_validate(fields)
    except ValidationError as error:
        places = {".".join(str(part) for part in found["loc"]) for found in error.errors()}
    # Outside of the handler: the text of the cause quotes the values.
    raise wire.bad_answer(f"no user in it: {', '.join(sorted(places))}")


def users_in(response: httpx.Response) -> list[UserResponse]:
    """Reads a page of users. Raises `USSOException`."""
    items = object_in(response).get("items")
    if not isinstance(items, list):
        raise wire.bad_answer("it has no items")
    return [user_in(item) for item in cast("list[object]", items)]
