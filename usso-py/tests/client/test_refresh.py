"""Refresh tokens work once: one refresh at a time, and no token is lost or sent twice."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from client.loopback import API, Answer, Loopback, rotating

from usso.client import AsyncUssoClient, UssoClient
from usso.client.base_client import BaseUssoClient
from usso.exceptions import USSOException

REFRESH = f"{API}/auth/refresh"


def refreshes(server: Loopback) -> list[str]:
    return [seen.json()["refresh_token"] for seen in server.to(REFRESH)]


def expire(client) -> None:
    """Makes the access token one that is about to expire."""
    client._session.due = 0.0


def answered(server: Loopback, body: object, status: int = 200) -> None:
    server.routes[f"POST {REFRESH}"] = Answer(status, body)


@pytest.fixture
def client(make, sso):
    rotating(sso)
    return make(refresh_token="r0", usso_base_url=sso.url)


def test_nothing_is_sent_before_the_first_request(make, sso):
    make(refresh_token="r0", usso_base_url=sso.url)
    assert sso.seen == []


def test_one_refresh_serves_many_requests(client, sso):
    for _ in range(3):
        assert client.get("/thing").status_code == 200
    assert refreshes(sso) == ["r0"]


def test_a_used_refresh_token_is_not_sent_again(client, sso):
    for _ in range(3):
        client._refresh()
    assert refreshes(sso) == ["r0", "r1", "r2"]


def test_a_token_about_to_expire_is_refreshed_first(client, sso):
    client.get("/thing")
    expire(client)
    client.get("/thing")
    sent = [seen.headers["authorization"] for seen in sso.to("/thing")]
    assert sent == ["Bearer a1", "Bearer a2"]


def test_a_token_is_refreshed_30_s_ahead(client, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    client.get_session()
    assert client._session.due == 1000.0 + 900 - 30


def test_a_token_that_lives_less_than_a_minute_is_used_for_half_of_that(make, sso):
    rotating(sso, lifetime=20)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    client.get("/thing")
    client.get("/thing")
    assert refreshes(sso) == ["r0"]


def test_twenty_threads_at_once_cause_one_refresh(make, sso):
    rotating(sso)
    exchange, second = sso.routes[f"POST {REFRESH}"], threading.Event()

    def slowly(seen):
        if len(sso.to(REFRESH)) > 1:
            second.set()
        # Long enough that a second refresh, if any thread makes one, begins before this one ends.
        second.wait(0.5)
        return exchange(seen)

    sso.routes[f"POST {REFRESH}"] = slowly
    client = make(refresh_token="r0", usso_base_url=sso.url)
    barrier = threading.Barrier(20)

    def work(_):
        barrier.wait()
        return client.get("/thing").status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(work, range(20)))
    assert (statuses, refreshes(sso)) == ([200] * 20, ["r0"])


def test_threads_refused_at_once_cause_one_refresh(client, sso):
    client.get("/thing")
    barrier = threading.Barrier(10)

    def thing(seen):
        return Answer(401 if seen.headers["authorization"] == "Bearer a1" else 200)

    sso.routes["GET /thing"] = thing

    def work(_):
        barrier.wait()
        return client.get("/thing").status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(work, range(10)))
    assert (statuses, refreshes(sso)) == ([200] * 10, ["r0", "r1"])


def test_a_late_refusal_of_the_token_before_causes_no_refresh(client, sso):
    client.get("/thing")
    refreshed = threading.Event()

    def thing(seen):
        if seen.headers["authorization"] != "Bearer a1":
            refreshed.set()
            return Answer(200)
        if seen.path == "/thing?late":
            refreshed.wait(5)
        return Answer(401)

    sso.routes["GET /thing"] = thing
    with ThreadPoolExecutor(2) as pool:
        late, early = pool.map(client.get, ["/thing?late", "/thing"])
    assert (late.status_code, early.status_code, refreshes(sso)) == (200, 200, ["r0", "r1"])


def test_those_who_wait_for_a_refresh_share_its_failure(make, sso, monkeypatch):
    waiting, second = threading.Semaphore(0), threading.Event()
    needs_token = BaseUssoClient._needs_token

    def counted(self, request):
        waiting.release()
        return needs_token(self, request)

    def fail(seen):
        if len(sso.to(REFRESH)) > 1:
            second.set()
        elif all(waiting.acquire(timeout=5) for _ in range(5)):
            # All are here; one that does not join sends its own refresh now.
            second.wait(0.3)
        return Answer(503, {"error_code": "store.busy"})

    monkeypatch.setattr(BaseUssoClient, "_needs_token", counted)
    sso.routes[f"POST {REFRESH}"] = fail
    client = make(refresh_token="r0", usso_base_url=sso.url)

    def work(_):
        with pytest.raises(USSOException) as raised:
            client.get("/thing")
        return raised.value.error_code

    with ThreadPoolExecutor(5) as pool:
        codes = list(pool.map(work, range(5)))
    assert (codes, refreshes(sso)) == (["store.busy"] * 5, ["r0"])


def test_copies_of_a_client_share_the_tokens(make, client, sso):
    copy = make(client=client)
    copy.get("/thing")
    client.get("/thing")
    assert refreshes(sso) == ["r0"]


def test_a_copy_made_later_shares_the_tokens(make, client, sso, stranger):
    copy = make(api_key="k", usso_base_url=stranger.url)
    copy.copy_attributes_from(getattr(client, "client", client))
    copy.get("/thing")
    assert sso.to("/thing")[0].headers["authorization"] == "Bearer a1"
    assert stranger.seen == []


def test_a_refresh_carries_the_refresh_token_only(make, sso):
    rotating(sso)
    own = {"Authorization": "Bearer own", "x-api-key": "own", "x-tenant": "t"}
    settings = {"headers": own, "cookies": {"sid": "secret"}}
    make(refresh_token="r0", usso_base_url=sso.url, **settings).get_session()
    headers = sso.to(REFRESH)[0].headers
    assert headers.keys() & {"authorization", "x-api-key", "cookie"} == set()
    assert headers["x-tenant"] == "t"


# What comes back.


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "a1", "refresh_token": "r1"},
        {"tokens": {"access": "a1", "refresh": "r1"}},
        {"token": {"access_token": "a1", "refresh_token": "r1"}},
    ],
)
def test_both_tokens_are_found_in_every_shape_of_answer(make, sso, answer):
    answered(sso, answer)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    client.get("/thing")
    assert sso.to("/thing")[0].headers["authorization"] == "Bearer a1"
    assert client.refresh_token == "r1"


def test_an_answer_without_a_refresh_token_keeps_the_one_that_was_sent(make, sso):
    answered(sso, {"access_token": "a1"})
    client = make(refresh_token="r0", usso_base_url=sso.url)
    client.get_session()
    assert client.refresh_token == "r0"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 5000,
        b"[]",
        b"null",
        b"{}",
        {"access_token": 1},
        {"access_token": ""},
        {"access_token": "a\r\nx-evil: 1"},
        {"access_token": "a b"},
        {"access_token": "a1", "refresh_token": ["r"]},
        {"tokens": {"access": None}},
        {"token": "a1"},
    ],
)
def test_an_answer_that_is_not_one_raises_and_keeps_the_token(make, sso, body):
    answered(sso, body)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    with pytest.raises(USSOException) as raised:
        client.get("/thing")
    assert (raised.value.status_code, raised.value.error_code) == (502, "sso.bad_answer")
    assert client.refresh_token == "r0"


@pytest.mark.parametrize("seconds", [0, -1, True, "900", None, [], 1e300, float("nan")])
def test_an_odd_lifetime_does_no_harm(make, sso, seconds):
    answered(sso, {"access_token": "a1", "expires_in": seconds})
    client = make(refresh_token="r0", usso_base_url=sso.url)
    client.get("/thing")
    client.get("/thing")
    assert refreshes(sso) == ["r0"]


def test_an_answer_longer_than_1_mib_is_not_read_to_its_end(make, sso):
    answered(sso, b" " * (1024 * 1024) + b'{"access_token": "a1"}')
    with pytest.raises(USSOException) as raised:
        make(refresh_token="r0", usso_base_url=sso.url).get("/thing")
    assert raised.value.detail == "it is longer than 1 MiB"


def test_a_compressed_answer_is_not_inflated(make, sso):
    headers = {"Content-Encoding": "gzip"}
    sso.routes[f"POST {REFRESH}"] = Answer(200, {"access_token": "a1"}, headers)
    with pytest.raises(USSOException) as raised:
        make(refresh_token="r0", usso_base_url=sso.url).get("/thing")
    assert raised.value.detail == "it is compressed"
    assert sso.seen[0].headers["accept-encoding"] == "identity"


# What is kept of a refresh that failed.


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_refresh_drops_the_tokens_and_raises(make, sso, status):
    answered(sso, {"error_code": "session.refresh_reused", "message": {"en": "No."}}, status)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    with pytest.raises(USSOException) as raised:
        client.get("/thing")
    assert (raised.value.status_code, raised.value.error_code) == (status, "session.refresh_reused")
    assert raised.value.message == {"en": "No."}
    assert client.refresh_token is None


def test_after_a_refused_refresh_nothing_is_sent(make, sso):
    answered(sso, {}, 401)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    for _ in range(2):
        with pytest.raises(USSOException):
            client.get("/thing")
    assert (refreshes(sso), sso.to("/thing")) == (["r0"], [])
    with pytest.raises(USSOException, match="sign in again"):
        client.get("/thing")


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_any_other_failure_keeps_the_token_for_the_next_request(make, sso, status):
    answered(sso, {"error_code": "e"}, status)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    with pytest.raises(USSOException) as raised:
        client.get("/thing")
    assert raised.value.status_code == status
    rotating(sso)
    assert client.get("/thing").status_code == 200


def test_a_lost_answer_keeps_the_token_and_is_not_retried_by_itself(make, sso):
    sso.routes[f"POST {REFRESH}"] = Answer(None)
    client = make(refresh_token="r0", usso_base_url=sso.url)
    with pytest.raises(httpx.TransportError):
        client.get("/thing")
    assert (refreshes(sso), client.refresh_token) == (["r0"], "r0")
    rotating(sso)
    assert client.get("/thing").status_code == 200


def test_a_live_access_token_outlives_a_lost_answer(client, sso):
    client.get("/thing")
    sso.routes[f"POST {REFRESH}"] = Answer(None)
    with pytest.raises(httpx.TransportError):
        client._refresh()
    client.get("/thing")
    assert sso.to("/thing")[1].headers["authorization"] == "Bearer a1"


def test_the_text_of_an_error_shows_no_token(make, sso):
    answered(sso, {"access_token": "bad token", "refresh_token": "secret-r"})
    client = make(refresh_token="secret-r", usso_base_url=sso.url)
    with pytest.raises(USSOException) as raised:
        client.get("/thing")
    text = f"{raised.value} {raised.value!r} {raised.value.body()}"
    assert "secret-r" not in text and "bad token" not in text


# The answer 401 to a request.


def refusing(server: Loopback, *tokens: str) -> None:
    def thing(seen):
        refused = seen.headers.get("authorization") in {f"Bearer {token}" for token in tokens}
        return Answer(401 if refused else 200)

    server.routes["GET /thing"] = server.routes["POST /thing"] = thing


def test_a_refused_access_token_is_refreshed_and_the_request_repeated(client, sso):
    refusing(sso, "a1")
    answer = client.post("/thing", json={"a": 1})
    assert answer.status_code == 200
    assert [seen.json() for seen in sso.to("/thing")] == [{"a": 1}] * 2


def test_a_second_refusal_is_the_answer(client, sso):
    refusing(sso, "a1", "a2", "a3")
    assert client.get("/thing").status_code == 401
    assert (len(sso.to("/thing")), refreshes(sso)) == (2, ["r0", "r1"])


def test_a_streamed_body_is_not_sent_again(sso):
    rotating(sso)
    refusing(sso, "a1")
    with UssoClient(refresh_token="r0", usso_base_url=sso.url) as client:
        answer = client.post("/thing", content=iter([b"a", b"b"]))
    assert (answer.status_code, [seen.body for seen in sso.to("/thing")]) == (401, [b"ab"])


def test_a_body_streamed_asynchronously_is_not_sent_again(sso):
    rotating(sso)
    refusing(sso, "a1")

    async def body():
        yield b"a"
        yield b"b"

    async def run():
        async with AsyncUssoClient(refresh_token="r0", usso_base_url=sso.url) as client:
            return await client.post("/thing", content=body())

    assert asyncio.run(run()).status_code == 401
    assert [seen.body for seen in sso.to("/thing")] == [b"ab"]


def test_a_refusal_of_another_origin_causes_no_refresh(client, sso, stranger):
    client.get("/thing")
    stranger.routes["GET /thing"] = Answer(401)
    assert client.get(f"{stranger.url}/thing").status_code == 401
    assert refreshes(sso) == ["r0"]


def test_a_refusal_of_the_callers_own_credential_causes_no_refresh(client, sso):
    client.get("/thing")
    sso.routes["GET /thing"] = Answer(401)
    assert client.get("/thing", headers={"Authorization": "Bearer x"}).status_code == 401
    assert refreshes(sso) == ["r0"]


def test_a_refused_api_key_causes_no_refresh(make, sso):
    sso.routes["GET /thing"] = Answer(401)
    client = make(api_key="k", refresh_token="r0", usso_base_url=sso.url)
    assert client.get("/thing").status_code == 401
    assert (refreshes(sso), client.refresh_token) == ([], None)


def test_a_request_object_that_is_sent_again_carries_the_new_token(client, sso):
    request = client.build_request("GET", f"{sso.url}/thing")
    client.send(request)
    client._refresh()
    client.send(request)
    sent = [seen.headers["authorization"] for seen in sso.to("/thing")]
    assert sent == ["Bearer a1", "Bearer a2"]


# Keeping the refresh token.


def test_on_refresh_is_told_each_token_before_the_access_token_is_used(make, sso):
    rotating(sso)
    told = []
    settings = {"refresh_token": "r0", "usso_base_url": sso.url}
    client = make(on_refresh=lambda token: told.append((token, len(sso.to("/thing")))), **settings)
    client.get("/thing")
    expire(client)
    client.get("/thing")
    assert told == [("r1", 0), ("r2", 1)]


def test_on_refresh_may_be_a_coroutine_function(sso):
    rotating(sso)
    told = []

    async def keep(token):
        await asyncio.sleep(0)
        told.append(token)

    async def run():
        settings = {"refresh_token": "r0", "usso_base_url": sso.url}
        async with AsyncUssoClient(on_refresh=keep, **settings) as client:
            await client.get("/thing")

    asyncio.run(run())
    assert told == ["r1"]


def test_tokens_survive_an_on_refresh_that_raises(make, sso):
    rotating(sso)

    def keep(token):
        raise OSError("disk full")

    client = make(refresh_token="r0", usso_base_url=sso.url, on_refresh=keep)
    with pytest.raises(OSError, match="disk full"):
        client.get("/thing")
    assert client.get("/thing").status_code == 200
    assert (refreshes(sso), client.refresh_token) == (["r0"], "r1")


def test_a_cancelled_request_does_not_lose_the_new_refresh_token(sso):
    rotating(sso)
    exchange, begun, go = sso.routes[f"POST {REFRESH}"], threading.Event(), threading.Event()

    def slowly(seen):
        begun.set()
        go.wait(5)
        return exchange(seen)

    sso.routes[f"POST {REFRESH}"] = slowly

    async def run():
        async with AsyncUssoClient(refresh_token="r0", usso_base_url=sso.url) as client:
            first = asyncio.ensure_future(client.get("/thing"))
            await asyncio.to_thread(begun.wait, 5)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            go.set()
            await client.get("/thing")
            return client.refresh_token

    assert asyncio.run(run()) == "r1"
    assert refreshes(sso) == ["r0"]


def test_nobody_uses_an_access_token_before_the_refresh_token_is_kept(sso):
    rotating(sso)
    seen = []

    def keep(token):
        other = threading.Thread(target=client.get, args=("/thing",))
        other.start()
        # The other one must wait for this to end.
        other.join(0.3)
        seen.append(len(sso.to("/thing")))
        threads.append(other)

    threads: list[threading.Thread] = []
    settings = {"refresh_token": "r0", "usso_base_url": sso.url}
    with UssoClient(on_refresh=keep, **settings) as client:
        client.get("/thing")
        threads[0].join()
    assert (seen, len(sso.to("/thing")), refreshes(sso)) == ([0], 2, ["r0"])


def test_no_task_uses_an_access_token_before_the_refresh_token_is_kept(sso):
    rotating(sso)
    seen = []

    async def run():
        async def keep(token):
            other = asyncio.ensure_future(client.get("/thing"))
            await asyncio.wait([other], timeout=0.3)
            seen.append(len(sso.to("/thing")))
            tasks.append(other)

        tasks: list[asyncio.Task] = []
        settings = {"refresh_token": "r0", "usso_base_url": sso.url}
        async with AsyncUssoClient(on_refresh=keep, **settings) as client:
            await client.get("/thing")
            await tasks[0]

    asyncio.run(run())
    assert (seen, len(sso.to("/thing")), refreshes(sso)) == ([0], 2, ["r0"])
