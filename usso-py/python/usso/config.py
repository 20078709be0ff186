"""Settings: whose tokens to accept, and where in a request they are."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Coroutine
from difflib import get_close_matches
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from usso.exceptions import ConfigError
from usso.user import UserData

try:
    from usso_jwt.config import JWTConfig as _JWTConfig
except ImportError as error:
    raise ImportError(
        "the modules `usso_jwt` are not those of this package: `pip uninstall usso-jwt`, then"
        " install usso again with `--force-reinstall`"
    ) from error

log = logging.getLogger("usso")

DEFAULT_BASE_URL = "https://sso.usso.io"
VERIFY_PATH = "/api/sso/v1/apikeys/verify"


class HeaderConfig(BaseModel):
    """Where in a request the access token is: in a header, else in a cookie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    header_name: str | None = "Authorization"
    cookie_name: str | None = "usso-access-token"

    def get_key(self, request: Any) -> str | None:
        """Gives the credential of a request, unverified; of `Authorization` that of `Bearer`."""
        name = self.header_name
        value = request.headers.get(name) if name else None
        if value and name and name.lower() == "authorization":
            scheme, _, value = value.partition(" ")
            value = value.strip(" ") if scheme.lower() == "bearer" else None
        if not value and self.cookie_name:
            cookies = getattr(request, "COOKIES", None)
            value = (request.cookies if cookies is None else cookies).get(self.cookie_name)
        return value or None


