"""An answer that never ends is given up on."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from client.loopback import API, Answer

from usso.utils import get_agent_token, get_agent_token_async, wire

DRIP = Answer(200, (b" ",))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(wire, "TOTAL_SECONDS", 0.2)


def test_a_request_ends_after_its_time(make, sso):
    sso.routes["GET /thing"] = DRIP
    with pytest.raises(httpx.ReadTimeout):
        make(api_key="k", usso_base_url=sso.url).get("/thing")


def test_a_refresh_ends_after_its_time_and_keeps_the_token(make, sso):
    sso.routes[f"POST {API}/auth/refresh"] = DRIP
    client = make(refresh_token="r0", usso_base_url=sso.url)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/thing")
    assert client.refresh_token == "r0"


def test_the_exchange_of_an_agent_ends_after_its_time(sso):
    sso.routes[f"POST {API}/agents/auth"] = DRIP
    with pytest.raises(httpx.ReadTimeout):
        get_agent_token("the.agent.jwt", sso.url)
    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(get_agent_token_async("the.agent.jwt", sso.url))


def test_a_timeout_that_was_chosen_is_the_only_one(make, sso, monkeypatch):
    monkeypatch.setattr(wire, "TOTAL_SECONDS", -1.0)
    client = make(api_key="k", usso_base_url=sso.url, timeout=10)
    assert client.get("/thing").status_code == 200


def test_a_request_that_was_built_by_hand_ends_after_its_time(make, sso):
    sso.routes["GET /thing"] = DRIP
    with pytest.raises(httpx.ReadTimeout):
        make(api_key="k", usso_base_url=sso.url).send(httpx.Request("GET", f"{sso.url}/thing"))
