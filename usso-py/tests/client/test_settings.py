"""What a client is made from, and which base URLs are safe."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from usso.client import AsyncUssoClient, UssoClient
from usso.utils import wire

KINDS = pytest.mark.parametrize("kind", [UssoClient, AsyncUssoClient])


@KINDS
def test_the_environment_is_read_when_the_client_is_made(kind, monkeypatch):
    monkeypatch.setenv("USSO_BASE_URL", "https://env.example/")
    monkeypatch.setenv("USSO_API_KEY", "k-env")
    client = kind()
    assert (client.usso_base_url, client.api_key) == ("https://env.example", "k-env")
    assert str(client.base_url) == "https://env.example"


@KINDS
def test_an_argument_wins_over_the_environment(kind, monkeypatch):
    monkeypatch.setenv("USSO_BASE_URL", "https://env.example")
    monkeypatch.setenv("USSO_API_KEY", "k-env")
    client = kind(api_key="k", usso_base_url="https://arg.example")
    assert (client.usso_base_url, client.api_key) == ("https://arg.example", "k")


def test_without_any_setting_the_public_sso_is_used():
    assert UssoClient(api_key="k").usso_base_url == "https://sso.usso.io"


def test_a_refresh_token_that_is_given_wins_over_an_api_key_of_the_environment(monkeypatch):
    monkeypatch.setenv("USSO_API_KEY", "k-env")
    client = UssoClient(refresh_token="r")
    assert (client.api_key, client.refresh_token) == (None, "r")


def test_the_refresh_token_of_the_environment_is_used(monkeypatch):
    monkeypatch.setenv("USSO_REFRESH_TOKEN", "r-env")
    assert UssoClient().refresh_token == "r-env"


def test_the_agent_of_the_environment_is_used(monkeypatch):
    monkeypatch.setenv("AGENT_ID", "agent")
    monkeypatch.setenv("AGENT_PRIVATE_KEY", "pem")
    client = UssoClient()
    assert (client.agent_id, client.agent_private_key) == ("agent", "pem")


@KINDS
def test_a_client_without_a_credential_is_not_made(kind):
    with pytest.raises(ValueError, match="one of api_key, refresh_token and agent_private_key"):
        kind()


def test_the_refresh_url_belongs_to_the_base_url():
    client = UssoClient(api_key="k", usso_base_url="https://sso.example/t/one/")
    assert client.usso_refresh_url == "https://sso.example/t/one/api/sso/v1/auth/refresh"


@KINDS
def test_timeouts_are_bounded_unless_chosen(kind):
    timeout = kind(api_key="k").timeout
    assert (timeout.connect, timeout.read, timeout.write, timeout.pool) == (5, 15, 15, 5)
    assert kind(api_key="k", timeout=60).timeout == httpx.Timeout(60)


@pytest.mark.parametrize(
    "url",
    [
        "https://sso.example",
        "https://sso.example:8443/t/tenant",
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://127.1.2.3",
        "http://[::1]:8000",
        "http://usso",
        "http://usso-server_1:8000",
    ],
)
def test_a_safe_base_url_is_taken(url):
    assert wire.base_url(f" {url}/ ") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://sso.example",
        "http://192.168.0.7",
        "http://[2001:db8::1]",
        "http://134744072",
        "http://0x08080808",
        "http://8.8",
        "http://localhost.example",
        "http://localhost.",
        "http://usso。example",
        "http://usso%2eexample",
        "http://us%73o",
        "ftp://sso.example",
        "sso.example",
        "//sso.example",
        "https://",
        "https:///path",
        "https://user@sso.example",
        "https://user:password@sso.example",
        "https://sso.example?x=1",
        "https://sso.example#x",
        "https://sso.example/\r\nx",
        "https://[sso.example",
        "javascript:alert(1)",
    ],
)
@KINDS
def test_an_unsafe_base_url_is_refused(kind, url):
    with pytest.raises(ValueError, match="base URL"):
        kind(api_key="k", usso_base_url=url)


@KINDS
def test_http_to_anywhere_is_allowed_and_logged_if_asked_for(kind, caplog):
    client = kind(api_key="k", usso_base_url="http://sso.example", danger_allow_http=True)
    assert client.usso_base_url == "http://sso.example"
    assert "danger_allow_http" in caplog.text


@KINDS
def test_a_copy_takes_over_headers_and_keeps_its_own(kind):
    first = kind(api_key="k", usso_base_url="https://one.example", headers={"a": "1", "b": "1"})
    copy = kind(client=first, headers={"b": "2"})
    assert (copy.headers["a"], copy.headers["b"]) == ("1", "2")
    assert (copy.api_key, copy.usso_base_url) == ("k", "https://one.example")


def test_the_helpers_of_agents_do_not_import_httpx():
    program = "import sys, usso.utils, usso.scope_catalog; sys.exit('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


def test_http_does_not_pass_a_proxy_of_the_environment(make, sso, stranger, monkeypatch):
    monkeypatch.setenv("http_proxy", stranger.url)
    monkeypatch.setenv("no_proxy", "")
    make(api_key="k", usso_base_url=sso.url).get("/thing")
    assert (len(sso.seen), stranger.seen) == (1, [])


def test_http_beside_an_sso_with_https_does_not_pass_one_either(make, sso, stranger, monkeypatch):
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, stranger.url)
    monkeypatch.setenv("no_proxy", "")
    make(api_key="k", usso_base_url="https://sso.example").get(f"{sso.url}/thing")
    assert (len(sso.seen), stranger.seen) == (1, [])


@pytest.mark.parametrize("chosen", ["argument", "mount"])
def test_a_proxy_that_was_chosen_is_used(sso, stranger, chosen):
    through = httpx.HTTPTransport(proxy=stranger.url)
    settings = {"argument": {"proxy": stranger.url}, "mount": {"mounts": {"http://": through}}}
    with UssoClient(api_key="k", usso_base_url=sso.url, **settings[chosen]) as client:
        client.get("/thing")
    assert (sso.seen, len(stranger.seen)) == ([], 1)


@pytest.mark.parametrize(
    "proxy", ["http://user:hunt/er2@proxy:80", "gopher://user:12/hunter2@proxy:80"]
)
@pytest.mark.parametrize("chosen", [False, True])
@KINDS
def test_the_password_of_a_proxy_is_in_no_error(kind, chosen, proxy, monkeypatch):
    if not chosen:
        monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(ValueError, match="the address of a proxy") as raised:
        kind(api_key="k", **({"proxy": proxy} if chosen else {}))
    assert "hunt" not in f"{raised.value!r} {raised.value.__context__!r}"


@KINDS
def test_no_proxy_is_looked_at_that_is_not_used(kind, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:hunt/er2@proxy:80")
    kind(api_key="k", transport=httpx.MockTransport(lambda request: httpx.Response(200)))
    kind(api_key="k", usso_base_url="http://localhost")
    kind(api_key="k", trust_env=False)
    monkeypatch.setenv("no_proxy", "*")
    kind(api_key="k")


@KINDS
def test_a_base_url_under_its_name_in_httpx_is_an_error_that_says_so(kind):
    with pytest.raises(TypeError, match="write `usso_base_url`"):
        kind(api_key="k", base_url="https://sso.example")


@KINDS
@pytest.mark.parametrize("name", ["api_key", "refresh_token"])
def test_a_credential_loses_the_white_space_around_it(kind, name):
    assert getattr(kind(**{name: " secret\n"}), name) == "secret"


@pytest.mark.parametrize("bad", ["se\ncret", "se cret", "se\x00cret", "secrét", "s" * 20_000, " "])
@pytest.mark.parametrize("name", ["api_key", "refresh_token"])
@KINDS
def test_a_credential_that_no_header_carries_is_refused_and_not_shown(kind, name, bad):
    with pytest.raises(ValueError, match=f"^{name} is empty, too long or has characters") as raised:
        kind(**{name: bad})
    assert "cr" not in str(raised.value).removeprefix(name).replace("characters", "")