class JWTHeaderConfig(HeaderConfig):
    """`HeaderConfig` in the words of USSO's older documentation."""

    type: Literal["Authorization", "CustomHeader", "Cookie"] = "Authorization"
    prefix: Literal["Bearer"] = "Bearer"
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _translate(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given: dict[str, Any] = dict(data)  # pyright: ignore[reportUnknownArgumentType]
        kind, name = given.get("type", "Authorization"), given.get("name")
        if kind == "Cookie":
            given.setdefault("header_name", None)
            given.setdefault("cookie_name", name or "usso-access-token")
        elif kind == "CustomHeader":
            given.setdefault("header_name", name)
            given.setdefault("cookie_name", None)
        return given


class APIHeaderConfig(HeaderConfig):
    """Where in a request an API key is, and who is asked about it.

    A key goes to `verify_endpoint` only (default: that of the issuer), and only if it comes from
    `header_name` or starts with a known prefix; no other credential does.
    """

    header_name: str | None = "x-api-key"
    cookie_name: str | None = None
    verify_endpoint: str | None = None
    prefixes: list[str] = Field(default_factory=list[str])
    api_key_verifier: Callable[[str], UserData | None] | None = None
    api_key_verifier_async: Callable[[str], Coroutine[Any, Any, UserData | None]] | None = None

    @field_validator("cookie_name")
    @classmethod
    def _no_cookie(cls, name: str | None) -> None:
        """Refuses cookies: browsers send them whoever wrote the page."""
        if name is not None:
            raise ValueError("API keys are not taken from cookies: leave `cookie_name` out")

    @property
    def is_local(self) -> bool:
        """Whether the app itself is asked."""
        return bool(self.api_key_verifier or self.api_key_verifier_async)


class AuthConfig(_JWTConfig):
    """Whose tokens to accept. Never changes once it is made.

    Without arguments it is read from the environment: `JWT_CONFIG`, a JSON object with these
    members; or `USSO_BASE_URL` and `USSO_AUDIENCE`.

    | setting | default |
    | --- | --- |
    | `jwks_url`; or `jwks`, the keys themselves; or `key`, one public key in PEM or as a JWK | |
    | `issuer`, the value of `iss` or several | scheme and host of `jwks_url` |
    | `audience`, the value of `aud` or several, of which a token needs one | must be set |
    | `any_audience`: instead of that; other services' tokens are good here then | `False` |
    | `profile`: what kinds of tokens, see the README | `usso_legacy` |
    | `algorithms`; or `type`, one of them | those of the keys |
    | `tenant`: the `tenant_id` that tokens must have | any |
    | `required_claims`: beside `iss`, `sub`, `exp` and `aud` | none |
    | `maximum_age`: seconds since `iat` | none |
    | `leeway`: seconds that clocks may differ, 0 to 120 | 30 |
    | `jwks_cooldown`: seconds in which unknown keys are asked for once, 1 to 300 | 30 |
    | `jwt_header`, `api_key_header`: where in a request credentials are | |
    | `allow_origins`: other pages that may use the cookie | none |
    | `public_url`: where clients reach the service; DPoP needs it | none |
    | `realm`, `resource_metadata`: for challenges (RFC 9728) | `api`, none |
    | `danger_allow_http`: take keys where others could exchange them | `False` |

    Raises `ValueError` for settings that contradict or are unknown.
    """

    jwks: dict[str, Any] | None = None
    any_audience: bool = False
    profile: Literal["usso", "usso_legacy", "rfc9068", "custom"] = "usso_legacy"
    algorithms: list[Literal["EdDSA", "ES256", "ES384", "RS256", "PS256"]] | None = Field(
        default=None, min_length=1
    )
    tenant: str | None = None
    required_claims: list[str] = Field(default_factory=list[str])
    leeway: int = Field(default=30, ge=0, le=120)
    jwks_cooldown: int = Field(default=30, ge=1, le=300)
    jwt_header: HeaderConfig | None = Field(default_factory=HeaderConfig)
    api_key_header: APIHeaderConfig | None = Field(default_factory=APIHeaderConfig)
    allow_origins: list[str] = Field(default_factory=list[str])
    public_url: str | None = None
    realm: str | None = None
    resource_metadata: str | None = None
    danger_allow_http: bool = False

    def __hash__(self) -> int:
        return super().__hash__()

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, data: Any) -> Any:
        """Reads the environment where nothing is given, and the names of USSO's documentation.

        Refuses to switch checks off by those.
        """
        if not isinstance(data, dict):
            return data
        given: dict[str, Any] = dict(data) if data else _of_environment()  # pyright: ignore[reportUnknownArgumentType]
        if "header" in given:
            given.setdefault("jwt_header", given.pop("header"))
        for name in ("verify_exp", "verify_nbf", "verify_iss", "verify_signature"):
            if given.pop(name, True) is not True:
                raise ValueError(f"`{name}` cannot be switched off: leave it out")
        if given.pop("verify_aud", True) is not True:
            given.setdefault("any_audience", True)
        if given.pop("static_api_keys", None):
            raise ValueError("`static_api_keys` was never read: write an `api_key_verifier`")
        for name in given:
            if name not in cls.model_fields:
                near = get_close_matches(name, cls.model_fields, 1)
                advice = f"; write `{near[0]}`" if near else ""
                raise ValueError(f"`{name}` is no setting{advice}")
        return given

    @field_validator("jwt_header", mode="before")
    @classmethod
    def _any_header(cls, value: Any) -> Any:
        if isinstance(value, dict) and ("type" in value or "prefix" in value):
            return JWTHeaderConfig.model_validate(value)
        return value  # pyright: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _one_source(self) -> AuthConfig:
        given = {"jwks_url": self.jwks_url, "jwks": self.jwks, "key": self.key}
        names = [f"`{name}`" for name, value in given.items() if value is not None]
        if len(names) > 1:
            raise ValueError(f"{' and '.join(names)} contradict; keep one")
        url = urlsplit(self.jwks_url or "https://-")
        if url.scheme not in ("http", "https") or not url.netloc:
            raise ValueError("`jwks_url` is no address; write https://…/.well-known/jwks.json")
        is_plain = self.danger_allow_http or _is_local(url.hostname) or is_container(url.geturl())
        if url.scheme != "https" and not (url.scheme == "http" and is_plain):
            raise ValueError(
                "`jwks_url` must start with https://, or whoever sits between chooses the keys;"
                " http:// is for this machine, for containers, and with `danger_allow_http`"
            )
        return self

    @property
    def issuers(self) -> list[str]:
        """The values of `iss` to accept."""
        if isinstance(self.issuer, str):
            return [self.issuer]
        if self.issuer:
            return list(self.issuer)
        if self.jwks_url:
            return [_origin(self.jwks_url)]
        raise ConfigError("`issuer` is missing: write what the tokens say in `iss`")

    @property
    def verify_endpoint(self) -> str | None:
        """The address that API keys are sent to; `None` if none is."""
        header = self.api_key_header
        if header is None or header.header_name is None or header.is_local:
            return None
        if header.verify_endpoint or self.jwks_url is None or not self.profile.startswith("usso"):
            return header.verify_endpoint
        # The issuer may be one of several applications of its host.
        issuer = self.issuers[0].rstrip("/")
        is_there = self.jwks_url.startswith(f"{issuer}/")
        return (issuer if is_there else _origin(self.jwks_url)) + VERIFY_PATH

    def get_api_key(self, request: Any) -> str | None:
        """Gives the API key of a request, unverified."""
        return self.api_key_header.get_key(request) if self.api_key_header else None

    def get_jwt(self, request: Any) -> str | None:
        """Gives the token of a request, unverified."""
        return self.jwt_header.get_key(request) if self.jwt_header else None

    def verify_token(self, token: str, *, raise_exception: bool = True) -> bool:
        """Says whether a token is good. Raises `USSOException` if it is not, unless told not to."""
        from usso.auth import verifier_for
        from usso.exceptions import USSOException

        try:
            verifier_for(self).verify(token)
        except USSOException:
            if raise_exception:
                raise
            return False
        return True

    @classmethod
    def validate_jwt_configs(cls, configs: AvailableJwtConfigs) -> list[AuthConfig]:
        """Reads one configuration or several, each an object, a dict or JSON text."""
        several = configs if isinstance(configs, list) else [configs]
        return [_read(config) for config in several]

    def issuer_settings(self, token_type: str | None) -> list[dict[str, Any]]:
        """Gives the part of the verifier's settings that is about these issuers."""
        return [self._issuer(name, token_type) for name in self.issuers]

    def _issuer(self, name: str, token_type: str | None) -> dict[str, Any]:
        keys: dict[str, Any] = {"jwks_url": self.jwks_url}
        if self.jwks is not None:
            keys = {"jwks": self.jwks}
        elif isinstance(self.key, dict):
            keys = {"jwk": self.key}
        if self.audience is None and not self.any_audience:
            raise ConfigError(
                "`audience` is missing: write what this service's tokens say in `aud`, in"
                " USSO_AUDIENCE where USSO_BASE_URL is the configuration; or"
                " `any_audience=True`, if tokens for other services are good here"
            )
        algorithms = self.algorithms or ([self.algorithm] if self.algorithm else None)
        audience = self.audience
        settings: dict[str, Any] = {
            **keys,
            "issuer": name,
            "audience": audience,
            "any_audience": self.any_audience,
            "profile": self.profile,
            "algorithms": algorithms,
            "tenant": self.tenant,
            "required_claims": self.required_claims,
            "max_age": self.maximum_age,
            "allow_loopback_http": True,
            "danger_allow_http": self.danger_allow_http or is_container(self.jwks_url or ""),
        }
        # Other issuers write no type into access tokens.
        is_ours = self.profile.startswith("usso") or token_type != "access"
        settings["token_type" if is_ours else "token_type_if_any"] = token_type
        if self.profile == "custom":
            settings["typ"] = ["JWT", "at+jwt", "application/at+jwt"]
        return {key: value for key, value in settings.items() if value is not None}


