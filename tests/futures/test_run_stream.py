"""What the program tells who watches: bounds, slow readers, failures as text. Live: tests/seeing/test_watching.py."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import python, write

from fedfutures.errors import RemoteTraceback
from fedfutures.futures import run_stream as module
from fedfutures.futures.run_stream import SOCKET, RunStream, text_of
from fedfutures.host.greeting import Greeting
from fedfutures.node.events import Resolve
from fedfutures.wire.codec import unpack_plain
from fedfutures.wire.control import BrokerRestarted, RunNews, WorkerEnded
from fedfutures.wire.framing import FrameReader
from fedfutures.wire.messages import ERROR
from fedfutures.worker.future import Future


class Parts:
    """The parts of a Federation that a stream uses."""

    def __init__(self, directory: Path) -> None:
        self.run_directory = str(directory)
        self.listeners: list[Callable[[Any], object]] = []
        self.watchers: list[Callable[[Any, str], object]] = []
        self.ends: list[Callable[[], object]] = []
        self.futures: dict[int, Future] = {}
        self.own: list[int] = []
        self.origin = self.machine = self.counting = self

    def watch(self, watcher: Callable[[Any, str], object]) -> None:
        self.watchers.append(watcher)

    def at_close(self, last_word: Callable[[], object]) -> None:
        self.ends.append(last_word)

    def wanted(self) -> int:
        return -1


class Reader:
    """Somebody who watches."""

    def __init__(self, directory: Path) -> None:
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(10.0)
        self.connection.connect(str(directory / SOCKET))
        self._frames, self._greeting = FrameReader(), Greeting()

    def news(self) -> Iterator[tuple[int, Any]]:
        while data := self.connection.recv(1 << 16):
            for frame in self._frames.feed(self._greeting.feed(data)):
                assert isinstance(frame, RunNews)
                yield frame.dropped, unpack_plain(frame.report)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    found = Parts(tmp_path)
    yield found
    for end in found.ends:
        end()
    assert not any(thread.name == "fedfutures-watch" for thread in threading.enumerate())


def outcomes(first: int, count: int, odd: list[tuple[int, int]] | None = None) -> Resolve:
    return Resolve(list(range(first, first + count)), [b""] * count, odd or [], b"")


def test_nothing_is_kept_where_nobody_watches(parts: Parts, tmp_path: Path) -> None:
    stream = RunStream(parts, time.monotonic())
    parts.watchers[0](outcomes(1, 5), "f")
    stream.open()
    stream.open()
    with (reader := Reader(tmp_path)).connection:
        news = reader.news()
        assert next(news)[1]["messages"] == []
        parts.watchers[0](outcomes(6, 2), "f" * 300)
        [message] = next(report["messages"] for _, report in news if report["messages"])
    assert message[1:4] == ["f" * module.NAME_CHARACTERS, [6, 7], []]


def test_too_many_are_not_told_but_counted(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FUTURES_AT_ONCE", 10)
    RunStream(parts, time.monotonic()).open()
    with (reader := Reader(tmp_path)).connection:
        news = reader.news()
        next(news)
        for first in range(0, 40, 10):
            parts.watchers[0](outcomes(first, 10), "f")
        told = dropped = 0
        while told + dropped < 40:
            dropped, report = next(news)
            told += sum(len(message[2]) for message in report["messages"])
    assert told >= 10
    assert told + dropped == 40


def test_who_reads_too_slowly_misses_something_and_is_told_how_much(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNREAD_AT_MOST_BYTES", 1 << 16)
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.005)
    RunStream(parts, time.monotonic()).open()
    with (reader := Reader(tmp_path)).connection:
        news = reader.news()
        next(news)
        for count in range(200):  # more than the kernel's buffers and ours take
            parts.watchers[0](outcomes(1000 * count, 1000), "f")
            time.sleep(0.005)
        told = dropped = 0
        while told + dropped < 200_000:
            dropped, report = next(news)
            told += sum(len(message[2]) for message in report["messages"])
    assert dropped > 0
    assert told + dropped == 200_000


def test_what_comes_while_nobody_listens_is_for_who_comes_next(parts: Parts, tmp_path: Path) -> None:
    RunStream(parts, time.monotonic()).open()
    with (first := Reader(tmp_path)).connection:
        next(first.news())
    time.sleep(2 * module.EVERY_SECONDS)
    parts.watchers[0](outcomes(1, 3), "f")
    time.sleep(2 * module.EVERY_SECONDS)
    with (second := Reader(tmp_path)).connection:
        [message] = next(report["messages"] for _, report in second.news() if report["messages"])
    assert message[2] == [1, 2, 3]


def test_a_watcher_that_leaves_ends_no_program(tmp_path: Path) -> None:
    """Not even one that has the system's own action for SIGPIPE."""
    program = """
        import pathlib, signal, socket, sys, time
        sys.path[:0] = sys.argv[1:2]
        from test_run_stream import Parts, Reader, outcomes
        from fedfutures.futures import run_stream

        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        run_stream.EVERY_SECONDS = 0.01
        place = pathlib.Path(sys.argv[2])
        parts = Parts(place)
        run_stream.RunStream(parts, time.monotonic()).open()
        for _ in range(20):
            with (reader := Reader(place)).connection:
                next(reader.news())
                parts.watchers[0](outcomes(1, 100_000), "f")
            time.sleep(0.02)
        print("goes on")
    """
    write(tmp_path / "prog.py", program)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = python("prog.py", str(Path(__file__).parent), str(tmp_path), cwd=tmp_path, env=environment)
    assert (ended.code, ended.out) == (0, "goes on\n"), ended.err


