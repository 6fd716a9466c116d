"""Lanes: what a submitter and the Worker that it was lent say to each other, without a Broker in between."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from fedfutures.node import events as rules
from fedfutures.program.namespaces import Namespaces
from fedfutures.program.snapshots import asked_for
from fedfutures.wire import codec
from fedfutures.wire.messages import Batch, LeaseEnded, Lend, Results, TakeBack
from fedfutures.worker import lane_sockets
from fedfutures.worker.lane_sockets import LaneSockets, lane_path

from .benches import Bench


class Pair:
    """An Origin and a Worker of one host, and their lanes."""

    def __init__(self, origin: Bench, worker: Bench, directory: Path) -> None:
        self.origin, self.worker = origin, worker
        main = f"ipc://{directory}/main"
        self.near, self.far = (LaneSockets(bench.node.driver, main, None) for bench in (origin, worker))
        self.near.listen()
        bodies, node = origin.node.definer, worker.node
        found = Namespaces(lambda keys: [bodies.body_of(*asked_for(key)[:2]) for key in keys], node.payloads.load_with)
        node.surroundings.see_by(found)

    def lend(self, number: int = 7) -> None:
        self.worker.say(Lend(number, self.origin.node.name))
        self.hear()

    def hear(self) -> None:
        """The Origin takes in what has come."""
        while self.origin.node.driver.poll(time.monotonic()):
            self.origin.node.service()

    def work(self) -> None:
        """The Worker runs what has come, with a function that it asks for, and the Origin hears of it."""
        self.far.read(7)
        self.hear()
        self.far.read(7)
        self.worker.run()
        self.worker.node.duties.send_due()
        self.worker.node.driver.flush()
        self.hear()

    def is_open(self) -> bool:
        return self.origin.node.machine.lanes.usable is not None

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def pair(origin: Bench, worker: Bench, tmp_path: Path) -> Any:
    made = Pair(origin, worker, tmp_path)
    yield made
    made.close()


def test_a_lone_call_goes_over_the_lane_and_no_broker_hears_of_it(pair: Pair) -> None:
    pair.lend()
    pair.origin.heard()
    future = pair.origin.node.submit(abs, (-42,), {})
    assert "lent for lone calls" in pair.origin.node.submissions.explain(future)[0]
    pair.work()
    assert future.result(0) == 42
    assert pair.origin.heard(Batch) == []


def test_when_the_broker_wants_the_worker_back_the_next_call_goes_to_it(pair: Pair) -> None:
    pair.lend()
    pair.worker.heard()
    pair.worker.say(TakeBack(7))
    assert pair.worker.heard(LeaseEnded) == [LeaseEnded(7, 0)]
    pair.hear()
    assert not pair.is_open()
    pair.origin.node.submit(abs, (-42,), {})
    assert pair.origin.node.machine.lanes.futures() == []


def test_what_the_worker_has_not_taken_goes_to_the_broker(pair: Pair) -> None:
    pair.lend()
    future = pair.origin.node.submit(abs, (-42,), {})
    pair.worker.say(TakeBack(7))
    pair.hear()
    assert not future.done()
    assert pair.origin.node.machine.lanes.futures() == []
    assert future in pair.origin.node.open_futures()


def test_an_end_that_closes_is_heard(pair: Pair) -> None:
    pair.lend()
    pair.far.close()
    pair.hear()
    assert not pair.is_open()
    pair.worker.heard()


def test_a_submitter_that_closes_is_heard_too(pair: Pair) -> None:
    pair.lend()
    pair.worker.heard()
    pair.near.close()
    pair.far.read(7)
    pair.worker.node.driver.flush()
    assert pair.worker.heard(LeaseEnded) == [LeaseEnded(7, 0)]


def test_where_nobody_listens_the_lease_ends_at_once(pair: Pair) -> None:
    pair.worker.heard()
    pair.worker.say(Lend(7, "origin-of-another-host"))
    assert pair.worker.heard(LeaseEnded) == [LeaseEnded(7, 0)]


@pytest.mark.parametrize("missing", ["sockets", "room"])
def test_where_no_lane_can_be_made_there_is_none(pair: Pair, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    if missing == "sockets":
        monkeypatch.setattr(socket, "socket", refuse)
    else:
        monkeypatch.setattr(socket.socket, "bind", refuse)
    pair.near.listen()
    pair.worker.heard()
    if missing == "sockets":
        pair.worker.say(Lend(7, pair.origin.node.name))
        assert pair.worker.heard(LeaseEnded) == [LeaseEnded(7, 0)]


def test_a_worker_may_decline(pair: Pair) -> None:
    pair.far.decline()
    pair.lend()
    assert not pair.is_open()


@pytest.mark.parametrize("first", [b"", b"\xc1", codec.encode(LeaseEnded(7))])
def test_who_does_not_name_a_lease_is_not_heard(pair: Pair, first: bytes, tmp_path: Path) -> None:
    stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stranger.connect(lane_path(f"ipc://{tmp_path}/main", pair.origin.node.name))
    stranger.send(first) if first else stranger.close()
    pair.hear()
    assert not pair.is_open()
    stranger.close()


def test_what_is_no_message_is_dropped(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    pair.lend()
    pair.near.send(rules.LaneSend(7, LeaseEnded(7)))  # which is not for Workers
    pair.far.read(7)
    assert "dropped a message of a lane" in caplog.text
    assert pair.is_open()


def test_what_does_not_fit_ends_the_lane(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.lend()
    huge = LeaseEnded(7, outcome=bytes(8 << 20))
    for _ in range(2):
        pair.near.send(rules.LaneSend(7, huge))
        assert not pair.is_open()


def test_the_largest_body_that_travels_in_messages_fits(pair: Pair) -> None:
    pair.lend()
    pair.near.send(rules.LaneSend(7, LeaseEnded(7, outcome=bytes(256 << 10))))
    assert pair.is_open()


def test_who_looks_finds_what_comes_or_stops_soon(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.lend()
    assert not pair.near.look(6)
    monkeypatch.setattr(type(pair.near.spinning), "seconds", lambda self, now: 0.01)
    assert not pair.near.look(7)
    future = pair.origin.node.submit(abs, (-42,), {})
    assert pair.far.look(7)
    assert pair.near.look(7)
    assert pair.far.look(7), "it has asked for the function"
    pair.worker.run()
    pair.worker.node.duties.send_due()
    assert pair.near.look(7)
    assert future.done()
    pair.far.close()
    assert pair.near.look(7), "the end of the lane is news"
    assert not pair.is_open()


def test_what_else_has_come_is_looked_at_once_in_a_while(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pair.near.awaited() == 0
    pair.lend()
    assert pair.near.awaited() == 0
    pair.origin.node.submit(abs, (-42,), {})
    found = []
    for now in (10.0, 10.001, 10.002, 10.0 + lane_sockets.DRAIN_EVERY_SECONDS):
        monkeypatch.setattr(lane_sockets, "monotonic", lambda now=now: now)
        found.append(pair.near.awaited())
    assert found == [0, 7, 7, 0]


def test_forks_hold_no_end_of_a_lane(pair: Pair) -> None:
    """Else a Worker that dies would seem to live for as long as what its Futures have forked."""
    pair.lend()
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        assert pair.is_open()
        pair.close()
        limit, others = time.monotonic() + 30, sockets_of(os.getpid())
        while not (closed := sockets_of(child) <= others) and time.monotonic() < limit:
            time.sleep(0.001)  # the child closes them as soon as it runs
        assert closed
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def sockets_of(pid: int) -> set[str]:
    """The sockets of a process; what it closes meanwhile is passed over."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return {link for link in found if link.startswith("socket:")}


def test_outcomes_in_shared_memory_stay_when_their_worker_dies(pair: Pair, tmp_path: Path) -> None:
    handed: list[bytes] = []

    class Segments:
        def hand_over(self, outcome: bytes) -> None:
            handed.append(outcome)

    far = LaneSockets(pair.worker.node.driver, f"ipc://{tmp_path}/main", Segments())  # type: ignore[arg-type]
    pair.lend()
    far.send(rules.LaneSend(7, Results(1, 1, [1, 2], [b"\x01manifest", b"\x80value"])))
    assert handed == [b"\x01manifest"]
