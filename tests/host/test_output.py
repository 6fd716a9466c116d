"""The pipes of Workers: what is read at a pace, held back, and passed on at the end."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator

import pytest

from fedfutures.host.child import Child
from fedfutures.host.crash_cells import HALF, CrashCells
from fedfutures.host.lines import PARTIAL_SECONDS, READS_AT_ONCE, Lines
from fedfutures.host.output import Outputs
from fedfutures.wire.control import ControlFrame, WorkerOutput


class Pipes:
    """A Worker's ends of the pipes, and what is passed on of them."""

    def __init__(self) -> None:
        self.poller = select.poll()
        self.sent: list[ControlFrame] = []
        self.outputs = Outputs(self.poller, self.sent.append)
        self.control, here = (end.detach() for end in socket.socketpair())
        self.child = Child("worker", "h.1", 0, 0, here, CrashCells(), os.dup(2), self.poller)
        self.writes: list[int] = []
        for stream in (1, 2):
            read, write = os.pipe()
            os.set_blocking(read, False)
            self.child.outputs[read] = (stream, Lines(time.monotonic()))
            self.writes.append(write)
        self.reads = list(self.child.outputs)
        self.outputs.add(self.child)

    def readable(self) -> list[int]:
        return [descriptor for descriptor, events in self.poller.poll(0) if events & select.POLLIN]

    def texts(self) -> list[tuple[int, bytes]]:
        return [(frame.stream, frame.text) for frame in self.sent if isinstance(frame, WorkerOutput)]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes()
    yield made
    for write in made.writes:
        os.close(write)
    made.outputs.drain(made.child, close=True)
    made.child.close()
    os.close(made.control)


def test_lines_are_passed_on_with_their_stream(pipes: Pipes) -> None:
    os.write(pipes.writes[0], b"one\ntw")
    os.write(pipes.writes[1], b"error\n")
    assert sorted(pipes.readable()) == sorted(pipes.reads)
    for read in pipes.reads:
        assert pipes.outputs.read(pipes.child, read)
    assert pipes.texts() == [(1, b"one\n"), (2, b"error\n")]
    assert pipes.outputs.deadline() is not None
    pipes.outputs.tick(time.monotonic() + PARTIAL_SECONDS)
    assert pipes.texts()[2:] == [(1, b"tw")]
    assert pipes.outputs.deadline() is None
    assert not pipes.outputs.read(pipes.child, pipes.reads[0])


def test_while_it_is_held_back_it_waits_in_the_pipes(pipes: Pipes) -> None:
    pipes.outputs.pace(True, [pipes.child])
    os.write(pipes.writes[0], b"one\n")
    assert pipes.readable() == []
    pipes.outputs.pace(False, [pipes.child])
    assert pipes.readable() == [pipes.reads[0]]


def test_a_line_whose_end_is_held_back_is_not_cut(pipes: Pipes) -> None:
    os.write(pipes.writes[0], b"tw")
    assert pipes.outputs.read(pipes.child, pipes.reads[0])
    pipes.outputs.pace(True, [pipes.child])
    os.write(pipes.writes[0], b"o\n")
    assert pipes.outputs.deadline() is None
    pipes.outputs.tick(time.monotonic() + 9.0)
    pipes.outputs.pace(False, [pipes.child])
    pipes.outputs.tick(time.monotonic())
    assert pipes.texts() == []
    assert pipes.outputs.read(pipes.child, pipes.reads[0])
    assert pipes.texts() == [(1, b"two\n")]


def test_a_stream_that_was_read_often_rests(pipes: Pipes) -> None:
    for _ in range(READS_AT_ONCE + 10):
        os.write(pipes.writes[0], b"line\n")
        pipes.outputs.read(pipes.child, pipes.reads[0])
    os.write(pipes.writes[0], b"last\n")
    assert pipes.readable() == []
    pipes.outputs.tick(time.monotonic() + 1.0)
    assert pipes.readable() == [pipes.reads[0]]


def test_the_last_words_come_although_somebody_else_holds_the_pipe(pipes: Pipes) -> None:
    os.write(pipes.writes[0], b"one\nrest")
    pipes.child.cells.halves[1].write(b" spooled")
    pipes.child.cells.cells[HALF] = 1
    pipes.outputs.drain(pipes.child, close=False)
    assert pipes.texts() == [(1, b"one\n")]
    pipes.outputs.drain(pipes.child, close=True)
    assert pipes.texts() == [(1, b"one\n"), (1, b"rest spooled\n")]
    assert pipes.child.outputs == {}
    assert pipes.readable() == []
