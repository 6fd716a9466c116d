"""Who asks about a run: at the socket, what is passed on, what comes back, and who is let go."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.host import run_door
from fedfutures.host.greeting import Greeting
from fedfutures.host.run_door import SOCKET, RunDoor
from fedfutures.wire.control import AskRun, ControlFrame, Notice, RunSays
from fedfutures.wire.framing import FrameReader, pack

SECONDS = 10.0


class Somebody:
    """Somebody who has come."""

    def __init__(self, path: Path) -> None:
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(SECONDS)
        self.connection.connect(str(path))
        self.greeting, self.reader = Greeting(), FrameReader()

    def say(self, frame: ControlFrame) -> None:
        self.connection.sendall(pack(frame))

    def hear(self) -> list[ControlFrame] | None:
        """Return what was said; None: this end was hung up on."""
        data = self.connection.recv(1 << 16)
        return self.reader.feed(self.greeting.feed(data)) if data else None


class Bench:
    """A host process's side, whose Broker is the test."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.poller = directory, select.poll()
        self.asked: list[AskRun] = []
        self.told: list[ControlFrame] = []
        self.door = RunDoor(str(directory), self.poller, self.asked.append, lambda: b"mine", self.told.append, "h")
        self.askers: list[Somebody] = []

    def come(self) -> Somebody:
        asker = Somebody(self.directory / SOCKET)
        self.askers.append(asker)
        self.turn()
        return asker

    def turn(self) -> None:
        """Serve what is ready, once."""
        for descriptor, events in self.poller.poll(SECONDS * 1000):
            assert self.door.serve(descriptor, events, time.monotonic())

    def ask(self, asker: Somebody, number: int = 5, seconds: float = 1.0) -> AskRun:
        asker.say(AskRun(number, "stack", seconds, "h.1"))
        self.turn()
        return self.asked[-1]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.door.let_go()
    for asker in bench.askers:
        asker.connection.close()


def test_a_question_goes_to_the_broker_and_its_answers_come_back(bench: Bench) -> None:
    one, two = bench.come(), bench.come()
    first, second = bench.ask(one), bench.ask(two)
    assert (first.subject, first.seconds, first.worker) == ("stack", 1.0, "h.1")
    assert first.number != second.number, "two ask by the same number"
    bench.door.on_said(RunSays(second.number, "h.1", b"1", False))
    bench.door.on_said(RunSays(first.number, "h.2", b"2", True))
    bench.door.on_said(RunSays(first.number, "h.2", b"late", True))
    assert one.hear() == [RunSays(5, "h.2", b"2", True)]
    assert two.hear() == [RunSays(5, "h.1", b"1", False)]
    assert bench.door.next_deadline() is not None, "the second is open"


def test_where_no_broker_answers_the_host_process_says_what_it_knows(bench: Bench) -> None:
    asker = bench.come()
    bench.ask(asker, seconds=2.0)
    due = bench.door.next_deadline()
    assert due is not None
    bench.door.tick(due - 0.1)
    assert bench.door.next_deadline() == due
    bench.door.tick(due)
    assert asker.hear() == [RunSays(5, "h", b"mine", True)]
    assert bench.door.next_deadline() is None


def test_who_says_anything_else_is_hung_up_on(bench: Bench) -> None:
    one, two = bench.come(), bench.come()
    one.say(Notice("x"))
    bench.turn()
    two.connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
    bench.turn()
    for asker in (one, two):
        while (said := asker.hear()) is not None:
            assert said == []


def test_of_who_has_gone_the_questions_are_forgotten(bench: Bench) -> None:
    asker = bench.come()
    asked = bench.ask(asker)
    asker.connection.close()
    bench.turn()
    assert bench.door.next_deadline() is None
    bench.door.on_said(RunSays(asked.number, "h", b"", True))


def test_there_is_a_bound_for_askers_questions_and_what_is_not_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_door, "ASKERS_AT_MOST", 1)
    monkeypatch.setattr(run_door, "QUESTIONS_AT_MOST", 1)
    monkeypatch.setattr(run_door, "UNREAD_AT_MOST_BYTES", 1 << 20)
    asker = bench.come()
    turned_away = bench.come()
    assert turned_away.connection.recv(1) == b""
    asked = bench.ask(asker, seconds=1e9)
    assert asked.seconds == run_door.SECONDS_AT_MOST
    for _ in range(40):
        bench.door.on_said(RunSays(asked.number, "h", bytes(1 << 16), False))
    assert bench.door.next_deadline() is None, "it has read nothing, and is gone"
    monkeypatch.setattr(run_door, "ASKERS_AT_MOST", 2)
    other = bench.come()
    bench.ask(other)
    bench.ask(other, 6)
    assert other.hear() == []
    assert other.hear() is None


def test_what_a_life_before_has_left_is_replaced(tmp_path: Path) -> None:
    old = Bench(tmp_path)
    old.door.let_go()
    new = Bench(tmp_path)
    asker = new.come()
    assert asker.hear() == []
    assert os.listdir(tmp_path) == [SOCKET]
    asker.connection.close()
    new.door.let_go()
