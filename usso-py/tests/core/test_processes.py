"""Forks, threads and event loops while keys are being fetched."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from client.forked import SOON, Child

from usso._native import Wait
from usso.auth import UssoAuth
from usso.exceptions import TokenInvalid, USSOException, VerifierUnavailable
from usso.testing import Issuer
from usso.user import UserData

Auth = UssoAuth[UserData]


@pytest.fixture
def auth(usso_server: Issuer) -> Auth:
    """Has no keys yet."""
    return UssoAuth(usso_server.config())


@contextmanager
def threads(work: Callable[[], object], count: int = 1) -> Iterator[list[object]]:
    """Does something in threads meanwhile, and ends when they do; gives what they gave."""
    given: list[object] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:
            given.append(error)

    running = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in running:
        thread.start()
    yield given
    for thread in running:
        thread.join(SOON)
    assert not any(thread.is_alive() for thread in running), "a thread hangs"


class Noticed(dict[int, Any]):
    """What is waited for, and when somebody began to."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def setdefault(self, key: int, default: Any = None) -> Any:
        found = super().setdefault(key, default)
        self.begun.set()
        return found


def test_a_child_forked_during_a_fetch_fetches_by_itself(auth: Auth, usso_server: Issuer) -> None:
    token = usso_server.mint("user:a")
    usso_server.slow(60)
    with threads(lambda: auth.verify(token).sub) as parent:
        usso_server.wait_for_fetch(1)
        child = Child(lambda: auth.verify(token).sub)
        usso_server.wait_for_fetch(2)
        usso_server.recover()
        assert child.says() == "user:a"
    assert parent == ["user:a"]


def test_a_child_forked_while_threads_verify_verifies(auth: Auth, usso_server: Issuer) -> None:
    tokens = [usso_server.mint(f"user:{number}") for number in range(400)]
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            for token in tokens:
                auth.user_data_from_token(token)

    auth.verify(tokens[0])
    with threads(busy, 4):
        try:
            for _ in range(20):
                child = Child(lambda: auth.user_data_from_token(tokens[-1]).user_id)
                assert child.says() == "user:399"
        finally:
            over.set()


