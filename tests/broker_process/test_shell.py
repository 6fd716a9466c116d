"""A Broker around its real sockets, in a thread: what peers and the host process say to it, and what it says."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from launching import eventually

from fedfutures import futures
from fedfutures.broker.ledger import Ledger
from fedfutures.broker.load import Load
from fedfutures.broker.recovery import Recovery
from fedfutures.broker_process.shell import BrokerShell
from fedfutures.errors import PoisonedFuture
from fedfutures.federation.channel import Channel
from fedfutures.futures.federation import Federation
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import settings_here
from fedfutures.host.settings import Settings
from fedfutures.sockets.sockets import MainDealer, context, wait
from fedfutures.supervision.brokers import broker_places
from fedfutures.wire import codec
from fedfutures.wire.control import BrokerBound, ControlFrame, ExpectPeers, NoMoreWorkers, WorkerEnded
from fedfutures.wire.framing import FrameReader, pack
from fedfutures.wire.manifest import MANIFEST
from fedfutures.wire.messages import (
    LOST,
    POISONED,
    PROTOCOL,
    Batch,
    Chunk,
    Constant,
    Demand,
    Function,
    Get,
    Hello,
    Message,
    Refused,
    Results,
    Stranger,
    Welcome,
)

pytestmark = pytest.mark.host
SECONDS = 5.0
BODY = Function(b"f", "function", b"body")


class Place:
    """A Broker in its directory, and the host process's end of its pipe."""

    def __init__(self, path: Path, index: int = 0) -> None:
        self.place = broker_places("h", 2, str(path))[index]
        kinds = ("shared", "run", "disk")
        facts: dict[str, Any] = {kind: str(path / f"{kind}{index}") for kind in kinds}
        for kind in kinds:
            os.mkdir(facts[kind])
        self.shared = Path(facts["shared"])
        self.host, broker = socket.socketpair()
        self.host.settimeout(SECONDS)
        place = self.place
        facts |= {"main": place.main, "meta": place.meta, "subscriber": place.subscriber}
        settings = Settings("h", 1, 1, debug=True)
        self.shell = BrokerShell(settings, facts, place.name, broker.detach())
        self.thread = threading.Thread(target=self.shell.run)
        self.thread.start()

    def tell(self, *frames: ControlFrame) -> None:
        self.host.sendall(b"".join(map(pack, frames)))

    def told(self) -> ControlFrame:
        """Return the first that the Broker says to the host process."""
        reader = FrameReader()
        while not (frames := reader.feed(self.host.recv(1 << 16))):
            pass
        return frames[0]

    def end(self) -> None:
        """The host process ends."""
        self.host.close()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()
        os.close(self.shell.control)
        self.shell.owner.destroy(linger=0)


class Street:
    """The sockets of all peers in a test."""

    def __init__(self) -> None:
        self.owner, self.dealers = context(), list[MainDealer]()

    def dealer(self, place: Place, name: str) -> MainDealer:
        self.dealers.append(MainDealer(self.owner, place.place.main, name))
        return self.dealers[-1]

    def close(self) -> None:
        for dealer in self.dealers:
            dealer.close()
        self.owner.destroy(linger=0)


class Node:
    """A peer of the Broker that acknowledges what it hears with what it says next."""

    def __init__(self, street: Street, place: Place, name: str, role: str) -> None:
        self.dealer = street.dealer(place, name)
        self.box: list[Message] = []
        self.accepted = 0
        self.put(Hello(PROTOCOL, role, name, 1, 1))
        self.channel = Channel(self.hear(Welcome).session)
        self.accepted = self.channel.acknowledged

    def put(self, *messages: Message) -> None:
        """Say what belongs to no session."""
        for message in messages:
            self.dealer.send(codec.encode(message, 0, 0))

    def say(self, *messages: Message) -> None:
        for message in messages:
            sequence, _ = self.channel.number(message, time.monotonic())
            self.dealer.send(codec.encode(message, sequence, self.accepted))

    def hear(self, kind: type[Any]) -> Any:
        """Wait for a message of a kind, and return it; the others stay."""
        deadline = time.monotonic() + SECONDS
        while not (found := [message for message in self.box if type(message) is kind]):
            assert time.monotonic() < deadline, f"no {kind.__name__} has come"
            wait([self.dealer], [], 0.1)
            while (frame := self.dealer.receive()) is not None:
                for sequence, _, message in codec.decode_all(frame):
                    self.accepted = max(self.accepted, sequence)
                    self.box.append(message)
        self.box.remove(found[0])
        return found[0]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.end()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, 1)
    yield made
    made.end()