def test_there_are_so_many_watchers_at_most(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCHERS_AT_MOST", 1)
    RunStream(parts, time.monotonic()).open()
    with (first := Reader(tmp_path)).connection:
        next(first.news())
        with (second := Reader(tmp_path)).connection:
            assert list(second.news()) == []
        next(first.news())


def test_ends_are_told(parts: Parts, tmp_path: Path) -> None:
    RunStream(parts, time.monotonic()).open()
    with (reader := Reader(tmp_path)).connection:
        news = reader.news()
        next(news)
        parts.listeners[0](WorkerEnded("h.1", "h", "signal SIGKILL", True, False, 0, 0, ""))
        parts.listeners[0](BrokerRestarted("h.broker", "exit code 1"))
        events: list[Any] = []
        while len(events) < 2:
            events += next(news)[1]["events"]
    assert [event[1:] for event in events] == [
        ["Worker ended: signal SIGKILL", "h.1", "h"],
        ["Broker h.broker ended: exit code 1; it was started again", "", ""],
    ]


def test_failures_are_told_as_soon_as_they_are_known(parts: Parts, tmp_path: Path) -> None:
    RunStream(parts, time.monotonic()).open()
    with (reader := Reader(tmp_path)).connection:
        news = reader.news()
        next(news)
        future: Future[Any] = Future()
        parts.futures[3] = future
        parts.watchers[0](outcomes(3, 1, [(3, ERROR)]), "f")
        next(news)
        error = ValueError("x")
        error.__cause__ = RemoteTraceback("\nTraceback of f\n")
        future.set_exception(error)
        [failure] = next(report["failures"] for _, report in news if report["failures"])
    assert failure == [3, "f", "Traceback of f"]


class Loud(Exception):
    """Its texts are the program's code."""

    def __str__(self) -> str:
        raise AssertionError("it was asked")

    __repr__ = __str__


def test_of_a_failure_no_code_runs() -> None:
    future: Future[Any] = Future()
    assert text_of(future) == ""
    error = Loud()
    error.__dict__["__notes__"] = ["in f(x=1), on h.1", 7]
    future.set_exception(error)
    assert text_of(future) == f"{__name__}.Loud\nin f(x=1), on h.1"
    long: Future[Any] = Future()
    known = ValueError()
    known.__cause__ = RemoteTraceback("x" * 10_000 + "the end")
    long.set_exception(known)
    assert len(text_of(long)) == module.TRACEBACK_CHARACTERS
    assert text_of(long).endswith("the end")
    cancelled: Future[Any] = Future()
    cancelled.cancel()
    assert text_of(cancelled) == ""


def test_without_its_directory_it_does_nothing(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "of another machine")
    RunStream(parts, time.monotonic()).open()
    assert not os.path.exists(parts.run_directory)
    parts.watchers[0](outcomes(1, 1), "f")


def test_a_socket_that_was_left_is_replaced(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / SOCKET).touch()
    RunStream(parts, time.monotonic()).open()
    with (reader := Reader(tmp_path)).connection:
        next(reader.news())
