"""The verifier, in Rust. Everything here is safe to use from several threads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, final

_T = TypeVar("_T")

@final
class Claims:
    """Who is calling: the claims of a token that was found good. Never changes."""

    @property
    def sub(self) -> str: ...
    @property
    def iss(self) -> str: ...
    @property
    def exp(self) -> int: ...
    @property
    def algorithm(self) -> str | None: ...
    @property
    def kid(self) -> str | None: ...
    def json(self) -> str:
        """Gives the claim set as the issuer wrote it."""
    def to_dict(self) -> dict[str, Any]:
        """Gives the claim set as the issuer wrote it, each time anew."""
    @property
    def fresh(self) -> bool:
        """Whether it was verified from its signature on, not remembered."""
    def user_data(self, model: type[_T], kinds: Mapping[str, object]) -> _T:
        """Fills a `UserData` without validating again; `kinds` gives the values of `token_type`."""
    def can(
        self,
        action: str,
        path: str,
        filters: Sequence[Mapping[str, str]] = ...,
    ) -> bool:
        """Says whether a scope allows the action on the path."""

@final
class Refusal:
    """Why a request is refused."""

    @property
    def code(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def challenge(self) -> str | None:
        """The value of `WWW-Authenticate`, if there is one."""
    @staticmethod
    def missing() -> Refusal:
        """There is no credential."""
    @staticmethod
    def scope(scope: str) -> Refusal:
        """The caller lacks a scope."""
    @staticmethod
    def claims() -> Refusal:
        """The claims of a good token are not what the app reads."""
    @staticmethod
    def unavailable() -> Refusal:
        """Nobody can tell at present."""

@final
class Fetch:
    """Send this, and give what came of it to `Verifier.fetched` or `Verifier.failed`."""

    @property
    def number(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def body(self) -> bytes | None:
        """`None` for GET, otherwise POST."""
    @property
    def max_body_bytes(self) -> int: ...

@final
class Wait:
    """Somebody else sends the request of this number; ask again when it is done."""

    @property
    def number(self) -> int: ...

@final
class LookUp:
    """Look this API key up in the app, and give what came of it to `Verifier.looked_up`."""

    @property
    def number(self) -> int: ...
    @property
    def key(self) -> str: ...

@final
class Request:
    """What of an HTTP request is looked at. `headers` in the order sent, each line by itself."""

    def __new__(
        cls,
        method: str,
        target: str,
        headers: Iterable[tuple[str | bytes, str | bytes]],
        authority: str | None = None,
    ) -> Request: ...

@final
class Rule:
    """What a route needs of its caller; all of it must be there."""

    def __new__(
        cls,
        *,
        scopes: Sequence[str] = (),
        roles: Sequence[str] = (),
        tenant: str | None = None,
        workspace: str | None = None,
        service: bool = False,
        max_age: int | None = None,
        acr: Sequence[str] = (),
    ) -> Rule:
        """Raises `ValueError` if a scope is not one."""

@final
class Verifier:
    """A verifier that is driven from outside: it performs no I/O."""

    def __new__(cls, config: str) -> Verifier:
        """Reads the configuration, in JSON. Raises `ValueError`, whose message names the member."""
    def verify(
        self,
        token: str | bytes,
        *,
        fetched: bool = False,
        tenant: str | None = None,
        nonce: str | None = None,
        api_key: bool = False,
    ) -> Claims | Refusal | Fetch | Wait | LookUp:
        """Verifies a token. `fetched`: what was wanted is there now, or could not be had."""
    def authenticate(
        self, request: Request, *, fetched: bool = False
    ) -> Claims | Refusal | Fetch | Wait | LookUp | None:
        """Verifies the credential of a request; `None` if there is none."""
    def fetched(
        self, number: int, status: int, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Fetch | None:
        """Takes an answer in; what it gives is to be sent next, under the same number."""
    def failed(
        self, number: int, reason: Literal["failed", "refused", "timed_out", "too_large"]
    ) -> Fetch | None:
        """Takes in that there is no answer."""
    def looked_up(self, number: int, claims: str | None, *, failed: bool = False) -> None:
        """Takes in the claims of an API key, as a JSON object; `None` if there is no such key."""
    def is_under_way(self, number: int) -> bool: ...
    def due(self) -> list[Fetch]:
        """Gives the requests that should be sent ahead of time."""
    def check(
        self, claims: Claims | None, rule: Rule, parameters: Mapping[str, str]
    ) -> Refusal | None:
        """Requires what a rule asks for, of a caller."""
    def answer(
        self, refusal: Refusal, request: Request | None
    ) -> tuple[int, list[tuple[str, str]], str]:
        """Gives status, headers and body of the answer to a refused request."""
    def response_headers(self, request: Request, optional: bool) -> list[tuple[str, str]]:
        """Gives the headers to add to the answer to a request that was let in."""
    def clear_cache(self) -> None:
        """Forgets every token that was verified before."""
    def cached_tokens(self) -> int: ...

# Scopes. `anchored`: paths are compared from the left, segment by segment.

def parse_scope(scope: str) -> tuple[str, str, dict[str, str]]:
    """Gives action, path and filters. Raises `ValueError`."""

def path_matches(granted: str, requested: str, anchored: bool = False) -> bool: ...
def check_access(
    granted: Sequence[str],
    path: str,
    action: str,
    filters: Sequence[Mapping[str, str]] = (),
    anchored: bool = False,
) -> bool: ...
def explain_access(
    granted: Sequence[str],
    path: str,
    action: str,
    filters: Sequence[Mapping[str, str]] = (),
    anchored: bool = False,
) -> str: ...
def scope_filters(
    granted: Sequence[str], path: str, action: str, anchored: bool = False
) -> list[dict[str, str]] | None:
    """Gives the filters that apply: `[]` without a limit, `None` if nothing is granted."""

def is_subset_scope(child: str, parent: str, anchored: bool = False) -> bool: ...
def has_subset_scope(child: str, granted: Sequence[str], anchored: bool = False) -> bool: ...
def common_scopes(a: Sequence[str], b: Sequence[str], anchored: bool = False) -> list[str]: ...
def owner_allows(
    user_id: str,
    own: str | None,
    workspace_id: str | None,
    workspace_action: str | None,
    action: str,
    resource: Mapping[str, str],
) -> bool: ...
def action_level(action: str) -> int | None:
    """Gives the level of an action, 0 to 100; `None` if it is no known one."""

# Keys and tokens. Keys in PEM are `PUBLIC KEY` and `PRIVATE KEY` (PKCS #8); DER is taken, too.

def public_jwk(key: str | bytes, algorithm: str | None = None) -> dict[str, str]:
    """Gives the public key of a PEM or DER, public or private, as a JWK. Raises `ValueError`."""

def check_jwk(jwk: str) -> str:
    """Gives the RFC 7638 thumbprint of a usable public key in JSON. Raises `ValueError`."""

def spki_kid(key: str | bytes) -> str:
    """Gives the SHA-256 of the key's SPKI DER, in hex: how USSO names keys."""

