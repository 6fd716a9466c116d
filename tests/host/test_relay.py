"""Relayed streams: bytes go through two relays as they are, and a side that does not read holds the other one up."""

from __future__ import annotations

import random
import select
import socket

import pytest

from fedfutures.host.local_streams import WINDOW_BYTES
from fedfutures.host.relay import Relay
from fedfutures.lazy_dataclass import replaced
from fedfutures.wire.control import BrokerBound, CloseStream, OpenStream, RelayBroker, StreamCredit, StreamData

pytestmark = pytest.mark.host


class Pair:
    """Two hosts' relays, joined as the connector joins them: stream n of the one is stream n + 1 of the other."""

    def __init__(self, tmp_path):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.poller = select.poll()
        self.wire = []
        self.here = Relay(str(tmp_path), lambda frame: self.wire.append((self.there, 1, frame)), self.poller)
        self.there = Relay(str(tmp_path), lambda frame: self.wire.append((self.here, -1, frame)), self.poller)
        self.ports = {"h.broker": BrokerBound("h.broker", "K", "127.0.0.1", self.server.getsockname()[1])}
        self.carried = 0

    def turn(self, times=1):
        for _ in range(times):
            for descriptor, events in self.poller.poll(5):
                assert self.here.serve(descriptor, events) or self.there.serve(descriptor, events)
            while self.wire:
                target, step, frame = self.wire.pop(0)
                self.carried += len(frame.data) if isinstance(frame, StreamData) else 0
                target.on_frame(replaced(frame, stream=frame.stream + step), self.ports)

    def dial(self):
        place = self.here.dialled(RelayBroker(0, "h.broker", "K"))
        assert place.key == "K"
        dialling = socket.socket(socket.AF_UNIX)
        dialling.connect(place.main.removeprefix("ipc://"))
        self.turn(3)
        self.server.settimeout(5)
        accepted, _ = self.server.accept()
        dialling.setblocking(False)
        accepted.setblocking(False)
        return dialling, accepted

    def close(self, *sockets):
        for each in sockets:
            each.close()
        self.turn(3)
        self.server.close()
        self.here.close()


def pump(pair, source, target, data):
    got, left = bytearray(), memoryview(data)
    for _ in range(5000):
        if left:
            try:
                left = left[source.send(left[: 1 << 20]) :]
            except BlockingIOError:
                pass
        pair.turn()
        try:
            got += target.recv(1 << 20)
        except BlockingIOError:
            pass
        if len(got) == len(data):
            break
    return bytes(got)


def test_what_goes_in_comes_out(tmp_path):
    pair = Pair(tmp_path)
    dialling, accepted = pair.dial()
    data = random.Random(1).randbytes(5 * WINDOW_BYTES + 17)
    assert pump(pair, dialling, accepted, data) == data
    assert pump(pair, accepted, dialling, data[::-1]) == data[::-1]
    dialling.close()
    pair.turn(5)
    assert accepted.recv(1) == b""
    pair.close(accepted)


def test_a_host_knows_its_own_ends_of_streams_to_its_brokers(tmp_path):
    """By them it tells a link through the launching side from one that comes to the same port from outside."""
    pair = Pair(tmp_path)
    dialling, accepted = pair.dial()
    assert pair.there.ends() == [accepted.getpeername()]
    assert pair.here.ends() == [], "the other end of it leads to a Broker that dials, not to a port"
    pair.close(dialling, accepted)
    assert pair.there.ends() == []


def test_who_does_not_read_holds_the_other_side_up(tmp_path):
    pair = Pair(tmp_path)
    dialling, accepted = pair.dial()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    sent = 0
    for _ in range(500):
        try:
            sent += dialling.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        pair.turn()
    assert pair.carried <= 12 * WINDOW_BYTES  # the window, and what kernels hold
    before = pair.carried
    pair.turn(50)
    assert pair.carried == before
    pair.close(dialling, accepted)


def test_what_cannot_be_reached_closes(tmp_path):
    pair = Pair(tmp_path)
    pair.ports["h.broker"].main = 0
    dialling = socket.socket(socket.AF_UNIX)
    dialling.connect(pair.here.dialled(RelayBroker(0, "h.broker", "K")).main.removeprefix("ipc://"))
    pair.turn(5)
    dialling.settimeout(5)
    assert dialling.recv(1) == b""
    pair.close(dialling)


def test_a_connection_that_was_lost_takes_its_streams_along(tmp_path):
    pair = Pair(tmp_path)
    dialling, accepted = pair.dial()
    pair.here.reset()
    dialling.settimeout(5)
    assert dialling.recv(1) == b""
    pair.wire.clear()
    pair.close(dialling, accepted)


def refused(pair, *frames):
    """Say something to a relay, and return what it answers."""
    pair.wire.clear()
    for frame in frames:
        pair.there.on_frame(frame, pair.ports)
    return [frame for _, _, frame in pair.wire]


@pytest.mark.parametrize("number", [2, 3])
def test_a_stream_that_is_open_or_has_a_number_of_this_hosts_is_not_opened(tmp_path, number):
    pair = Pair(tmp_path)
    dialling, accepted = pair.dial()
    assert refused(pair, OpenStream(number, "h.broker", "main")) == [CloseStream(number)]
    assert pump(pair, dialling, accepted, b"as before") == b"as before"
    pair.close(dialling, accepted)


def test_who_sends_more_than_it_may_loses_its_stream(tmp_path):
    pair = Pair(tmp_path)
    dialling, accepted = pair.dial()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    assert refused(pair, StreamData(2, bytes(WINDOW_BYTES + 1))) == [CloseStream(2)]
    assert refused(pair, StreamData(2, b"late"), StreamCredit(2, 1), CloseStream(2)) == []
    pair.close(dialling, accepted)


def test_credit_is_no_more_than_the_window(tmp_path):
    pair = Pair(tmp_path)
    dialling, accepted = pair.dial()
    refused(pair, StreamCredit(2, (1 << 63) - 1))
    sent = 0
    for _ in range(200):
        try:
            sent += accepted.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        for descriptor, events in pair.poller.poll(5):
            pair.there.serve(descriptor, events)
    assert sum(len(frame.data) for _, _, frame in pair.wire if isinstance(frame, StreamData)) == WINDOW_BYTES
    pair.wire.clear()
    pair.close(dialling, accepted)


@pytest.mark.parametrize("address", ["a" * 300, "\0", "..", "\ud800"])
def test_what_is_no_address_closes(tmp_path, address):
    pair = Pair(tmp_path)
    pair.ports["h.broker"].address = address
    assert refused(pair, OpenStream(2, "h.broker", "main")) == [CloseStream(2)]
    pair.close()