@pytest.fixture
def street() -> Iterator[Street]:
    made = Street()
    yield made
    made.close()


def submit(street: Street, place: Place, *ids: int) -> Node:
    """An Origin comes, and gives Futures."""
    origin = Node(street, place, "o", "origin")
    origin.say(BODY, Batch(1, "o", b"f", 1, 0, 0, False, list(ids), [b"payload"] * len(ids)))
    return origin


def test_a_broker_says_first_where_it_is_bound(place: Place) -> None:
    bound = place.told()
    assert isinstance(bound, BrokerBound)
    assert (bound.broker, bound.address, bound.error) == ("h.broker", "", "")


def test_futures_go_to_a_worker_and_their_results_back(place: Place, street: Street) -> None:
    worker = Node(street, place, "w", "worker")
    worker.say(Demand(1, 1))
    origin = submit(street, place, 7)
    assert worker.hear(Function) == BODY
    batch = worker.hear(Batch)
    assert (batch.ids, batch.payloads) == ([7], [b"payload"])
    worker.say(Results(batch.piece, 1, [7], [b"outcome"]))
    results = origin.hear(Results)
    assert (results.piece, results.ids, results.outcomes) == (1, [7], [b"outcome"])


def test_frames_that_are_no_messages_are_counted_and_passed_over(place: Place, street: Street) -> None:
    node = Node(street, place, "o", "origin")
    node.dealer.send(b"junk")
    node.dealer.send(codec.encode(Hello(PROTOCOL, "origin", "o", 1, 1), 0, 0), b"data that only a Chunk may have")
    node.put(Hello(PROTOCOL, "origin", "o", 1, 1))
    node.hear(Welcome)
    assert place.shell.malformed == 2


def test_a_future_that_kills_its_workers_is_poisoned(place: Place, street: Street) -> None:
    origin = submit(street, place, 7)
    for crashes, name in enumerate(("w", "w+1", "w+2")):
        worker = Node(street, place, name, "worker")
        worker.say(Demand(1, 1))
        batch = worker.hear(Batch)
        assert (batch.attempt, batch.crashes) == (crashes + 1, crashes)
        place.tell(WorkerEnded(name, "h", "signal SIGSEGV", True, False, batch.piece, 7, "dump"))
    results = origin.hear(Results)
    assert results.odd == [(7, POISONED)]
    assert msgpack.unpackb(results.outcomes[0]) == ["h", "w+2", "signal SIGSEGV", 3, "dump"]


@pytest.mark.parametrize("raised", [False, True])
def test_what_nobody_will_run_fails_for_the_reason_that_the_host_process_gives(
    place: Place, street: Street, raised: bool
) -> None:
    place.tell(NoMoreWorkers("they end at once", raised))
    results = submit(street, place, 7).hear(Results)
    assert results.odd == [(7, LOST)]
    assert msgpack.unpackb(results.outcomes[0]) == (["they end at once", True] if raised else "they end at once")


def test_nothing_is_given_out_before_workers_that_are_expected_have_come(place: Place, street: Street) -> None:
    place.tell(ExpectPeers(["w"], []))
    assert eventually(lambda: place.shell.machine.recovery.expected.keys() == {"w"}, SECONDS)
    other = Node(street, place, "v", "worker")
    other.say(Demand(1, 1))
    submit(street, place, 7)
    worker = Node(street, place, "w", "worker")
    worker.say(Demand(0, 0))
    assert other.hear(Batch).ids == [7]
    assert place.shell.machine.recovery.expected == {}


