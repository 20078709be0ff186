"""Tells who is calling."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar, overload

from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from usso import _native
from usso._native import Claims, Refusal, Request
from usso._verifier import Verifier
from usso.config import (
    AuthConfig,
    AvailableJwtConfigs,
    base_url_config,
    environment_configs,
    guard_settings,
    key_settings,
)
from usso.exceptions import ConfigError, TokenInvalid, USSOException, of_refusal
from usso.user import KINDS, UserData


class Needed(TypedDict, total=False):
    """What a route needs of its caller beside scopes. All of it must be there."""

    roles: Sequence[str]
    tenant: str | None
    workspace: str | None
    service: bool
    """A service account."""
    max_age: int | None
    """How many seconds ago the caller may have signed in at most."""
    acr: Sequence[str]
    """One of these authentication context classes."""


UserT = TypeVar("UserT", bound=BaseModel)


class UssoAuth(Generic[UserT]):
    """Verifies tokens and API keys of the configured issuers.

    Without arguments the environment says which: `JWT_CONFIGS`, `JWT_CONFIG`, or `USSO_BASE_URL`.
    `user_schema` is what callers are given as.

    Raises `ConfigError` if the settings cannot be used.
    """

    @overload
    def __init__(
        self: UssoAuth[UserData],
        jwt_config: AvailableJwtConfigs | None = None,
        *,
        from_usso_base_url: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        jwt_config: AvailableJwtConfigs | None = None,
        *,
        from_usso_base_url: str | None = None,
        user_schema: type[UserT],
    ) -> None: ...
    def __init__(
        self,
        jwt_config: AvailableJwtConfigs | None = None,
        *,
        from_usso_base_url: str | None = None,
        user_schema: type[Any] = UserData,
    ) -> None:
        if jwt_config is not None:
            configs = AuthConfig.validate_jwt_configs(jwt_config)
        elif from_usso_base_url is not None:
            configs = [base_url_config(from_usso_base_url)]
        else:
            configs = environment_configs()
        self.jwt_configs: list[AuthConfig] = configs
        self.from_usso_base_url = from_usso_base_url
        self.user_schema: type[UserT] = user_schema
        self._verifiers: dict[str | None, Verifier] = {}
        self.verifier: Verifier = self._for("access")
        """Verifies access tokens and requests."""

    def _for(self, token_type: str | None) -> Verifier:
        """Gives the verifier for tokens of this type."""
        found = self._verifiers.get(token_type)
        if found is None:
            made = _build(self.jwt_configs, token_type)
            # Of two that were made at once both use the first.
            found = self._verifiers.setdefault(token_type, made)
        return found

    def verify(self, token: str) -> Claims:
        """Verifies an access token, and gives its claims as they are. The fastest way.

        Raises `USSOException`.
        """
        return self.verifier.verify(token)

    async def averify(self, token: str) -> Claims:
        """Does as `verify`, without blocking."""
        return await self.verifier.averify(token)

    def verify_token(self, token: str) -> UserT:
        """Verifies an access token. Raises `USSOException`."""
        return self.user_of(self.verifier.verify(token))

    @overload
    def user_data_from_token(
        self,
        token: str,
        *,
        expected_token_type: str = "access",
        raise_exception: Literal[True] = True,
    ) -> UserT: ...
    @overload
    def user_data_from_token(
        self, token: str, *, expected_token_type: str = "access", raise_exception: bool
    ) -> UserT | None: ...
    def user_data_from_token(
        self,
        token: str,
        *,
        expected_token_type: str = "access",
        raise_exception: bool = True,
    ) -> UserT | None:
        """Verifies a token of this type.

        Raises `USSOException`, unless told to give `None`.
        """
        try:
            return self.user_of(self._for(str(expected_token_type)).verify(token))
        except USSOException:
            if raise_exception:
                raise
            return None

    async def user_data_from_token_async(
        self,
        token: str,
        *,
        expected_token_type: str = "access",
        raise_exception: bool = True,
    ) -> UserT | None:
        """Does as `user_data_from_token`, without blocking."""
        try:
            return self.user_of(await self._for(str(expected_token_type)).averify(token))
        except USSOException:
            if raise_exception:
                raise
            return None

    def user_data_from_api_key(self, api_key: str) -> UserT:
        """Asks about an API key, or remembers it from a minute ago. Raises `USSOException`."""
        return self.user_of(self.verifier.verify(api_key, api_key=True))

    async def user_data_from_api_key_async(self, api_key: str) -> UserT:
        """Does as `user_data_from_api_key`, without blocking."""
        return self.user_of(await self.verifier.averify(api_key, api_key=True))

    def user_data_from_jwe(self, jwe: str, *, raise_exception: bool = True) -> None:
        """Refuses: encrypted tokens are not accepted. Raises `TokenInvalid`."""
        if raise_exception:
            message = {"en": "Encrypted tokens (JWE) are not supported."}
            raise TokenInvalid(401, "token.encrypted", message=message)

    async def user_data_from_jwe_async(self, jwe: str, *, raise_exception: bool = True) -> None:
        """Does as `user_data_from_jwe`."""
        self.user_data_from_jwe(jwe, raise_exception=raise_exception)

    def user_of(self, claims: Claims) -> UserT:
        """Gives verified claims as the app's type.

        Raises `PermissionDenied` with `access.claims` if they do not fit it.
        """
        schema = self.user_schema
        if schema is UserData:
            return claims.user_data(schema, KINDS)
        try:
            if not issubclass(schema, UserData):
                return schema.model_validate(claims.to_dict())
            known = claims.user_data(UserData, KINDS)
            return schema.model_validate(known.claims)
        except ValidationError:
            raise of_refusal(Refusal.claims()) from None

    def authenticate(self, request: Request) -> Claims | None:
        """Verifies the credential of a request; `None` if there is none. For integrations.

        Raises `USSOException`.
        """
        return self.verifier.authenticate(request)

    async def aauthenticate(self, request: Request) -> Claims | None:
        """Does as `authenticate`, without blocking."""
        return await self.verifier.aauthenticate(request)

    def answer(
        self, error: USSOException, request: Request | None = None
    ) -> tuple[int, list[tuple[str, str]], str]:
        """Gives status, headers and body of the answer to a refused request. For integrations."""
        if error.refusal is not None:
            return self.verifier.native.answer(error.refusal, request)
        import json

        headers = [("content-type", "application/json"), ("cache-control", "no-store")]
        return error.status_code, headers, json.dumps(error.body())

    def get_request_jwt(self, request: Any) -> str | None:
        """Gives the token of a request, unverified."""
        found = (config.get_jwt(request) for config in self.jwt_configs)
        return next((token for token in found if token), None)

    def get_request_api_key(self, request: Any) -> str | None:
        """Gives the API key of a request, unverified."""
        found = (config.get_api_key(request) for config in self.jwt_configs)
        return next((key for key in found if key), None)

    @staticmethod
    def is_base64url_segment(segment: str) -> bool:
        """Says whether this could be a part of a compact token."""
        text = segment.encode("utf-8", "surrogatepass")
        return len(text) > 0 and len(text) % 4 != 1 and all(byte in _BASE64URL for byte in text)

    @classmethod
    def detect_compact_token_type(cls, token: str) -> Literal["jwt", "jwe"] | None:
        """Says what a text looks like: three segments are a JWT, five a JWE."""
        segments = token.split(".", 5)
        if not all(cls.is_base64url_segment(segment) for segment in segments):
            return None
        kinds: dict[int, Literal["jwt", "jwe"]] = {3: "jwt", 5: "jwe"}
        return kinds.get(len(segments))


USSOAuth = UssoAuth


def verifier_for(config: AuthConfig, token_type: str | None = "access") -> Verifier:
    """Gives the verifier of one configuration, made once."""
    return _built(config, token_type)


def require(
    verifier: Verifier,
    claims: Claims | None,
    rule: _native.Rule,
    parameters: dict[str, str] | None = None,
) -> Claims:
    """Requires a caller who may do what the rule asks for. Raises `USSOException`."""
    refusal = verifier.native.check(claims, rule, parameters or {})
    if refusal is not None:
        raise of_refusal(refusal)
    if claims is None:
        raise of_refusal(Refusal.missing())
    return claims


@lru_cache(maxsize=64)
def _built(config: AuthConfig, token_type: str | None) -> Verifier:
    return _build([config], token_type)


def _build(configs: list[AuthConfig], token_type: str | None) -> Verifier:
    if not configs:
        raise ConfigError("give at least one configuration")
    first = configs[0]
    settings: dict[str, Any] = {"issuers": [], "guard": guard_settings(first)}
    for config in configs:
        if guard_settings(config) != settings["guard"]:
            raise ConfigError("the configurations disagree on where in a request credentials are")
        for name in ("leeway", "jwks_cooldown"):
            if getattr(config, name) != getattr(first, name):
                raise ConfigError(f"the configurations disagree on `{name}`")
        settings["issuers"] += config.issuer_settings(token_type)
    settings |= {"leeway": first.leeway, "jwks_cooldown": first.jwks_cooldown}
    taking = [config for config in configs if _takes_keys(config, len(configs) > 1)]
    if len(taking) > 1:
        raise ConfigError("several configurations take API keys; nobody knows whose a key is")
    header = None
    # A key is a credential for access and for nothing else.
    if taking and token_type == "access":
        settings["api_keys"], header = key_settings(taking[0]), taking[0].api_key_header
    return Verifier(settings, header)


def _takes_keys(config: AuthConfig, is_one_of_several: bool) -> bool:
    """Says whether a configuration takes API keys: of several only one that says so."""
    is_said = "api_key_header" in config.model_fields_set or not is_one_of_several
    return is_said and key_settings(config) is not None


_BASE64URL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
