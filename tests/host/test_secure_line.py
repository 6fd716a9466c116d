"""Lines and joints over real sockets: all bytes, in order, and the end of each way behind them."""

from __future__ import annotations

import os
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from fedfutures.host.secure_line import WAITING_AT_MOST_BYTES, Joint, SecureLine
from fedfutures_launcher.launchers.certificate import listening_context

SECONDS = 5.0


def dialling_context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=certificate)
    return context


class Pair:
    """Two lines that are joined to pipes; `push` and `pull` are the outer ends, first of the one who listens."""

    def __init__(self) -> None:
        certificate, listening = listening_context()
        one, other = socket.socketpair()
        self.lines = [
            SecureLine(one, listening, listens=True),
            SecureLine(other, dialling_context(certificate), listens=False),
        ]
        self.until(lambda: [line.receive() for line in self.lines] and all(line.shaken for line in self.lines))
        self.push, self.pull, self.inner = [-1, -1], [-1, -1], list[int]()
        self.joints = [self._joint(number) for number in (0, 1)]

    def _joint(self, number: int) -> Joint:
        source, self.push[number] = os.pipe()
        self.pull[number], sink = os.pipe()
        for descriptor in (source, sink, self.push[number], self.pull[number]):
            os.set_blocking(descriptor, False)
        self.inner.append(source)
        return Joint(self.lines[number], source, sink, lambda: os.close(sink))

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, "it takes too long"

    def turn(self) -> None:
        for joint in self.joints:
            joint.turn(0.0)

    def read(self, number: int) -> bytes | None:
        """Return what has come out; None: nothing yet."""
        try:
            return os.read(self.pull[number], 1 << 20)
        except BlockingIOError:
            return None

    def rest(self, number: int) -> bytes:
        """Return all that comes out until the end."""
        found = bytearray()
        deadline = time.monotonic() + SECONDS
        while (data := self.read(number)) != b"":
            found += data or b""
            self.turn()
            assert time.monotonic() < deadline, f"no end behind {len(found)} bytes"
        return bytes(found)

    def close(self) -> None:
        for line in self.lines:
            line.close()
        for descriptor in (*self.inner, *self.push, *self.pull):
            if descriptor >= 0:
                os.close(descriptor)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_all_bytes_come_both_ways_and_then_the_ends(pair: Pair) -> None:
    dice = random.Random(1)
    left, found = [dice.randbytes(3_000_000), dice.randbytes(1_000_000)], [bytearray(), bytearray()]
    sent, ended = list(left), [False, False]
    deadline = time.monotonic() + 20.0
    while not all(ended):
        assert time.monotonic() < deadline
        for number in (0, 1):
            try:
                if left[number]:
                    left[number] = left[number][
                        os.write(pair.push[number], left[number][: dice.randrange(1, 200_000)]) :
                    ]
                elif pair.push[number] >= 0:
                    os.close(pair.push[number])
                    pair.push[number] = -1
            except BlockingIOError:
                pass
            data = None if ended[number] else pair.read(number)
            found[number] += data or b""
            ended[number] = ended[number] or data == b""
        pair.turn()
    assert [bytes(found[1]), bytes(found[0])] == sent
    assert all(joint.source_ended and joint.sink_ended for joint in pair.joints)
    assert not any(line.ended for line in pair.lines), "the end of the streams is not that of the line"


def test_one_way_may_end_long_before_the_other(pair: Pair) -> None:
    os.write(pair.push[0], b"question")
    os.close(pair.push[0])
    pair.push[0] = -1
    assert pair.rest(1) == b"question"
    assert pair.joints[1].sink_ended
    os.write(pair.push[1], b"answer")
    os.close(pair.push[1])
    pair.push[1] = -1
    assert pair.rest(0) == b"answer"


def test_a_line_that_is_cut_gives_what_has_come_and_then_the_end(pair: Pair) -> None:
    os.write(pair.push[0], b"last words")
    pair.joints[0].turn(0.1)
    pair.lines[0].close()
    assert pair.rest(1) == b"last words"
    assert pair.lines[1].ended


def test_who_does_not_read_gets_no_more_than_there_is_room_for(pair: Pair) -> None:
    sent = 0
    for _ in range(2000):
        try:
            sent += os.write(pair.push[0], bytes(1 << 16))
        except BlockingIOError:
            pass
        pair.turn()
    assert sent < 12 * WAITING_AT_MOST_BYTES
    os.close(pair.push[0])
    pair.push[0] = -1
    assert len(pair.rest(1)) == sent


def test_a_sink_that_nobody_reads_ends(pair: Pair) -> None:
    os.close(pair.pull[1])
    pair.pull[1] = -1
    os.write(pair.push[0], b"for nobody")
    pair.until(lambda: (pair.turn(), pair.joints[1].sink_ended)[1])
    os.write(pair.push[1], b"still here")
    os.close(pair.push[1])
    pair.push[1] = -1
    assert pair.rest(0) == b"still here"


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\1\0\1 long"])
def test_a_piece_of_impossible_length_cuts_the_line(pair: Pair, data: bytes) -> None:
    pair.lines[0].send(data)
    pair.until(lambda: (pair.joints[1].turn(0.0), pair.lines[1].ended)[1])
    assert pair.rest(1) == b""


def test_others_that_can_be_read_are_named(pair: Pair) -> None:
    read, write = os.pipe()
    assert pair.joints[0].turn(0.0, read) == []
    os.close(write)
    assert pair.joints[0].turn(SECONDS, read) == [read]
    os.close(read)


def test_another_certificate_ends_the_line() -> None:
    _, listening = listening_context()
    other, _ = listening_context()
    here, there = socket.socketpair()
    lines = [SecureLine(here, listening, listens=True), SecureLine(there, dialling_context(other), listens=False)]
    for _ in range(10):
        for line in lines:
            if not line.ended:
                assert line.receive() == b""
    assert [line.ended for line in lines] == [True, True]
    assert not lines[1].shaken
    for line in lines:
        line.close()
        line.send(b"too late")


@pytest.mark.parametrize("text", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01", b"\0" * 1000])
def test_who_speaks_no_tls_is_no_trouble(text: bytes) -> None:
    _, listening = listening_context()
    here, there = socket.socketpair()
    line = SecureLine(here, listening, listens=True)
    there.sendall(text)
    there.shutdown(socket.SHUT_WR)
    for _ in range(3):
        if not line.ended:
            assert line.receive() == b""
    assert line.ended
    line.close()
    there.close()


def test_bytes_that_were_asked_for_are_not_more() -> None:
    certificate, listening = listening_context()
    here, there = socket.socketpair()
    one, other = (
        SecureLine(here, listening, listens=True),
        SecureLine(there, dialling_context(certificate), listens=False),
    )
    for _ in range(5):
        one.receive()
        other.receive()
    one.send(b"+more")
    assert other.receive(1) == b"+"
    assert other.receive() == b"more"
    one.send(b"+\0\0\0\5early")
    assert other.receive(1) == b"+"
    (source, push), (pull, sink) = os.pipe(), os.pipe()
    joint = Joint(other, source, sink, lambda: None)
    joint.turn(0.0)
    os.set_blocking(pull, False)
    assert os.read(pull, 10) == b"early", "what came with the greeting needs no more to come"
    for descriptor in (source, push, pull, sink):
        os.close(descriptor)
    one.close()
    other.close()
