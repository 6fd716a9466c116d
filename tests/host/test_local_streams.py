"""The ends of streams in one process: bytes, credit and ends. Both ends of relays are in test_relay.py."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from fedfutures.host.local_streams import WINDOW_BYTES, LocalStreams
from fedfutures.wire.control import CloseStream, StreamCredit, StreamData, StreamFrame


class Ends:
    """A stream, with number 2, and who sits at its end."""

    def __init__(self) -> None:
        self.said: list[StreamFrame] = []
        self.poller = select.poll()
        self.streams = LocalStreams(self.said.append, self.poller)
        ours, self.user = socket.socketpair()
        ours.setblocking(False)
        self.user.setblocking(False)
        self.streams.add(2, ours)

    def serve(self) -> None:
        for descriptor, events in self.poller.poll(10):
            assert self.streams.serve(descriptor, events)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.streams.reset()
    made.user.close()


def test_bytes_go_both_ways_and_the_end_is_said(ends: Ends) -> None:
    ends.user.send(b"question")
    ends.serve()
    assert ends.said == [StreamData(2, b"question")]
    ends.streams.on_frame(StreamData(2, b"answer"))
    assert ends.user.recv(100) == b"answer"
    ends.user.close()
    ends.serve()
    assert ends.said[1:] == [CloseStream(2)]
    assert 2 not in ends.streams
    assert not ends.streams.serve(99, select.POLLIN)


def test_what_came_before_the_end_is_written(ends: Ends) -> None:
    ends.streams.on_frame(StreamData(2, b"last words"))
    ends.streams.on_frame(CloseStream(2))
    assert (ends.user.recv(100), ends.user.recv(100)) == (b"last words", b"")
    ends.streams.on_frame(StreamData(2, b"too late"))
    assert ends.said == []


def test_no_more_waits_on_the_way_than_there_is_credit_for(ends: Ends) -> None:
    sent = 0
    for _ in range(200):
        try:
            sent += ends.user.send(b"x" * 65536)
        except BlockingIOError:
            ends.serve()
    came = sum(len(frame.data) for frame in ends.said if isinstance(frame, StreamData))
    assert came == WINDOW_BYTES < sent
    ends.streams.on_frame(StreamCredit(2, 1000))
    ends.serve()
    assert sum(len(frame.data) for frame in ends.said if isinstance(frame, StreamData)) == WINDOW_BYTES + 1000
    ends.streams.on_frame(StreamData(2, b"x" * (WINDOW_BYTES + 1)))
    assert ends.said[-1] == CloseStream(2), "more than the other end had credit for"


def test_all_are_dropped_when_their_bytes_are_lost(ends: Ends) -> None:
    ends.streams.reset()
    assert ends.user.recv(10) == b""
    assert ends.said == []
