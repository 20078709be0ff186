"""Verification beside that of other packages: processor time of one thread, in microseconds.

The peers take turns, batch by batch, and another one begins each round, so that what else the
machine does hits all of them. Every peer has its key at hand and checks the signature, `exp`, `iss`
and `aud`, all of them required (`exp` and `iss` but where they are by the published package, which
has no such setting); the tokens of a batch are different ones, except in the table of
remembered tokens.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import published

PUBLISHED_AUTH, PUBLISHED_CONFIG = published.load()

from keys import ALGORITHMS, AUDIENCE, ISSUER, Key  # noqa: E402

from usso import AuthConfig, UserData, UssoAuth  # noqa: E402
from usso._verifier import Verifier  # noqa: E402

Verify = Callable[[str], Any]
ROUNDS, BATCH = 120, 64
HOT_ROUNDS, HOT_BATCH = 120, 4096
BARS = {"EdDSA": 40.0, "ES256": 55.0, "RS256": 20.0}
HOT_BAR = 0.5


def cold_verifier(key: Key) -> Verifier:
    """One that remembers no token. Apps cannot ask for that: there is no such setting."""
    issuer = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": {"keys": [key.jwk]}}
    settings = {"issuers": [{**issuer, "profile": "usso_legacy"}], "token_cache": {"entries": 0}}
    return Verifier(settings)


def usso_auth(key: Key) -> UssoAuth[UserData]:
    return UssoAuth(AuthConfig(jwks={"keys": [key.jwk]}, issuer=ISSUER, audience=AUDIENCE))


def with_user_data(key: Key, verifier: Verifier) -> Verify:
    auth = usso_auth(key)
    auth._verifiers["access"] = verifier
    return auth.user_data_from_token


def of_pyjwt(key: Key) -> Verify:
    import jwt

    public, required = key.private.public_key(), {"require": ["exp", "iss", "aud"]}
    return lambda token: jwt.decode(
        token,
        public,
        algorithms=[key.algorithm],
        issuer=ISSUER,
        audience=AUDIENCE,
        options=required,
    )


def of_joserfc(key: Key) -> Verify:
    from joserfc import jwt
    from joserfc.jwk import import_key

    jwk = import_key(key.jwk)
    claims = jwt.JWTClaimsRegistry(
        exp={"essential": True},
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
    )

    def verify(token: str) -> Any:
        decoded = jwt.decode(token, jwk, algorithms=[key.algorithm])
        claims.validate(decoded.claims)
        return decoded.claims

    return verify


def of_authlib(key: Key) -> Verify:
    with warnings.catch_warnings(record=True):  # It makes itself heard whatever the filter.
        from authlib.jose import JsonWebKey, JsonWebToken
    jwt, jwk = JsonWebToken([key.algorithm]), JsonWebKey.import_key(key.jwk)
    options = {
        "exp": {"essential": True},
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
    }

    def verify(token: str) -> Any:
        claims = jwt.decode(token, jwk, claims_options=options)
        claims.validate()
        return claims

    return verify


def of_published(key: Key) -> Verify:
    config = PUBLISHED_CONFIG.AuthConfig(key=key.jwk, issuer=ISSUER, audience=AUDIENCE)
    return PUBLISHED_AUTH.UssoAuth(jwt_config=config).user_data_from_token


def peers(key: Key) -> dict[str, Verify]:
    verifier = cold_verifier(key)
    return {
        "usso, `Claims`": verifier.verify,
        "usso, `UserData`": with_user_data(key, verifier),
        f"PyJWT {version('PyJWT')}": of_pyjwt(key),
        f"joserfc {version('joserfc')}": of_joserfc(key),
        f"Authlib {version('Authlib')}": of_authlib(key),
        "usso 0.33.5 (published)": of_published(key),
    }


def check(name: str, verify: Verify, key: Key) -> None:
    """Stops at a peer that accepts what it should not: it would do less than the others."""
    other, elsewhere = Key.generate(key.algorithm), "https://other.example"
    bad = [other.token(0), key.token(0, iss=elsewhere), key.token(0, aud=elsewhere)]
    for token in [*bad, key.token(0)[:-8] + "AAAAAAAA"]:
        try:
            verify(token)
        except Exception:
            continue
        raise SystemExit(f"{name} accepts a token that is not good")


def measure(subjects: dict[str, Verify], tokens: list[str], rounds: int) -> dict[str, list[float]]:
    """Gives for each subject the time of a call in every batch, in microseconds."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for verify in subjects.values():
        for token in tokens[:64]:
            verify(token)
    gc.collect()
    gc.disable()
    turns = list(subjects.items())
    for _ in range(rounds):
        turns.append(turns.pop(0))
        for name, verify in turns:
            started = time.thread_time_ns()
            for token in tokens:
                verify(token)
            times[name].append((time.thread_time_ns() - started) / len(tokens) / 1000)
        gc.collect()
    gc.enable()
    return times


def tenth(times: list[float]) -> float:
    return statistics.quantiles(times, n=10)[0]


def table(title: str, times: dict[str, list[float]], bars: dict[str, float]) -> None:
    """Prints a table; the ratio is that of the medians, to the first line."""
    base = statistics.median(next(iter(times.values())))
    print(f"\n### {title}\n\n| | p10, µs | median, µs | times the first | bar |")
    print("| --- | ---: | ---: | ---: | --- |")
    for name, batches in times.items():
        median = statistics.median(batches)
        bar = bars.get(name)
        verdict = "" if bar is None else f"{bar:g} µs: {'met' if median <= bar else 'missed'}"
        digits = 3 if median < 10 else 1
        row = f"{tenth(batches):.{digits}f} | {median:.{digits}f} | {median / base:.2f} | {verdict}"
        print(f"| {name} | {row} |")


def main() -> None:
    python = sys.version.partition(" ")[0]
    print(f"## Verification in Python {python}\n\ncryptography {version('cryptography')},", end=" ")
    print(f"pydantic {version('pydantic')}; {ROUNDS} rounds of {BATCH} tokens for each peer.")
    pyjwt: list[float] = []
    for algorithm in ALGORITHMS:
        key = Key.generate(algorithm)
        subjects = peers(key)
        # One peer warns of something at every call; nobody has to print it.
        warnings.simplefilter("ignore")
        for name, verify in subjects.items():
            check(name, verify, key)
        times = measure(subjects, [key.token(number) for number in range(BATCH)], ROUNDS)
        bar = {"usso, `Claims`": BARS[algorithm]}
        table(f"{algorithm}, every token for the first time", times, bar)
        pyjwt = pyjwt or next(batches for name, batches in times.items() if "PyJWT" in name)
    key = Key.generate("EdDSA")
    auth = usso_auth(key)
    hot: dict[str, Verify] = {
        "usso, `Claims`": auth.verify,
        "usso, `UserData`": auth.user_data_from_token,
    }
    times = measure(hot, [key.token(0)] * HOT_BATCH, HOT_ROUNDS)
    times["PyJWT, which remembers nothing"] = pyjwt
    table("EdDSA, a token that is remembered", times, {"usso, `Claims`": HOT_BAR})


if __name__ == "__main__":
    main()