FORKED_DURING_IMPORT = """
import os, sys, threading
from usso.auth import UssoAuth
from usso.testing import Issuer

with Issuer().serve() as issuer:
    auth, token = UssoAuth(issuer.config()), issuer.mint("user:a")
    threading.Thread(target=auth.verify, args=(token,), daemon=True).start()
    while "httpx" not in sys.modules and issuer.fetches == 0:
        pass
    pid = os.fork()
    if pid == 0:
        print(auth.verify(token).sub, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_a_child_forked_during_the_first_fetch_of_all_is_not_stuck() -> None:
    code = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED_DURING_IMPORT]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        try:
            said, _ = run.communicate(timeout=SOON)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            said = "stuck"
    assert said.strip() == "user:a"


def test_workers_forked_from_a_loaded_app_fetch_once_each(auth: Auth, usso_server: Issuer) -> None:
    token = usso_server.mint("user:a")
    auth.verify(token)
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()

    def work() -> None:
        with ThreadPoolExecutor(4) as pool:
            answers.put([claims.sub for claims in pool.map(auth.verify, [token] * 8)])

    workers = [fork.Process(target=work, daemon=True) for _ in range(8)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for worker in workers:
            worker.start()
    for worker in workers:
        worker.join(SOON)
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert [answers.get() for _ in workers] == [["user:a"] * 8] * 8
    assert usso_server.fetches == 1 + 8
    assert auth.verify(usso_server.mint()).sub == "user:1"


def test_threads_on_a_cold_cache_cause_one_fetch(auth: Auth, usso_server: Issuer) -> None:
    usso_server.slow(0.3)
    start = threading.Barrier(32)

    def work() -> str:
        token = usso_server.mint("user:a")
        start.wait(SOON)
        return auth.verify(token).sub

    with threads(work, 32) as subjects:
        pass
    assert subjects == ["user:a"] * 32
    assert usso_server.fetches == 1


def test_coroutines_on_a_cold_cache_cause_one_fetch(auth: Auth, usso_server: Issuer) -> None:
    usso_server.slow(0.3)

    async def main() -> list[str]:
        tokens = [usso_server.mint("user:a") for _ in range(32)]
        return [claims.sub for claims in await asyncio.gather(*map(auth.averify, tokens))]

    assert asyncio.run(main()) == ["user:a"] * 32
    assert usso_server.fetches == 1


@pytest.mark.parametrize("keys_are_known", [True, False])
def test_unknown_key_names_cause_one_fetch_together(
    auth: Auth, usso_server: Issuer, keys_are_known: bool
) -> None:
    if keys_are_known:
        auth.verify(usso_server.mint())

    def ask(_: int) -> str:
        with pytest.raises(TokenInvalid) as refused:
            auth.verify(usso_server.mint(header={"kid": secrets.token_hex(8)}))
        return refused.value.error_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(50))) == {"token.unknown_key"}
    assert usso_server.fetches == 1
    assert auth.verify(usso_server.mint()).sub == "user:1"


def test_an_outage_is_not_made_worse_by_many_requests(auth: Auth, usso_server: Issuer) -> None:
    usso_server.outage()

    def ask(_: int) -> int:
        with pytest.raises(VerifierUnavailable) as refused:
            auth.verify(usso_server.mint())
        return refused.value.status_code

    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(100))) == {503}
    # Without keys the pause between attempts begins at one second.
    assert usso_server.fetches <= 2 + int(time.monotonic() - start)


def test_a_slow_issuer_delays_no_other_coroutine(auth: Auth, usso_server: Issuer) -> None:
    usso_server.slow(1)

    async def main() -> tuple[str, list[float]]:
        loop, gaps = asyncio.get_running_loop(), []
        verifying = asyncio.create_task(auth.averify(usso_server.mint("user:a")))
        last = loop.time()
        while not verifying.done():
            await asyncio.sleep(0.005)
            gaps.append(loop.time() - last)
            last = loop.time()
        return (await verifying).sub, sorted(gaps)

    subject, gaps = asyncio.run(main())
    assert subject == "user:a"
    assert sum(gaps) > 0.9
    # Others use this machine, too: some few ticks may come late, but not by the issuer's second.
    assert gaps[len(gaps) * 95 // 100] < 0.05
    assert gaps[-1] < 0.5


@pytest.mark.parametrize("cancelled", ["who fetches", "who waits"])
def test_a_cancelled_coroutine_takes_nothing_from_the_others(
    auth: Auth, usso_server: Issuer, cancelled: str
) -> None:
    usso_server.slow(60)

    async def main() -> list[str | None]:
        tokens = [usso_server.mint("user:a") for _ in range(6)]
        tasks = [asyncio.create_task(auth.averify(token)) for token in tokens]
        await asyncio.to_thread(usso_server.wait_for_fetch, 1)
        gone = tasks.pop(0 if cancelled == "who fetches" else 3)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        usso_server.recover()
        return [claims.sub for claims in await asyncio.wait_for(asyncio.gather(*tasks), SOON)]

    assert asyncio.run(main()) == ["user:a"] * 5
    assert usso_server.fetches == 1


def test_coroutines_that_are_cancelled_at_once_leave_the_verifier_sound(
    usso_server: Issuer,
) -> None:
    async def main() -> None:
        for steps in range(60):
            auth = UssoAuth(usso_server.config())
            task = asyncio.create_task(auth.averify(usso_server.mint()))
            for _ in range(steps % 4):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await asyncio.wait_for(auth.averify(usso_server.mint()), SOON)).sub == "user:1"

    asyncio.run(main())


class Stop(BaseException):
    """Stands for `KeyboardInterrupt`."""


def test_who_waits_is_told_when_the_fetching_thread_is_interrupted(
    auth: Auth, usso_server: Issuer
) -> None:
    def stop(*_: object) -> None:
        raise Stop

    def wait() -> str:
        with pytest.raises(USSOException) as refused:
            auth.verify(usso_server.mint())
        return type(refused.value).__name__

    def interrupt() -> list[object]:
        usso_server.wait_for_fetch(1)
        with threads(wait, 4) as waiting:
            assert waits.begun.wait(SOON)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        return waiting

    waits = auth.verifier._state.waiting = Noticed()
    usso_server.slow(60)
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with threads(interrupt) as waited, pytest.raises(Stop):
            auth.verify(usso_server.mint())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert waited == [["VerifierUnavailable"] * 4]
    # Nothing is under way that others would wait for.
    assert not isinstance(auth.verifier.native.verify(usso_server.mint()), Wait)


AHEAD_OF_TIME = """
import asyncio, ctypes, sys, time
from usso.auth import UssoAuth
from usso.testing import Issuer

move_clock = ctypes.CDLL(None).move_clock

def verify(auth, token):
    if sys.argv[1] == "async":
        return asyncio.run(auth.averify(token))
    return auth.verify(token)

with Issuer().serve() as issuer:
    issuer.answer(headers={"Cache-Control": "max-age=100"})
    auth = UssoAuth(issuer.config())
    verify(auth, issuer.mint())
    move_clock(70)
    verify(auth, issuer.mint())
    assert issuer.fetches == 1, "too early"
    move_clock(25)
    issuer.slow(60)
    start = time.monotonic()
    verify(auth, issuer.mint())
    assert time.monotonic() - start < 1, "the request waited"
    issuer.wait_for_fetch(2)
    issuer.rotate()
    issuer.recover()
    verify(auth, issuer.mint())
    assert issuer.fetches == 2, "the new key needed a fetch of its own"
    issuer.rotate()
    move_clock(40)
    verify(auth, issuer.mint())
    assert issuer.fetches == 3, "after the pause a new key is fetched"
print("done")
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_keys_are_fetched_ahead_of_time_beside_the_requests(tmp_path: Path, kind: str) -> None:
    library = tmp_path / "moved_clock.so"
    source = Path(__file__).with_name("moved_clock.c")
    cc = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(cc, check=True)
    done = subprocess.run(
        [sys.executable, "-c", AHEAD_OF_TIME, kind],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout.strip(), done.stderr) == ("done", "")
