"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

import httpx

from usso.exceptions import USSOException
from usso.utils import wire

from . import base_client
from .base_client import BaseUssoClient

if TYPE_CHECKING:
    from httpx._client import UseClientDefault
    from httpx._types import AuthTypes
    from typing_extensions import Self

    from usso.enums import AuthIdentifier
    from usso.schemas import UserResponse


class UssoClient(httpx.Client, BaseUssoClient):
    """An `httpx.Client` for the SSO that carries an API key or keeps an access token good.

    Takes one of `api_key`, `refresh_token` and `agent_private_key`, else `USSO_API_KEY`,
    `USSO_REFRESH_TOKEN` and `AGENT_PRIVATE_KEY` of the environment, and the arguments of
    `httpx.Client`. Nothing is sent before the first request. It may be shared between threads.

    Refresh tokens work once. `on_refresh` is called with each new one, before the access token that
    came with it is used; keep it for the next start. It must not use the client.

    # Errors

    A refused refresh (401, 403) raises `USSOException`, and so does every request after it: sign in
    again. When it is unknown whether a refresh arrived, `httpx.TransportError` is raised and the
    tokens are kept; the same refresh token is sent again only with the next request. The SSO takes
    that for a retry within its grace time, and later for theft, which ends the session.

    # Security

    The credential goes to the origin of the base URL only, also if redirects are followed, which
    they are not by default. Proxies of the environment are used for https only.

    # Processes

    A forked process makes connections of its own (unless it was given a `transport`), but has the
    same refresh token, which works once: let one process go on with it. One that is forked during a
    refresh sends that token once, with a warning in the log; unless this gives tokens, it is signed
    out.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        agent_id: str | None = None,
        agent_private_key: str | bytes | None = None,
        refresh_token: str | None = None,
        usso_base_url: str | None = None,
        client: Self | None = None,
        on_refresh: Callable[[str], None] | None = None,
        danger_allow_http: bool = False,
        **kwargs: Any,
    ) -> None:
        """Reads the settings. Raises `ValueError` for a missing credential or unsafe base URL."""
        BaseUssoClient.__init__(
            self,
            api_key=api_key,
            agent_id=agent_id,
            agent_private_key=agent_private_key,
            refresh_token=refresh_token,
            usso_base_url=usso_base_url,
            client=client,
            on_refresh=on_refresh,
            danger_allow_http=danger_allow_http,
        )
        arguments = self._client_arguments(client, kwargs)
        httpx.Client.__init__(self, base_url=self._base, **arguments)

    __repr__ = BaseUssoClient.__repr__

    def copy_attributes_from(self, client: Self) -> None:
        """Takes over base URL, headers and credential; tokens are shared from then on."""
        self._copy_settings(client)
        self.base_url = self._base
        self.headers = httpx.Headers(client.headers)

    def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: AuthTypes | UseClientDefault | None = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: bool | UseClientDefault = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """Sends a request, with the credential if it goes to the SSO.

        An answer of 401 to an access token leads to one refresh and one repetition, unless the body
        was streamed.
        """
        self._keep_to_own_connections()
        if self._needs_token(request):
            self._renew(self._session.access)
        access = self._attach(request)
        auth = self._auth_for(request, auth)
        response = self._send_once(request, stream, auth)
        if response.status_code == 401 and self._can_repeat(request, access):
            response.close()
            self._renew(access)
            self._attach(request)
            response = self._send_once(request, stream, auth)
        if self._follows(follow_redirects):
            response = self._follow(response, stream)
        return response

    def _follow(self, response: httpx.Response, stream: bool) -> httpx.Response:
        history: list[httpx.Response] = []
        while (request := self._next_hop(response, len(history), self.max_redirects)) is not None:
            response.read()
            history.append(response)
            response = self._send_once(request, stream, None)
        response.history = history
        return response

    def _send_once(
        self, request: httpx.Request, stream: bool, auth: AuthTypes | UseClientDefault | None
    ) -> httpx.Response:
        deadline = time.monotonic() + wire.TOTAL_SECONDS
        response = super().send(request, stream=True, auth=auth, follow_redirects=False)
        if stream:
            return response
        try:
            if self._is_bounded(request, self.timeout):
                response.stream = _Bounded(response, deadline)
            response.read()
        except BaseException:
            response.close()
            raise
        return response

    def get_session(self) -> Self:
        """Fetches an access token unless there is a live one, or an API key in its place."""
        if not self.api_key and not self._session.is_fresh():
            self._renew(self._session.access)
        return self

    def _request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        return self.get_session().request(method, url, **kwargs)

    def _refresh(self) -> dict[str, Any]:
        """Refreshes now; gives the answer. Raises `ValueError` if there is no refresh token."""
        return self._renew(self._session.access)

    def _renew(self, stale: str | None) -> dict[str, Any]:
        """Refreshes, or waits for the refresh under way and shares what comes of it."""
        session = self._session
        with session.lock:
            if session.access is not None and session.access != stale:
                return {}
            flight, leads = session.flight, session.flight is None
            if flight is None:
                flight = session.flight = Future()
        if not leads:
            return dict(flight.result())
        try:
            answer = self._exchange()
        except BaseException as error:
            session.flight = None
            flight.set_exception(error)
            raise
        session.flight = None
        flight.set_result(answer)
        return dict(answer)

    def _exchange(self) -> dict[str, Any]:
        session = self._session
        request, sent = self._refresh_request(self), session.refresh
        with session.sending():
            try:
                answer = wire.ask(self, request)
            except USSOException as error:
                self._refused(error, sent)
                raise
            tokens = wire.read_tokens(answer)
            session.store_refresh(tokens)
        try:
            if self._on_refresh is not None and session.refresh is not None:
                self._on_refresh(session.refresh)
        finally:
            session.store_access(tokens)
        return answer

    # Agents and scopes.

    def use_agent_token(self, scopes: list[str], aud: str, tenant_id: str | None = None) -> str:
        """Gets an access token for the agent, and uses it from then on; gives its text.

        Raises `ValueError` if there is no agent key, `USSOException` if the SSO refuses.
        """
        self._agent_key()
        tenant_id = tenant_id or base_client.tenant_of(self._get_agent())
        jwt = self._agent_jwt(scopes, aud, tenant_id)
        request = self._build(self, f"{wire.API}/agents/auth", bearer=jwt)
        tokens = wire.read_tokens(wire.ask(self, request))
        self._session.store_access(tokens, is_agent=True)
        return tokens.access

    def _get_token(self, scopes: str | list[str], aud: str = "sso") -> str | None:
        """Gets a token of the agent for scopes that this client has; `None` without an agent.

        Raises `PermissionDenied` for a scope that it does not have.
        """
        wanted = [scopes] if isinstance(scopes, str) else list(scopes)
        base_client.require_scopes(wanted, self._get_scopes())
        return self.use_agent_token(wanted, aud) if self.agent_private_key else None

    def _get_scopes(self) -> list[str]:
        own = self._own_scopes()
        if own is not None:
            return own
        if self.api_key:
            return wire.scopes_of(self._get_api_key())
        if self.agent_private_key:
            return wire.scopes_of(self._get_agent())
        self.get_session()
        return self._own_scopes() or []

    def _get_api_key(self) -> dict[str, Any]:
        """Asks what the API key stands for; remembered for 60 s."""
        key = self.api_key
        if not key:
            return {}
        known = self._recall("api_key", key)
        if known is not None:
            return known
        request = self._build(self, f"{wire.API}/apikeys/verify", json={"api_key": key})
        answer = wire.ask(self, request)
        return self._remember("api_key", key, answer, base_client.API_KEY_SECONDS)

    def _get_agent(self) -> dict[str, Any]:
        """Asks which tenant and scopes the agent has; remembered for 600 s."""
        key = self.agent_private_key
        if not key:
            return {}
        known = self._recall("agent", key)
        if known is not None:
            return known
        jwt = self._agent_jwt([], "sso", None)
        request = self._build(self, f"{wire.API}/agents/scopes", bearer=jwt)
        answer = wire.ask(self, request)
        return self._remember("agent", key, answer, base_client.AGENT_SECONDS)

    # Users. Each raises `USSOException` with status and code of the SSO's refusal.

    def get_users(self, params: dict[str, Any] | None = None) -> list[UserResponse]:
        """Gives one page of the users; `params` are those of the address, such as `limit`."""
        return base_client.users_in(self.get(f"{wire.API}/users", params=params))

    def create_users(self, data: dict[str, Any] | None = None) -> UserResponse:
        """Creates a user."""
        answer = base_client.object_in(self.post(f"{wire.API}/users", json=data))
        return base_client.user_in(answer)

    def get_profile(self, user_id: str) -> dict[str, Any]:
        """Gives the profile of a user. Raises `ValueError` for an id that is no path segment."""
        path = f"{wire.API}/profiles/{wire.segment(user_id)}"
        return base_client.object_in(self.get(path))

    def add_identifier(
        self, user_id: str, identifier_type: AuthIdentifier | str, identifier: str
    ) -> dict[str, Any]:
        """Adds an identifier to a user. Raises `ValueError` as `get_profile` does."""
        path = f"{wire.API}/users/{wire.segment(user_id)}/identifiers"
        body = {"type": identifier_type, "identifier": identifier}
        return base_client.object_in(self.post(path, json=body))


class _Bounded(httpx.SyncByteStream):
    """The body of an answer, until a deadline."""

    def __init__(self, response: httpx.Response, deadline: float) -> None:
        self._stream = cast("httpx.SyncByteStream", response.stream)
        self._request, self._deadline = response.request, deadline

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if time.monotonic() > self._deadline:
                raise wire.too_slow(self._request)
            yield chunk

    def close(self) -> None:
        self._stream.close()