AvailableJwtConfigs = (
    str | dict[str, Any] | AuthConfig | list[str] | list[dict[str, Any]] | list[AuthConfig]
)
JWTConfig = AuthConfig


def environment_configs() -> list[AuthConfig]:
    """Reads the configurations of the environment: `JWT_CONFIGS`, else as `AuthConfig()`."""
    if text := os.getenv("JWT_CONFIGS"):
        return AuthConfig.validate_jwt_configs(_json(text, "JWT_CONFIGS"))
    return [AuthConfig(**_of_environment())]


def base_url_config(base_url: str) -> AuthConfig:
    """Makes the configuration for the USSO at this address."""
    return AuthConfig(**_of_base_url(base_url))


def guard_settings(config: AuthConfig) -> dict[str, Any]:
    """Gives the part of the verifier's settings that is about requests."""
    header, key_header = config.jwt_header, config.api_key_header
    name = header.header_name if header else None
    settings: dict[str, Any] = {
        # Where tokens come from a cookie only, `Authorization` is looked at all the same.
        "token_header": name if name and name.lower() != "authorization" else None,
        "api_key_header": key_header.header_name if key_header else None,
        "cookie": header.cookie_name if header else None,
        "allow_origins": config.allow_origins or None,
        "public_url": config.public_url,
        "realm": config.realm,
        "resource_metadata": config.resource_metadata,
    }
    return {key: value for key, value in settings.items() if value is not None}


