"""A forked process does not hang, and does not take its parent's refresh or answers."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from client.forked import SOON, Child
from client.loopback import API, Answer, Loopback, rotating

from usso.client import UssoClient

REFRESH = f"{API}/auth/refresh"


def in_child(client, *paths: str) -> list[str]:
    """Sends requests from a forked process, which has no event loop running; gives the outcomes."""
    real = getattr(client, "client", client)

    async def ask_all() -> list[str]:
        said: list[str] = []
        for path in paths:
            try:
                answer = real.get(path)
                answer = await answer if inspect.iscoroutine(answer) else answer
                said.append(str(answer.status_code))
            except Exception as error:
                said.append(getattr(error, "error_code", type(error).__name__))
        return said

    return asyncio.run(ask_all())


def refreshes(server: Loopback) -> list[str]:
    return [seen.json()["refresh_token"] for seen in server.to(REFRESH)]


@contextmanager
def refreshing(client, server: Loopback, then: Answer) -> Iterator[None]:
    """Has a thread refresh during the block; other refreshes get the answer at once."""
    arrived, over = threading.Event(), threading.Event()

    def refresh(seen) -> Answer:
        if arrived.is_set():
            return then
        arrived.set()
        assert over.wait(3 * SOON)
        return Answer(200, {"access_token": "a1", "refresh_token": "r1", "expires_in": 900})

    server.routes[f"POST {REFRESH}"] = refresh
    thread = threading.Thread(target=client.get, args=("/thing",))
    thread.start()
    try:
        assert arrived.wait(SOON)
        yield
    finally:
        over.set()
        thread.join(SOON)
    assert not thread.is_alive()


@pytest.fixture
def client(make, sso):
    return make(refresh_token="r0", usso_base_url=sso.url)


TOKENS = Answer(200, {"access_token": "a9", "refresh_token": "r9", "expires_in": 900})


def test_a_child_forked_during_a_refresh_refreshes_by_itself(client, sso):
    with refreshing(client, sso, TOKENS):
        assert Child(lambda: in_child(client, "/child")).says() == "['200']"
    assert refreshes(sso) == ["r0", "r0"]
    assert sso.to("/child")[0].headers["authorization"] == "Bearer a9"
    assert client.refresh_token == "r1"


def test_a_child_forked_during_a_refresh_says_in_the_log_that_it_sends_the_token(
    client, sso, caplog
):
    def work() -> str:
        caplog.clear()
        in_child(client, "/child")
        return caplog.text

    with refreshing(client, sso, TOKENS):
        said = Child(work).says()
    assert "forked during a refresh" in said
    assert "r0" not in said
    assert "forked" not in caplog.text


@pytest.mark.parametrize("answer", [Answer(None), Answer(503), Answer(200, {"access_token": 1})])
def test_a_child_forked_during_a_refresh_sends_the_token_once_only(client, sso, answer):
    with refreshing(client, sso, answer):
        said = Child(lambda: in_child(client, "/1", "/2", "/3")[1:]).says()
    assert (said, refreshes(sso)) == ("['client.signed_out', 'client.signed_out']", ["r0", "r0"])
    assert client.refresh_token == "r1"


def test_after_its_refresh_a_child_goes_on_as_any_other(client, sso):
    soon_over = {"access_token": "a9", "refresh_token": "r9", "expires_in": 1e-9}
    answers = iter([Answer(200, soon_over), Answer(503), Answer(503)])
    with refreshing(client, sso, TOKENS):
        sso.routes[f"POST {REFRESH}"] = lambda seen: next(answers)
        said = Child(lambda: in_child(client, "/1", "/2", "/3")).says()
    assert said == "['200', 'sso.refused', 'sso.refused']"
    assert refreshes(sso) == ["r0", "r0", "r9", "r9"]


def test_a_child_of_the_child_sends_the_token_once_too(client, sso):
    def grandchild() -> list[str]:
        return in_child(client, "/1", "/2")[1:]

    with refreshing(client, sso, Answer(503)):
        said = Child(lambda: Child(grandchild).says()).says()
    assert (said, refreshes(sso)) == ("['client.signed_out']", ["r0", "r0"])


def test_a_child_forked_between_refreshes_has_no_such_limit(client, sso):
    rotating(sso, lifetime=1e-9)
    client.get("/thing")
    sso.routes[f"POST {REFRESH}"] = Answer(503)
    said = Child(lambda: in_child(client, "/1", "/2")).says()
    assert (said, refreshes(sso)) == ("['sso.refused', 'sso.refused']", ["r0", "r1", "r1"])


def test_a_lock_that_a_thread_held_is_free_in_the_child(sso):
    rotating(sso)
    client = UssoClient(refresh_token="r0", usso_base_url=sso.url)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with client._session.lock:
            held.set()
            over.wait(3 * SOON)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(SOON)
        assert Child(lambda: in_child(client, "/child")).says() == "['200']"
    finally:
        over.set()
        thread.join()


def test_a_child_does_not_use_the_connections_of_its_parent(make, sso):
    client = make(api_key="k", usso_base_url=sso.url, headers={"x-own": "1"})
    client.get("/thing")
    assert Child(lambda: in_child(client, "/child")).says() == "['200']"
    client.get("/thing")
    before, after = (seen.port for seen in sso.to("/thing"))
    child = sso.to("/child")[0]
    assert before == after != child.port
    assert (child.headers["x-own"], child.headers["x-api-key"]) == ("1", "k")


def test_a_refresh_in_a_child_has_a_connection_of_its_own(client, sso):
    rotating(sso)
    client.get("/thing")

    def work() -> str:
        real = getattr(client, "client", client)
        answer = real._refresh()
        tokens = asyncio.run(answer) if inspect.iscoroutine(answer) else answer
        return tokens["access_token"]

    assert Child(work).says() == "a2"
    first, second = sso.to(REFRESH)
    assert first.port != second.port


def test_a_session_that_is_gone_is_not_kept_for_forks(sso):
    from usso.client import _session

    client = UssoClient(refresh_token="r0", usso_base_url=sso.url)
    session = client._session
    assert session in _session._SESSIONS
    known = len(_session._SESSIONS)
    client.close()
    del client, session
    assert len(_session._SESSIONS) < known
