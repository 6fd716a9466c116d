"""Frames over descriptors that do not block: what does not fit waits, and nothing is lost or doubled."""

from __future__ import annotations

import os
import select
import socket

import pytest

from fedfutures.host.frame_line import FrameLine, UnsentFrames
from fedfutures.wire.control import ControlFrame, Notice, StreamData
from fedfutures.wire.framing import FrameReader, pack

LARGE = StreamData(2, bytes(1 << 20))


def drained(line: FrameLine, other: FrameLine, poller: select.poll, count: int) -> list[ControlFrame]:
    """Return the frames that come, while both ends are served."""
    found: list[ControlFrame] = []
    while len(found) < count:
        for descriptor, _ in poller.poll(5000):
            if descriptor == line.write:
                line.flush()
            if descriptor == other.read and (data := other.receive()):
                found += other.reader.feed(data)
    return found


@pytest.mark.parametrize("kind", ["socket", "pipes"])
def test_what_does_not_fit_waits(kind: str) -> None:
    poller = select.poll()
    if kind == "socket":
        one, two = (end.detach() for end in socket.socketpair())
        line, other = FrameLine(one, one, poller), FrameLine(two, two, poller)
        descriptors = [one, two]
    else:
        (read, their_write), (their_read, write) = os.pipe(), os.pipe()
        line, other = FrameLine(read, write, poller), FrameLine(their_read, their_write, poller)
        descriptors = [read, write, their_read, their_write]
    line.send(LARGE)
    line.send(Notice("behind it"))
    assert line.unsent.size > 1 << 19
    assert drained(line, other, poller, 2) == [LARGE, Notice("behind it")]
    assert not line.unsent
    assert other.receive() is None
    for descriptor in descriptors:
        os.close(descriptor)


def test_the_end_is_seen_and_what_waits_for_a_reader_that_is_gone_is_dropped() -> None:
    poller = select.poll()
    one, two = (end.detach() for end in socket.socketpair())
    line = FrameLine(one, one, poller)
    os.close(two)
    assert line.receive() == b""
    line.send(LARGE)
    assert not line.unsent
    line.let_go()
    line.send(LARGE)
    assert not line.unsent
    assert poller.poll(0) == []
    os.close(one)


def test_another_reader_gets_the_first_frame_from_its_beginning() -> None:
    waiting = UnsentFrames()
    read, write = os.pipe()
    os.set_blocking(write, False)
    waiting.add(LARGE)
    waiting.add(Notice("last"))
    size = waiting.size
    waiting.write(write)
    assert waiting.size < size
    os.close(read)
    with pytest.raises(BrokenPipeError):
        waiting.write(write)
    os.close(write)
    waiting.begin_again()
    assert waiting.size == size
    read, write = os.pipe()
    os.set_blocking(write, False)
    os.set_blocking(read, False)
    got = b""
    while waiting or len(got) < size:
        waiting.write(write)
        got += os.read(read, 1 << 20)
    assert got == pack(LARGE) + pack(Notice("last"))
    assert FrameReader().feed(got) == [LARGE, Notice("last")]
    os.close(read)
    os.close(write)
