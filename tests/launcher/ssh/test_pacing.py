"""Slots for logins."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

from fedfutures_launcher.ssh.pacing import FIRST_PAUSE_SECONDS, LEAST, LONGEST_PAUSE_SECONDS, Pace, pause

LIMIT_SECONDS = 10.0


def most_at_once(pace: Pace, servers: list[str]) -> int:
    """Return how many hold a slot when no other gets one."""
    release, lock, held = threading.Event(), threading.Condition(), 0

    def hold(server: str) -> None:
        nonlocal held
        with pace.slot(server):
            with lock:
                held += 1
                lock.notify()
            release.wait(LIMIT_SECONDS)

    with ThreadPoolExecutor(len(servers)) as pool:
        done = [pool.submit(hold, server) for server in servers]
        with lock:
            while lock.wait(0.1):
                pass
            most = held
        release.set()
    assert [future.result() for future in done] == [None] * len(servers)
    assert held == len(servers)
    return most


def test_few_at_one_server() -> None:
    assert most_at_once(Pace(at_one=3), ["a"] * 10) == 3


def test_some_in_all() -> None:
    assert most_at_once(Pace(at_one=3, in_all=5), ["a"] * 4 + ["b"] * 4 + ["c"] * 4) == 5


def test_half_as_many_at_a_server_that_drops_logins() -> None:
    pace = Pace(at_one=8)
    pace.dropped("a")
    assert most_at_once(pace, ["a"] * 10 + ["b"]) == 5
    for _ in range(10):
        pace.dropped("a")
    assert most_at_once(pace, ["a"] * 6) == LEAST


def test_a_slot_is_given_back_after_an_error() -> None:
    pace = Pace(at_one=1)
    for _ in range(3):
        with contextlib.suppress(ZeroDivisionError), pace.slot("a"):
            raise ZeroDivisionError


def test_pauses_grow_and_are_never_alike() -> None:
    assert len({pause(3) for _ in range(20)}) > 10
    assert all(pause(0) <= FIRST_PAUSE_SECONDS for _ in range(20))
    assert all(0.3 * LONGEST_PAUSE_SECONDS <= pause(50) <= LONGEST_PAUSE_SECONDS for _ in range(20))
