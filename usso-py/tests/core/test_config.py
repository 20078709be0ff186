"""Settings: where they come from, what is refused, and that no token changes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from client.loopback import Answer, Loopback, loopback
from core.tokens import ABSENT, AUDIENCE, ISSUER, Signer, refusal, signer

from usso import APIHeaderConfig, AuthConfig, ConfigError, HeaderConfig, JWTConfig, UssoAuth
from usso.config import JWTHeaderConfig, is_container

JWKS = "/.well-known/jwks.json"
VARIABLES = ("USSO_BASE_URL", "USSO_AUDIENCE", "JWT_CONFIG", "JWT_CONFIGS")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ed() -> Signer:
    return signer("EdDSA")


@pytest.fixture
def sso(ed: Signer) -> Iterator[Loopback]:
    with loopback() as server:
        server.routes[f"GET {JWKS}"] = Answer(200, ed.jwks)
        yield server


def url_of(auth: UssoAuth[Any]) -> list[str | None]:
    return [config.jwks_url for config in auth.jwt_configs]


# The environment.


def test_the_base_url_of_the_environment_names_issuer_and_keys(
    sso: Loopback, ed: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USSO_BASE_URL", sso.url + "/")
    monkeypatch.setenv("USSO_AUDIENCE", AUDIENCE)
    auth = UssoAuth()
    assert auth.verify(ed.mint(iss=sso.url)).iss == sso.url
    assert [seen.path for seen in sso.seen] == [JWKS]
    assert refusal(auth.verify, ed.mint(iss=sso.url, aud="other")) == "token.audience"


def test_one_configuration_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "JWT_CONFIG", json.dumps({"jwks_url": "https://a.example/k", "audience": "x"})
    )
    monkeypatch.setenv("USSO_BASE_URL", "https://b.example")
    assert url_of(UssoAuth()) == ["https://a.example/k"]
    assert AuthConfig().jwks_url == "https://a.example/k"


def test_several_configurations_of_the_environment_win(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [{"jwks_url": f"https://{name}.example/k", "audience": "x"} for name in "ab"]
    monkeypatch.setenv("JWT_CONFIGS", json.dumps(both))
    monkeypatch.setenv("JWT_CONFIG", json.dumps({"jwks_url": "https://c.example/k"}))
    assert url_of(UssoAuth()) == ["https://a.example/k", "https://b.example/k"]


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_CONFIGS", json.dumps([{"jwks_url": "https://a.example/k"}]))
    monkeypatch.setenv("USSO_AUDIENCE", AUDIENCE)
    auth = UssoAuth(from_usso_base_url="https://b.example")
    assert url_of(auth) == ["https://b.example" + JWKS]
    assert auth.from_usso_base_url == "https://b.example"


@pytest.mark.parametrize("name", ["JWT_CONFIG", "JWT_CONFIGS"])
@pytest.mark.parametrize("text", ["s3cret-text", "{", "7", '"s3cret-text"', "[" * 100_000])
def test_an_environment_that_is_no_json_object_is_an_error_that_names_it(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError) as caught:
        UssoAuth()
    assert "JSON" in str(caught.value) and "s3cret" not in str(caught.value)


@pytest.mark.parametrize("base_url", ["sso.example", "http://sso.example", "https://", "ftp://a.b"])
def test_a_base_url_that_is_not_safe_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        UssoAuth(AuthConfig(jwks_url=f"{base_url}/k", issuer=ISSUER, audience="x"))


# What is refused.


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"leewai": 5}, "leewai"),
        ({"jwks_cache": 5}, "jwks_cache"),
        ({"leeway": 121}, "leeway"),
        ({"leeway": -1}, "leeway"),
        ({"maximum_age": 0}, "maximum_age"),
        ({"issuer": ""}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"audience": ["a", ""]}, "audience"),
        ({"audience": []}, "audience"),
        ({"audience": None}, "audience"),
        ({"any_audience": True}, "any_audience"),
        ({"profile": "none"}, "profile"),
        ({"required_claims": ["colour"]}, "required_claims"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"verify_exp": False}, "verify_exp"),
        ({"verify_nbf": False}, "verify_nbf"),
        ({"verify_iss": False}, "verify_iss"),
        ({"verify_signature": False}, "verify_signature"),
        ({"verify_signature": 0}, "verify_signature"),
        ({"verify_aud": False}, "audience"),
        ({"static_api_keys": ["k"]}, "static_api_keys"),
        ({"allow_origins": ["app.example"]}, "allow_origin"),
        ({"public_url": "api"}, "public_url"),
        ({"realm": 'a"\r\nX: y'}, "realm"),
        ({"resource_metadata": "x y"}, "resource_metadata"),
        ({"jwt_header": {"cookie_name": "a b"}}, "cookie"),
        ({"jwt_header": {"header_name": "a b"}}, "header"),
        ({"jwt_header": {"headername": "x"}}, "headername"),
        ({"header": {"type": "Query"}}, "type"),
        ({"header": {"type": "CustomHeader", "name": "x", "prefix": "JWT"}}, "prefix"),
        ({"api_key_header": {"verify_endpoint": "nope"}}, "endpoint"),
        ({"api_key_header": {"verify_endpoint": "http://a.example/v"}}, "endpoint"),
        ({"jwks_url": "http://a.example/k", "jwks": None}, "jwks_url"),
        ({"jwks_url": "http://a.example/k", "jwks": None, "api_key_header": None}, "jwks_url"),
        ({"jwks_url": "a.example/k", "jwks": None, "api_key_header": None}, "jwks_url"),
        ({"key": signer("ES256").pem}, "jwks"),
        ({"jwks_url": "https://a.example/k"}, "jwks"),
        ({"jwks": {"keys": []}}, "jwks"),
        ({"jwks": None}, "jwks"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_setting_that_cannot_be_used_is_an_error_that_names_it(
    ed: Signer, settings: dict[str, Any], named: str
) -> None:
    usual = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": ed.jwks}
    with pytest.raises(ValueError, match="(?i)" + named):
        UssoAuth(AuthConfig(**{**usual, **settings}))


def test_a_key_prefix_that_cannot_be_used_is_an_error_that_names_it() -> None:
    header = APIHeaderConfig(prefixes=["ey"], verify_endpoint="https://a.example/v")
    with pytest.raises(ConfigError, match="prefix"):
        signer("EdDSA").auth(api_key_header=header)


@pytest.mark.parametrize("config", [5, b"{}", "text", '["a"]', '"a"', [], [5], ["x"], None])
def test_what_is_no_configuration_is_refused(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_CONFIG", "none of its business")
    with pytest.raises(ValueError):
        UssoAuth(config)


def test_an_error_shows_nothing_of_a_secret_that_was_put_in_the_wrong_place() -> None:
    for settings in ({"key": "s3cret"}, {"jwks": "s3cret"}, {"s3cret-name": 1, "key": "s3cret"}):
        with pytest.raises(ValueError) as caught:
            AuthConfig(issuer=ISSUER, audience=AUDIENCE, **settings)
        assert "'s3cret'" not in str(caught.value)


def test_a_configuration_never_changes(ed: Signer) -> None:
    config = ed.config()
    for name in ("issuer", "audience", "jwks_url", "jwks", "leeway"):
        with pytest.raises(ValueError, match="frozen"):
            setattr(config, name, "https://evil.example")


# Names of the documentation.


def test_documented_names_are_the_same_things() -> None:
    assert JWTConfig is AuthConfig
    from usso import USSOAuth
    from usso.auth import UssoAuth as Own

    assert USSOAuth is Own


def test_the_documented_configuration_is_accepted(ed: Signer) -> None:
    config = JWTConfig(
        key=ed.pem,
        issuer=ISSUER,
        audience=AUDIENCE,
        header=JWTHeaderConfig(type="Cookie", cookie_name="token"),
        verify_exp=True,
        verify_nbf=True,
        verify_iss=True,
        verify_aud=True,
        leeway=10,
    )
    assert config.jwt_header is not None
    assert (config.jwt_header.cookie_name, config.jwt_header.header_name) == ("token", None)
    assert config.leeway == 10
    assert UssoAuth(config).verify_token(ed.mint()).sub == "user:1"


def test_the_leeway_is_the_one_that_is_set(ed: Signer) -> None:
    auth = ed.auth(leeway=120)
    late = {"exp": _now() - 60}
    assert auth.verify(ed.mint(**late)).sub == "user:1"
    assert refusal(ed.auth(leeway=10).verify, ed.mint(**late)) == "token.expired"


def test_any_audience_has_to_be_said(ed: Signer) -> None:
    for settings in ({"any_audience": True}, {"verify_aud": False}):
        auth = UssoAuth(AuthConfig(jwks=ed.jwks, issuer=ISSUER, **settings))
        assert auth.verify(ed.mint(aud="anybody")).sub == "user:1"


def test_a_maximum_age_is_kept(ed: Signer) -> None:
    auth = ed.auth(maximum_age=60, leeway=0)
    assert auth.verify(ed.mint()).sub == "user:1"
    assert refusal(auth.verify, ed.mint(iat=_now() - 90)) == "token.too_old"
    assert refusal(auth.verify, ed.mint(iat=ABSENT)) == "token.claim_missing"


def test_required_claims_are_required(ed: Signer) -> None:
    auth = ed.auth(required_claims=["tenant_id"])
    assert auth.verify(ed.mint(tenant_id="o")).sub == "user:1"
    assert refusal(auth.verify, ed.mint()) == "token.claim_missing"


# S5: the issuer never picks the keys.


STRANGE_ISSUERS = [
    *("https://evil.example", "https://evil.example&x=1", "http://169.254.169.254/", "file:///etc"),
    *("//evil.example", "", "https://sso.example@evil.example", "https://tenant-b.sso.example"),
]


@pytest.mark.parametrize("iss", STRANGE_ISSUERS)
def test_s5_a_token_of_another_issuer_causes_no_request(
    sso: Loopback, ed: Signer, iss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USSO_BASE_URL", sso.url)
    monkeypatch.setenv("USSO_AUDIENCE", AUDIENCE)
    auth = UssoAuth()
    before = auth.jwt_configs[0].model_dump_json()
    assert refusal(auth.verify, ed.mint(iss=iss)) == "token.unknown_issuer"
    assert sso.seen == []
    assert auth.jwt_configs[0].model_dump_json() == before
    assert auth.verify(ed.mint(iss=sso.url)).sub == "user:1"
    assert [seen.path for seen in sso.seen] == [JWKS]


def test_s5_the_keys_of_one_issuer_do_not_sign_for_another(ed: Signer) -> None:
    other = signer("EdDSA", number=1)
    auth = UssoAuth([ed.config(), other.config(issuer="https://b.example")])
    assert auth.verify(ed.mint()).iss == ISSUER
    assert auth.verify(other.mint(iss="https://b.example")).iss == "https://b.example"
    assert refusal(auth.verify, other.mint()) == "token.signature"
    assert refusal(auth.verify, ed.mint(iss="https://b.example")) == "token.signature"


def test_s5_the_audience_of_one_issuer_is_not_that_of_another(ed: Signer) -> None:
    other = signer("EdDSA", number=1)
    auth = UssoAuth(
        [ed.config(audience="a"), other.config(issuer="https://b.example", audience="b")]
    )
    assert auth.verify(ed.mint(aud="a")).sub == "user:1"
    assert refusal(auth.verify, ed.mint(aud="b")) == "token.audience"
    assert refusal(auth.verify, other.mint(iss="https://b.example", aud="a")) == "token.audience"


# Several.


def test_configurations_are_objects_dicts_and_json(ed: Signer) -> None:
    plain = {"jwks": ed.jwks, "issuer": ISSUER, "audience": AUDIENCE}
    for config in (
        ed.config(),
        plain,
        json.dumps(plain),
        [ed.config()],
        [plain],
        [json.dumps(plain)],
    ):
        assert UssoAuth(config).verify(ed.mint()).sub == "user:1"  # type: ignore[arg-type]


def test_one_configuration_may_name_several_issuers(ed: Signer) -> None:
    auth = ed.auth(issuer=[ISSUER, "https://b.example"])
    assert auth.verify(ed.mint(iss="https://b.example")).iss == "https://b.example"
    assert refusal(auth.verify, ed.mint(iss="https://c.example")) == "token.unknown_issuer"


@pytest.mark.parametrize(
    "changes", [{}, {"leeway": 5}, {"realm": "b"}, {"public_url": "https://b.c"}]
)
def test_configurations_that_contradict_are_refused(ed: Signer, changes: dict[str, Any]) -> None:
    issuer = "https://b.example" if changes else ISSUER
    with pytest.raises(ConfigError, match=r"twice|disagree"):
        UssoAuth([ed.config(), ed.config(issuer=issuer, **changes)])


# Where the keys are.


@pytest.mark.parametrize("url", ["http://usso:8000/k", "http://usso/k", "http://127.0.0.1:1/k"])
def test_containers_and_this_machine_are_reached_without_tls(url: str) -> None:
    assert url_of(UssoAuth(AuthConfig(jwks_url=url, audience="x"))) == [url]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://sso.example/k",
            "http://192.168.1.1/k",
            "http://[2001:db8::1]/k",
            "http://10.0.0.1/",
        ),
        *("http://134744072/k", "http://0x08080808/k", "http://01002004010/k"),
    ],
)
def test_no_other_host_is(url: str) -> None:
    assert not is_container(url)
    with pytest.raises(ValueError):
        UssoAuth(AuthConfig(jwks_url=url, issuer=ISSUER, audience="x", api_key_header=None))


def test_no_other_host_is_unless_it_is_said_aloud() -> None:
    config = AuthConfig(jwks_url="http://sso.example/k", audience="x", danger_allow_http=True)
    assert url_of(UssoAuth(config)) == ["http://sso.example/k"]


def test_credentials_are_where_the_headers_say() -> None:
    request = SimpleNamespace(
        headers={"x-token": "t", "authorization": "Basic dTpw", "x-api-key": "k"},
        cookies={"usso-access-token": "c"},
    )
    config = AuthConfig(jwks_url="https://a.example/k", audience="x")
    assert (config.get_jwt(request), config.get_api_key(request)) == ("c", "k")
    own = AuthConfig(
        jwks_url="https://a.example/k", audience="x", jwt_header=HeaderConfig(header_name="x-token")
    )
    assert own.get_jwt(request) == "t"


def _now() -> int:
    import time

    return int(time.time())
