"""An issuer for an app's own tests: it mints tokens, rotates keys, goes down and answers slowly.

```python
def test_me(usso_issuer):  # a fixture of the pytest plugin
    app = make_app(usso_issuer.config())
    answer = app.get("/me", headers=usso_issuer.authorization("user:alice", scopes=["read:me"]))
    assert answer.status_code == 200
```
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usso._native import TestIssuer
    from usso.config import AuthConfig
    from usso.testing._server import Server

__all__ = ["Issuer"]


class Issuer:
    """An issuer in memory. Its tokens are for `audience`, and good for 15 minutes.

    Raises `ValueError` if there is no such algorithm.
    """

    def __init__(
        self,
        name: str = "https://sso.example",
        audience: str = "https://api.example",
        algorithm: str = "EdDSA",
    ) -> None:
        from usso import _native

        self.name = name
        """What tokens say in `iss`. While it is served: the address of the server."""
        self.audience = audience
        self.native: TestIssuer = _native.TestIssuer(name, algorithm)
        self._kids = [self.native.kid]
        self._server: Server | None = None

    def __repr__(self) -> str:
        return f"Issuer({self.name!r})"

    @property
    def kid(self) -> str:
        """The name of the key that signs."""
        return self._kids[-1]

    def mint(
        self,
        subject: str = "user:1",
        *,
        audience: str | Sequence[str] | None = None,
        scopes: Sequence[str] | None = None,
        roles: Sequence[str] | None = None,
        tenant_id: str | None = None,
        workspace_id: str | None = None,
        expires_in: float | None = None,
        header: Mapping[str, Any] | None = None,
        kid: str | None = None,
        **claims: Any,
    ) -> str:
        """Signs a token.

        `expires_in` is in seconds. A claim in `claims` that is `None` is left out, as in
        `mint(aud=None)`. `kid` names the key to sign with, which may be a revoked one.

        Raises `ValueError` if the issuer never had that key.
        """
        if kid is not None and kid not in self._kids:
            raise ValueError(f"the issuer never had the key {kid!r}")
        to = self.audience if audience is None else audience
        known: dict[str, Any] = {
            "scopes": scopes,
            "roles": roles,
            "tenant_id": tenant_id,
            "workspace_id": workspace_id,
            "exp": None if expires_in is None else int(time.time() + expires_in),
        }
        payload: dict[str, Any] = {
            "iss": self.name,
            "sub": subject,
            "aud": to if isinstance(to, str) else list(to),
            **{
                name: value if isinstance(value, (str, int)) else list(value)
                for name, value in known.items()
                if value is not None
            },
            **claims,
        }
        return self.native.mint(json.dumps(payload), json.dumps(dict(header or {})), kid)

    def authorization(self, subject: str = "user:1", **options: Any) -> dict[str, str]:
        """Gives the headers of a request with a new token; takes what `mint` takes."""
        return {"Authorization": f"Bearer {self.mint(subject, **options)}"}

    def expired(self, subject: str = "user:1", **options: Any) -> str:
        """Signs a token that expired an hour ago; takes what `mint` takes."""
        now = int(time.time())
        times: dict[str, Any] = {"iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}
        return self.mint(subject, **(times | options))

    def jwks(self) -> dict[str, Any]:
        """Gives the published keys."""
        return self.native.jwks()

    def rotate(self) -> str:
        """Publishes a new key beside the others, signs with it from now on, and gives its name.

        A configuration made before holds the keys of then, unless it was made while served: then
        its verifier fetches them anew, though at most once in some 30 seconds for unknown keys.
        """
        self._kids.append(self.native.rotate())
        return self.kid

    def revoke(self, kid: str) -> None:
        """Takes a key back: it is published no more."""
        self.native.revoke(kid)

    def config(self, **settings: Any) -> AuthConfig:
        """Gives the configuration of an app that trusts this issuer, with `settings` on top.

        It has a copy of the keys and needs no network; made while served, it fetches them.
        """
        from usso.config import AuthConfig

        keys = {"jwks": self.jwks()} if self._server is None else {"jwks_url": self.jwks_url}
        given = {**keys, "issuer": self.name, "audience": self.audience, **settings}
        return AuthConfig.model_validate(given)

    @property
    def jwks_url(self) -> str:
        """The address of the keys."""
        return f"{self.name}/.well-known/jwks.json"

    @contextmanager
    def serve(self) -> Generator[Issuer, None, None]:
        """Serves the keys and the discovery document on a free port of 127.0.0.1, in a thread.

        Meanwhile `name` is the address of the server, and `fetches`, `slow`, `outage`, `answer` and
        `recover` are about it.
        """
        from usso.testing._server import Server

        if self._server is not None:
            raise RuntimeError("the issuer is served already")
        name = self.name
        server = Server(self._document)
        try:
            self.name, self._server = server.url, server
            server.start()
            yield self
        finally:
            self.name, self._server = name, None
            server.stop()

    def _document(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/jwks.json":
            return self.jwks()
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.name, "jwks_uri": self.jwks_url}
        return None

    @property
    def fetches(self) -> int:
        """How often the keys were asked for, also without an answer."""
        return self._served.fetches

    def wait_for_fetch(self, number: int = 1, seconds: float = 10) -> None:
        """Waits until the keys were asked for this often. Raises `TimeoutError`."""
        self._served.wait_for(number, seconds)

    def slow(self, seconds: float) -> None:
        """Answers after this time from now on, or as soon as `recover` is called."""
        self._served.change(delay=seconds)

    def outage(self) -> None:
        """Closes connections without an answer from now on."""
        self._served.change(down=True)

    def answer(
        self,
        status: int = 200,
        body: str | bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answers every request with this from now on; without a `body`, with the usual one."""
        self._served.change(status=status, body=body, headers=headers)

    def recover(self) -> None:
        """Answers as it should from now on, and at once to those who wait."""
        self._served.change()

    @property
    def _served(self) -> Server:
        if self._server is None:
            raise RuntimeError("the issuer is not served: use it inside `with issuer.serve():`")
        return self._server
