"""The caller of a route, as a dependency."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, TypeVar, overload

from fastapi import Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from typing_extensions import Unpack

from usso._native import Claims, Refusal, Request, Rule, action_level
from usso.auth import Needed, UssoAuth, require
from usso.config import AvailableJwtConfigs
from usso.exceptions import USSOException, of_refusal
from usso.integrations._asgi import HTTPRefused, http_refused, native_request, verdict
from usso.user import KINDS, UserData

UserT = TypeVar("UserT", bound=BaseModel)
NO_SCOPES = SecurityScopes()
_Check = Callable[[Claims | None], Claims]


class USSOAuthentication(UssoAuth[UserT], SecurityBase):
    """Gives the caller of a route: `user: UserData = Depends(authentication)`.

    `Security(authentication, scopes=["read:files"])` also requires scopes. A scope with a colon
    is USSO's and may look at the path (`read:users?user_id={id}`); any other must be in the token
    as it is. Refusals are answered with 401, 403 or 503 without more wiring.

    With `raise_exception=False` a refused caller is `None`.
    """

    @overload
    def __init__(
        self: "USSOAuthentication[UserData]",
        jwt_config: AvailableJwtConfigs | None = None,
        *,
        raise_exception: bool = True,
        expected_token_type: str = "access",
        from_usso_base_url: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        jwt_config: AvailableJwtConfigs | None = None,
        *,
        raise_exception: bool = True,
        expected_token_type: str = "access",
        from_usso_base_url: str | None = None,
        user_schema: type[UserT],
    ) -> None: ...
    def __init__(
        self,
        jwt_config: AvailableJwtConfigs | None = None,
        *,
        raise_exception: bool = True,
        expected_token_type: str = "access",
        from_usso_base_url: str | None = None,
        user_schema: type[Any] = UserData,
    ) -> None:
        super().__init__(jwt_config, from_usso_base_url=from_usso_base_url, user_schema=user_schema)
        self.raise_exception = raise_exception
        self.expected_token_type = expected_token_type
        self.verifier = self._for(expected_token_type)
        self.model = HTTPBearer(
            bearerFormat="JWT",
            description="An access token, or an API key, in the header `Authorization`.",
        )
        self.scheme_name = "USSO"

    async def __call__(
        self, connection: HTTPConnection, security_scopes: SecurityScopes, response: Response
    ) -> UserT | None:
        """Gives the caller."""

        def check(claims: Claims | None) -> Claims:
            return _require_scopes(self, claims, security_scopes.scopes, connection)

        try:
            return await self._caller(connection, response, check)
        except USSOException:
            if self.raise_exception:
                raise
            return None

    async def optional(
        self, connection: HTTPConnection, security_scopes: SecurityScopes, response: Response
    ) -> UserT | None:
        """Gives the caller, `None` if there is no credential: `Depends(authentication.optional)`.

        A credential that is there and not good is refused: nobody is made anonymous silently. With
        `Security` and scopes there must be a caller.
        """
        return await self._caller(connection, response, self._checks(connection, security_scopes))

    def _checks(self, connection: HTTPConnection, asked: SecurityScopes) -> _Check | None:
        """Gives what checks the scopes that `Security` asks for, if it does."""
        if not asked.scopes:
            return None
        return lambda claims: _require_scopes(self, claims, asked.scopes, connection)

    def require(
        self, *scopes: str, **needed: Unpack[Needed]
    ) -> Callable[..., Awaitable[UserT | None]]:
        """Makes a dependency for a caller who may do all of this.

        `{name}` in a scope's value, in `tenant` and `workspace` is a part of the path. `max_age` is
        how many seconds ago the caller may have signed in at most.

        Raises `ValueError` if a scope is not one.
        """
        rule = Rule(scopes=scopes, **needed)

        async def dependency(
            connection: HTTPConnection, security_scopes: SecurityScopes, response: Response
        ) -> UserT | None:
            def check(claims: Claims | None) -> Claims:
                known = _require_scopes(self, claims, security_scopes.scopes, connection)
                return require(self.verifier, known, rule, _parameters(connection))

            return await self._caller(connection, response, check)

        return dependency

    def authorize(
        self,
        *,
        action: str = "read",
        resource_path: str,
        filter_data: dict[str, str] | None = None,
    ) -> Callable[..., Awaitable[UserT | None]]:
        """Makes a dependency for a caller who may do this to a resource with these values.

        Raises `ValueError` if there is no such action: nobody could do it.
        """
        if action_level(action) is None:
            raise ValueError(f"{action!r} is no action")
        filters = [filter_data] if filter_data else []

        async def dependency(
            connection: HTTPConnection, security_scopes: SecurityScopes, response: Response
        ) -> UserT | None:
            def check(claims: Claims | None) -> Claims:
                known = _require_scopes(self, claims, security_scopes.scopes, connection)
                if not known.can(action, resource_path, filters):
                    raise of_refusal(Refusal.scope(f"{action}:{resource_path}"))
                return known

            return await self._caller(connection, response, check)

        return dependency

    async def usso_access_security_async(
        self, request: HTTPConnection, security_scopes: SecurityScopes = NO_SCOPES
    ) -> UserT | None:
        """Gives the caller of a request."""
        return await self(request, security_scopes, Response())

    def usso_access_security(
        self, request: HTTPConnection, security_scopes: SecurityScopes = NO_SCOPES
    ) -> UserT | None:
        """Gives the caller of a request. Blocks while keys are fetched: not for async handlers."""
        native = native_request(request)
        try:
            claims = self.verifier.authenticate(native)
            return self.user_of(_require_scopes(self, claims, security_scopes.scopes, request))
        except USSOException as error:
            if self.raise_exception:
                raise _refused(self, error, native) from None
            return None

    jwt_access_security_ws = usso_access_security

    async def _caller(
        self,
        connection: HTTPConnection,
        response: Response,
        check: _Check | None,
    ) -> UserT | None:
        """Verifies and checks the caller; without a check nobody needs to be there."""
        native = native_request(connection)
        try:
            claims = await verdict(self, connection, native)
            if check is not None:
                claims = check(claims)
            user = None if claims is None else self.user_of(claims)
        except USSOException as error:
            raise _refused(self, error, native) from None
        optional = check is None
        for name, value in self.verifier.native.response_headers(native, optional):
            response.headers.append(name, value)
        connection.state.usso_claims = claims
        connection.state.usso_user = user
        return user


@overload
def get_authenticator(
    config: AvailableJwtConfigs | None = None,
    *,
    raise_exception: bool = True,
    expected_token_type: str = "access",
) -> USSOAuthentication[UserData]: ...
@overload
def get_authenticator(
    config: AvailableJwtConfigs | None = None,
    *,
    raise_exception: bool = True,
    expected_token_type: str = "access",
    user_schema: type[UserT],
) -> USSOAuthentication[UserT]: ...
def get_authenticator(
    config: AvailableJwtConfigs | None = None, *, user_schema: type[Any] = UserData, **options: Any
) -> USSOAuthentication[Any]:
    """Makes the dependency that gives callers, as `USSOAuthentication` does."""
    return USSOAuthentication(config, user_schema=user_schema, **options)


def _refused(auth: UssoAuth[Any], error: USSOException, request: Request) -> HTTPRefused:
    """Makes the exception whose answer is FastAPI's: `{"detail": …}`, here with the code."""
    made = http_refused(auth, error, request)
    made.__dict__["detail"] = {"error_code": error.error_code, "message": error.message}
    return made


def _require_scopes(
    auth: UssoAuth[Any], claims: Claims | None, scopes: list[str], connection: HTTPConnection
) -> Claims:
    usso = tuple(scope for scope in scopes if ":" in scope)
    known = require(auth.verifier, claims, _rule(usso), _parameters(connection))
    plain = [scope for scope in scopes if ":" not in scope]
    held = known.user_data(UserData, KINDS).scopes if plain else []
    for scope in plain:
        if scope not in held:
            raise of_refusal(Refusal.scope(scope))
    return known


@lru_cache(maxsize=1024)
def _rule(scopes: tuple[str, ...]) -> Rule:
    return Rule(scopes=scopes)


def _parameters(connection: HTTPConnection) -> dict[str, str]:
    return {name: str(value) for name, value in connection.path_params.items()}
