"""Descriptors of a Worker stay open whatever its Futures close; those of Futures, and of what they fork, are theirs."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.worker.descriptors import Descriptors


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A descriptor that was open when the Worker began."""
    close = os.close
    monkeypatch.setattr(os, "close", close)
    monkeypatch.setattr(os, "closerange", os.closerange)
    made = os.open(os.devnull, os.O_RDONLY)
    Descriptors()
    yield made
    close(made)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_what_the_worker_needs_is_not_closed(reserved: int) -> None:
    with pytest.raises(OSError, match="belongs to the Worker") as caught:
        os.close(reserved)
    assert caught.value.errno == errno.EBADF
    assert is_open(reserved)


def test_what_a_future_has_opened_is_closed(reserved: int) -> None:
    own = os.open(os.devnull, os.O_RDONLY)
    assert own != reserved
    os.close(own)
    assert not is_open(own)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(own)


def test_a_range_is_closed_around_what_the_worker_needs(reserved: int) -> None:
    own = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    os.closerange(min(reserved, *own), max(own) + 1)
    assert is_open(reserved)
    assert not any(map(is_open, own))


def test_a_number_that_names_something_else_by_now_is_no_longer_the_workers(reserved: int, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    other = os.open(tmp_path / "a", os.O_RDONLY)
    kept = os.dup(reserved)
    os.dup2(other, reserved)
    os.close(reserved)
    assert not is_open(reserved)
    os.dup2(kept, reserved)
    os.close(kept)
    os.close(other)


@pytest.mark.parametrize(("directory", "is_kept"), [("fedfutures-x", True), ("other", False)])
def test_a_connection_to_the_broker_made_since_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reserved: int, directory: str, *, is_kept: bool
) -> None:
    (tmp_path / directory).mkdir()
    monkeypatch.chdir(tmp_path)
    path = f"{directory}/main"  # the path of a socket is bounded
    with socket.socket(socket.AF_UNIX) as broker, socket.socket(socket.AF_UNIX) as connection:
        broker.bind(path)
        broker.listen()
        connection.connect(path)
        mine = os.dup(connection.fileno())
        if not is_kept:
            os.close(mine)
            assert not is_open(mine)
            return
        with pytest.raises(OSError, match="belongs to the Worker"):
            os.close(mine)
        assert is_open(mine)
        socket.socket(fileno=mine).close()
    assert is_open(reserved)


def test_a_process_that_a_future_forks_may_close_all(monkeypatch: pytest.MonkeyPatch, reserved: int) -> None:
    copy = os.dup(reserved)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    os.close(reserved)
    assert not is_open(reserved)
    monkeypatch.undo()
    os.dup2(copy, reserved)
    os.close(copy)
