"""What both clients share: a session in a thread of its own, and logins that a server drops."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from fedfutures_launcher.ssh import client
from fedfutures_launcher.ssh.client import Client, Dropped
from fedfutures_launcher.ssh.configuration import Unusable
from fedfutures_launcher.ssh.session import Closable, Session
from fedfutures_launcher.ssh.texts import failures
from fedfutures_launcher.ssh.texts.failures import Place

from .talking import FunctionClient, talk

PLACE = Place("vm", "vm.example")


@pytest.fixture
def life() -> Iterator[Closable]:
    made = Closable()
    yield made
    made.close()
    made.release()


class Server:
    """Drops the first logins."""

    def __init__(self, drops: int) -> None:
        self.drops = drops
        self.given: list[float] = []

    def attempt(self, seconds: float) -> str:
        self.given.append(seconds)
        if len(self.given) <= self.drops:
            raise Dropped(f"reset {len(self.given)}")
        return "connection"


def test_a_login_that_is_dropped_is_tried_again(life: Closable) -> None:
    server = Server(2)
    assert Client().log_in(PLACE, "vm:22", life, 4.0, server.attempt) == "connection"
    assert server.given == [4.0] * 3


def test_a_server_that_drops_all_logins_has_failed_in_the_end(monkeypatch: pytest.MonkeyPatch, life: Closable) -> None:
    monkeypatch.setattr(client, "BUSY_SECONDS", 0.3)
    server = Server(1000)
    with pytest.raises(Unusable) as caught:
        Client().log_in(PLACE, "vm:22", life, 0.3, server.attempt)
    failure, tries = caught.value.failure, len(server.given)
    assert (failure.kind, failure.detail) == ("too many connections", f"reset {tries}")
    assert f"dropped the connection {tries} times" in failure.text
    assert server.given[0] == pytest.approx(0.3)
    assert all(0.1 <= seconds < 0.31 for seconds in server.given)


def test_no_login_is_tried_again_behind_the_end(life: Closable) -> None:
    server = Server(1000)
    life.close()
    with pytest.raises(Unusable):
        Client().log_in(PLACE, "vm:22", life, 4.0, server.attempt)
    assert len(server.given) == 1


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (Unusable(failures.NO_SESSION("vm", "full")), "no session", "vm: logged in, but no session was opened: full"),
        (KeyError("x"), "protocol", "vm.example: ssh failed: KeyError: 'x'"),
    ],
)
def test_what_serving_raises_is_the_failure_of_the_session(error: Exception, kind: str, text: str) -> None:
    def serve(_: Session) -> None:
        raise error

    one = FunctionClient()
    session = one.begin(serve)
    assert talk(session, end=False) == (b"", b"")
    one.close()
    assert session.failure is not None
    assert (session.failure.kind, session.failure.text) == (kind, text)


def test_closing_waits_for_all_sessions() -> None:
    threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    one = FunctionClient()
    sessions = [one.begin(lambda session: session.pause(60.0)) for _ in range(3)]
    assert len(set(threading.enumerate()) - threads) == 3
    one.close()
    assert set(threading.enumerate()) <= threads
    assert all(session.over for session in sessions)
    assert len(os.listdir("/proc/self/fd")) == descriptors