def sign(algorithm: str, private_key: str | bytes, message: bytes) -> bytes:
    """Signs as JWS does, with EdDSA, ES256, ES384, RS256 and the like. Raises `ValueError`."""

def verify_signature(jwk: str, message: bytes, signature: bytes) -> bool:
    """Says whether the signature is the key's. Raises `ValueError` if the key is none."""

def decode_unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gives header and claims, for which nothing vouches. Raises `ValueError`."""

@final
class TestIssuer:
    """An issuer in memory, for tests. It issues at the time it is."""

    def __new__(cls, name: str, algorithm: str = "EdDSA") -> TestIssuer: ...
    @property
    def name(self) -> str: ...
    @property
    def kid(self) -> str: ...
    def jwks(self) -> dict[str, Any]: ...
    def rotate(self) -> str: ...
    def revoke(self, kid: str) -> None: ...
    def mint(self, claims: str, header: str = "{}", kid: str | None = None) -> str:
        """Signs a token. `claims` and `header` are objects in JSON; `null` leaves a claim out."""

@final
class RequestCase:
    """A request of the table that every framework's tests run, and what its answer must be."""

    @property
    def name(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    def check(self, status: int, challenges: Sequence[str], body: str) -> str | None:
        """Gives what is different, in words; `None` if nothing is."""

def request_table(issuer: TestIssuer) -> list[RequestCase]: ...