def test_a_neighbour_is_dialled_once_and_anew_when_it_has_moved(place: Place, other: Place, street: Street) -> None:
    name, machine = other.place.name, place.shell.machine
    place.tell(other.place.dialled_by(0), other.place.dialled_by(0))
    assert eventually(lambda: name in machine.peers and "h.broker" in other.shell.machine.peers, SECONDS)
    session, dealer = machine.peers[name].session, place.shell.dealers[name]
    place.tell(other.place.dialled_by(0))
    worker = Node(street, other, "v", "worker")
    worker.say(Demand(1, 1))
    submit(street, place, 7)
    assert worker.hear(Batch).ids == [7]  # the Demand came over the link, and the Future went
    assert (machine.peers[name].session, place.shell.dealers[name]) == (session, dealer)
    moved = other.place.dialled_by(0)
    moved.main += "-moved"
    place.tell(moved)
    assert eventually(lambda: place.shell.dealers[name] is not dealer, SECONDS)
    assert place.shell.dialled[name][0] == moved.main


def test_a_neighbour_is_sent_parts_of_segments_that_it_was_told_of(place: Place, street: Street) -> None:
    segment = "h.1-1-1"
    (place.shared / segment).write_bytes(b"0123456789")
    node = Node(street, place, "h2.broker", "broker")
    Node(street, place, "o", "origin").say(Constant("c", 1, MANIFEST + msgpack.packb([b"pickle", [segment], False])))
    assert node.hear(Constant).name == "c"
    node.put(Get(segment, 2, 4))
    found = []

    def has_come() -> bool:
        while (received := node.dealer.receive_all()) is not None:
            frame, data = received
            found.extend((message, data) for _, _, message in codec.decode_all(frame) if type(message) is Chunk)
        return bool(found)

    assert eventually(has_come, SECONDS)
    ((chunk, data),) = found
    assert (chunk, bytes(data or b"")) == (Chunk(segment, 2, 10), b"2345")


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What the Worker w gives is taken in, and then raises; once this is called, its end raises as well."""
    on_batch, close = Load.on_batch, Ledger.close

    def half_way(load: Load, name: str, batch: Batch) -> None:
        if name == "w":
            raise ValueError("planted")
        on_batch(load, name, batch)

    def close_half_way(ledger: Ledger, name: str) -> Any:
        monkeypatch.setattr(Ledger, "close", close)
        raise KeyError("planted, too")

    monkeypatch.setattr(Load, "on_batch", half_way)
    return lambda: monkeypatch.setattr(Ledger, "close", close_half_way)


def serves(street: Street, place: Place, name: str, number: int) -> bool:
    """Whether the Futures of an Origin are run by a Worker that has just come."""
    worker = Node(street, place, name, "worker")
    worker.say(Demand(1, 1))
    batch = worker.hear(Batch)
    worker.say(Results(batch.piece, batch.attempt, batch.ids, [b"outcome"]))
    return bool(batch.ids == [number])


def test_a_message_that_breaks_a_broker_costs_its_sender_the_link(
    place: Place, street: Street, breaks: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    worker = Node(street, place, "w", "worker")
    worker.say(Demand(1, 1))
    origin = submit(street, place, 7)
    worker.hear(Batch)
    worker.say(Batch(1, "w", b"f", 1, 0, 0, False, [1], [b"payload"]))
    why = "Broker h.broker does not hear w any more: its Batch raised ValueError('planted')"
    assert worker.hear(Refused).reason == why
    worker.say(Demand(1, 1))
    worker.put(Hello(PROTOCOL, "worker", "w", 2, 2))
    assert serves(street, place, "v", 7), "what it held does not run elsewhere"
    assert origin.hear(Results).ids == [7]
    assert place.shell.renewals == 0
    assert list(place.shell.machine.peers) == ["o", "v"]
    assert why in capfd.readouterr().err


def test_a_broker_whose_books_do_not_agree_begins_anew(
    place: Place, street: Street, breaks: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    worker = Node(street, place, "w", "worker")
    origin = submit(street, place, 7)
    breaks()
    worker.say(Batch(1, "w", b"f", 1, 0, 0, False, [1], [b"payload"]))
    assert "planted" in worker.hear(Refused).reason
    origin.say(Demand(0, 0))
    assert origin.hear(Stranger) == Stranger()
    origin = submit(street, place, 7)
    assert serves(street, place, "v", 7)
    assert origin.hear(Results).ids == [7]
    assert place.shell.renewals == 1
    assert "begins anew" in capfd.readouterr().err


@pytest.fixture
def breaks_unasked(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, str], None]:
    """Let a method of a part of the Broker raise once."""

    def plant(part: type, name: str) -> None:
        whole = getattr(part, name)

        def raises(*_: Any, **__: Any) -> Any:
            monkeypatch.setattr(part, name, whole)
            raise ValueError("planted")

        monkeypatch.setattr(part, name, raises)

    return plant


@pytest.mark.parametrize("event", ["Tick", "GaveUp"])
def test_what_breaks_a_broker_and_has_no_sender_does_not_end_it(
    event: str, place: Place, street: Street, breaks_unasked: Callable[[type, str], None], capfd: Any
) -> None:
    origin = submit(street, place, 7)
    if event == "Tick":
        breaks_unasked(Load, "balance")
    else:
        breaks_unasked(Recovery, "give_up")
        place.tell(NoMoreWorkers("none starts"))
    assert eventually(lambda: place.shell.renewals == 1, SECONDS)
    origin.say(Demand(0, 0))
    assert origin.hear(Stranger) == Stranger()
    origin = submit(street, place, 7)
    if event == "Tick":
        assert serves(street, place, "v", 7)
    assert origin.hear(Results).odd == ([] if event == "Tick" else [(7, LOST)])
    assert f"{event} raised ValueError('planted')" in capfd.readouterr().err


def test_a_stranger_is_told_so(place: Place, street: Street) -> None:
    node = Node(street, place, "o", "origin")
    node.dealer, node.accepted = street.dealer(place, "nobody"), 0
    node.say(Demand(1, 1))
    assert node.hear(Stranger) == Stranger()


BREAKS = """
from fedfutures.broker.load import Load