def key_settings(config: AuthConfig) -> dict[str, Any] | None:
    """Gives the part of the verifier's settings that is about API keys."""
    header, endpoint = config.api_key_header, config.verify_endpoint
    if header is None or not (header.is_local or endpoint):
        return None
    settings: dict[str, Any] = {
        "issuer": config.issuers[0],
        "prefixes": header.prefixes,
        "tenant": config.tenant,
        "required_claims": config.required_claims,
    }
    if header.is_local:
        return {**settings, "local": True}
    plain = config.danger_allow_http or is_container(endpoint or "")
    return {**settings, "verify_url": endpoint, "danger_allow_http": plain}


def is_container(url: str) -> bool:
    """Says whether this is `http` to a host of one label, as containers name each other.

    Such a name cannot be reached through the internet; `danger_allow_http` is for all others.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    # A number is an address: 134744072 is 8.8.8.8. Others decode what is escaped.
    return parts.scheme == "http" and re.fullmatch("[a-z][a-z0-9_-]*", host, re.ASCII) is not None


def _is_local(host: str | None) -> bool:
    """Says whether this is the machine itself. The verifier looks again, more strictly."""
    return host is not None and (host in ("localhost", "::1") or host.startswith("127."))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _of_environment() -> dict[str, Any]:
    if text := os.getenv("JWT_CONFIG"):
        config = _json(text, "JWT_CONFIG")
        if not isinstance(config, dict):
            raise ConfigError("JWT_CONFIG is no JSON object")
        return cast("dict[str, Any]", config)
    base_url = os.getenv("USSO_BASE_URL")
    if not base_url:
        log.warning("USSO_BASE_URL is not set: tokens of %s are accepted", DEFAULT_BASE_URL)
    return _of_base_url(base_url or DEFAULT_BASE_URL)


def _of_base_url(base_url: str) -> dict[str, Any]:
    base_url = base_url.rstrip("/")
    audience = os.getenv("USSO_AUDIENCE") or None
    return {
        "jwks_url": f"{base_url}/.well-known/jwks.json",
        "issuer": base_url,
        "audience": audience,
    }


def _read(config: str | dict[str, Any] | AuthConfig) -> AuthConfig:
    if isinstance(config, AuthConfig):
        return config
    if isinstance(config, str):
        config = _json(config, "the configuration")
    if not isinstance(config, dict) or not config:
        raise ConfigError("the configuration is no JSON object, or an empty one")
    return AuthConfig.model_validate(config)


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # Without the text, which may hold more than was meant to be there.
        raise ConfigError(f"{name} is a text and so read as JSON, which it is not") from None
