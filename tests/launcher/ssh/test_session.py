"""Sessions as their users and clients see them, with a command that is a function."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fedfutures_launcher.ssh.session import Closable, Session
from fedfutures_launcher.ssh.texts.failures import Failure

from .talking import FunctionClient

SECONDS = 5.0
FAILURE = Failure("lost", "vm: lost", "")


@pytest.fixture
def sessions() -> Iterator[FunctionClient]:
    """Sessions that leave no descriptor and no thread."""
    descriptors, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
    made = FunctionClient()
    yield made
    made.close()
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def read_all(descriptor: int) -> bytes:
    found = b""
    while True:
        assert select.select([descriptor], [], [], SECONDS)[0], "no end of the output"
        data = os.read(descriptor, 1 << 16)
        if not data:
            return found
        found += data


def wait_for_wake(session: Session) -> None:
    select.select([session.wake], [], [], SECONDS)


def test_bytes_go_both_ways_and_the_end_comes_when_the_command_has_ended(sessions: FunctionClient) -> None:
    def serve(session: Session) -> None:
        os.write(session.output, b"got " + os.read(session.input, 100))
        os.write(session.errors, b"oops")
        session.on_exit(7)

    session = sessions.begin(serve)
    os.write(session.write_fd, b"input")
    assert (read_all(session.read_fd), read_all(session.error_fd)) == (b"got input", b"oops")
    assert (session.status, session.failure, session.connected) == (7, None, False)


def test_why_a_session_failed_is_known_when_its_output_ends(sessions: FunctionClient) -> None:
    def serve(session: Session) -> None:
        session.on_connected()
        session.on_failure(FAILURE)

    session = sessions.begin(serve)
    assert read_all(session.read_fd) == b""
    assert (session.failure, session.connected) == (FAILURE, True)


def test_the_command_sees_the_end_of_its_input(sessions: FunctionClient) -> None:
    def serve(session: Session) -> None:
        os.write(session.output, read_all(session.input))

    session = sessions.begin(serve)
    os.write(session.write_fd, b"all of it")
    session.close_input()
    session.close_input()
    assert session.write_fd == -1
    assert read_all(session.read_fd) == b"all of it"


def test_descriptors_of_the_user_do_not_block(sessions: FunctionClient) -> None:
    session = sessions.begin(wait_for_wake)
    for descriptor in (session.read_fd, session.error_fd):
        with pytest.raises(BlockingIOError):
            os.read(descriptor, 1)
    written = os.write(session.write_fd, bytes(8 << 20))
    assert written < 8 << 20, "a pipe takes what it has room for"
    with pytest.raises(BlockingIOError):
        os.write(session.write_fd, bytes(1 << 16))


def test_closing_wakes_the_thread_and_leaves_nothing(sessions: FunctionClient) -> None:
    session = sessions.begin(wait_for_wake)
    assert not session.over
    session.close()
    session.join(time.monotonic() + SECONDS)
    assert session.over
    assert session.read_fd == session.write_fd == session.error_fd == session.wake == -1


def test_notes_are_told_once(sessions: FunctionClient) -> None:
    session = sessions.begin(wait_for_wake)
    session.notes += ["key stored", "hashed"]
    assert session.take_notes() == ["key stored", "hashed"]
    assert session.take_notes() == []


@pytest.fixture
def closable() -> Iterator[Closable]:
    made = Closable()
    yield made
    made.close()
    made.release()


def counted() -> tuple[list[int], Callable[[], None]]:
    calls: list[int] = []
    return calls, lambda: calls.append(1)


def test_what_is_to_hang_up_is_called_once_and_at_once_where_it_is_closed_already(closable: Closable) -> None:
    calls, hang_up = counted()
    forgotten, forget = counted()
    closable.on_close(hang_up)
    closable.on_close(forget)
    closable.forget(forget)
    closable.forget(forget)
    assert calls == []
    closable.close()
    closable.close()
    assert calls == [1]
    closable.on_close(hang_up)
    assert (calls, forgotten) == ([1, 1], [])


def test_a_pause_ends_with_the_session(closable: Closable) -> None:
    paused = threading.Thread(target=closable.pause, args=(600.0,))
    paused.start()
    closable.close()
    paused.join(SECONDS)
    assert not paused.is_alive()


def test_a_pause_lasts_while_nothing_is_closed(closable: Closable) -> None:
    began = time.monotonic()
    closable.pause(0.05)
    closable.pause(-1.0)
    assert time.monotonic() - began >= 0.049