on_batch = Load.on_batch

def half_way(load, name, batch):
    if batch.priority == 7:
        raise ValueError("planted")
    on_batch(load, name, batch)

Load.on_batch = half_way
from fedfutures.host_process import main
main()
"""
"""A host process whose Broker breaks at Futures of priority 7."""


def nest(number: int) -> int:
    """Submit a Future at which the Broker breaks."""
    future = futures.options(priority=7).submit(nap, number)
    assert eventually(future.done, SECONDS), "it was not given to the Broker"  # a wait for its result might run it here
    return int(future.result())


def nap(number: int) -> int:
    """Take a while."""
    time.sleep(0.01)
    return number


def test_a_future_that_breaks_brokers_is_poisoned_and_others_run(capfd: pytest.CaptureFixture[str]) -> None:
    handle = HostHandle(settings_here(2), command=[sys.executable, "-c", BREAKS])
    federation = Federation(handle, prefix=False)
    try:
        broken = federation.origin.submit(nest, (3,), {})
        others = [federation.origin.submit(nap, (number,), {}) for number in range(200)]
        assert [future.result(4 * SECONDS) for future in others] == list(range(200))
        with pytest.raises(PoisonedFuture, match="its Batch raised ValueError"):
            broken.result(4 * SECONDS)
    finally:
        federation.close()
    assert capfd.readouterr().err.count("does not hear") == 3
