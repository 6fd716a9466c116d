"""Sockets for other hosts, between Brokers' ends in one process: who gets in, who is answered, what is said of it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import zmq
from launching import eventually

from fedfutures.broker_process.remote_sockets import MOST_OFFENCES, TRIAL_SECONDS, RemoteSockets
from fedfutures.sockets import keys
from fedfutures.sockets.keys import make_keys
from fedfutures.sockets.options import limit, present, tcp
from fedfutures.sockets.remote import Dialled
from fedfutures.sockets.sockets import context
from fedfutures.wire import codec
from fedfutures.wire.control import SOCKETS, ControlFrame, LinkState
from fedfutures.wire.messages import PROTOCOL, Hello, Ping, State

pytestmark = pytest.mark.host
SECONDS = 5.0
ADDRESS = "127.0.0.1"
BOUND = ("key", "address", "main", "meta", "subscriber", "error")


@dataclass
class End:
    """One Broker's far links, and what they have said and received."""

    name: str
    far: RemoteSockets = field(init=False)
    told: list[ControlFrame] = field(default_factory=list)
    received: list[tuple[str, bytes, bytes | None]] = field(default_factory=list)
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def begin(self, owner: Any, address: str | None) -> None:
        self.far = RemoteSockets(owner, self.name, address, self.told.append, self.known.__contains__)

    def turn(self, now: float = 0.0) -> None:
        for name, frame, data in self.far.receive(64):
            self.received.append((name, bytes(frame), None if data is None else bytes(data)))
        self.heard += self.far.hear(64)
        self.far.tick(now)

    @property
    def bound(self) -> dict[str, Any]:
        return {name: value for name in BOUND if (value := getattr(self.told[0], name))}

    @property
    def addresses(self) -> tuple[str, str, str]:
        return tuple(tcp(ADDRESS, self.bound[kind]) for kind in ("main", "meta", "subscriber"))  # type: ignore[return-value]


class Ends:
    """Makes them, and closes all."""

    def __init__(self) -> None:
        self.owners: list[Any] = []
        self.all: list[End] = []
        self.kept: list[Any] = []

    def owner(self) -> Any:
        """Return another context."""
        self.owners.append(context())
        return self.owners[-1]

    def keep(self, socket: Any) -> Any:
        """Hold on to a socket, so that it is closed at the end and not before."""
        self.kept.append(socket)
        return socket

    def make(self, name: str, address: str | None = None) -> End:
        end = End(name)
        end.begin(self.owner(), address)
        self.all.append(end)
        return end

    def until(self, condition: Callable[[], bool], now: float = 0.0) -> bool:
        def holds() -> bool:
            for end in self.all:
                end.turn(now)
            return condition()

        return eventually(holds, SECONDS)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    for owner in made.owners:
        owner.destroy(linger=0)


@pytest.fixture
def pair(ends: Ends) -> tuple[End, End]:
    """`up` dials `down`, which allows it."""
    down, up = ends.make("down", ADDRESS), ends.make("up")
    down.far.allow("up", up.far.keys.public)
    assert up.far.dial("down", down.addresses, down.bound["key"], 0.0)
    up.far.send("down", b"first")
    assert ends.until(lambda: down.received == [("up", b"first", None)])
    down.received.clear()
    return up, down


def test_what_is_bound_is_said(ends: Ends) -> None:
    down, up = ends.make("down", ADDRESS), ends.make("up")
    assert set(down.bound) == {"key", "address", "main", "meta", "subscriber"}
    assert set(up.bound) == {"key"}
    assert down.bound["key"] != up.bound["key"]


def test_an_address_of_version_6_is_bound_and_dialled(ends: Ends) -> None:
    down, up = ends.make("down", "::1"), ends.make("up")
    if "Cannot assign" in down.bound.get("error", "") or "not supported" in down.bound.get("error", ""):
        pytest.skip("no IPv6 here")
    down.far.allow("up", up.far.keys.public)
    main, meta, subscriber = (tcp("::1", down.bound[kind]) for kind in ("main", "meta", "subscriber"))
    up.far.dial("down", (main, meta, subscriber), down.bound["key"], 0.0)
    up.far.send("down", b"six")
    assert ends.until(lambda: down.received == [("up", b"six", None)])


def test_messages_and_data_go_both_ways(ends: Ends, pair: tuple[End, End]) -> None:
    up, down = pair
    assert up.far.send("down", b"head", memoryview(b"body"))
    assert down.far.send("up", b"back", b"data")
    assert not up.far.send("else", b"x")
    assert not down.far.publish("else", b"x")
    assert ends.until(lambda: bool(up.received and down.received))
    assert down.received == [("up", b"head", b"body")]
    assert up.received == [("down", b"back", b"data")]


def test_states_go_both_ways(ends: Ends, pair: tuple[End, End]) -> None:
    up, down = pair

    def both() -> bool:
        up.far.publish("down", b"from up")
        down.far.publish("up", b"from down")
        return bool(up.heard and down.heard)

    assert ends.until(both)
    assert set(down.heard) == {("up", b"from up")}
    assert set(up.heard) == {("down", b"from down")}


def test_who_publishes_is_whose_key_it_is_and_not_what_it_says(ends: Ends, pair: tuple[End, End]) -> None:
    up, down = pair
    sockets = Dialled(ends.owner(), "down", down.addresses, up.far.keys, down.bound["key"], "up")

    def heard() -> bool:
        sockets.publish("down", "somebody else", b"state")
        return bool(down.heard)

    assert ends.until(heard)
    assert set(down.heard) == {("up", b"state")}
    sockets.close()


def test_a_neighbour_that_has_another_key_is_heard_under_that_one_alone(ends: Ends, pair: tuple[End, End]) -> None:
    up, down = pair
    again = ends.make("up")
    down.far.allow("up", again.far.keys.public)
    again.far.dial("down", down.addresses, down.bound["key"], 0.0)
    up.far.send("down", b"late")
    again.far.send("down", b"new")
    assert ends.until(lambda: bool(down.received) and bool(down.far.strangers))
    assert down.received == [("up", b"new", None)]
    down.far.send("up", b"to the new one")
    assert ends.until(lambda: bool(again.received))
    assert up.received == []


def test_a_new_connection_takes_over_and_an_old_one_does_not_take_it_back(ends: Ends) -> None:
    down = ends.make("down", ADDRESS)
    pair, owner = make_keys(), ends.owner()
    down.far.allow("up", pair.public)
    sockets = [ends.keep(dealer(owner, pair, down)) for _ in range(2)]
    for number, one in enumerate([sockets[0], sockets[1], sockets[0]], 1):
        one.send(b"%d" % number)
        assert ends.until(lambda number=number: len(down.received) == number)  # type: ignore[misc]
    down.far.send("up", b"answer")
    assert sockets[1].poll(1000 * SECONDS)
    assert not sockets[0].poll(50)


def dealer(owner: Any, own: keys.Keys | None, down: End, server: str = "") -> Any:
    """A DEALER that is connected to a Broker's Main socket with some key, or none."""
    socket = owner.socket(zmq.DEALER)
    limit(socket, down.addresses[0], 1 << 30)
    if own is not None:
        present(socket, own, server or down.bound["key"])
    socket.connect(down.addresses[0])
    return socket


# -- why not -----------------------------------------------------------------------------------------------------------


def test_a_link_that_comes_up_and_goes_silent_is_told(ends: Ends, pair: tuple[End, End]) -> None:
    up, _ = pair
    up.known.add("down")
    up.turn()
    up.turn(10.0)
    up.known.clear()
    up.turn(11.0)
    assert up.told[1:] == [
        LinkState("up", "down", True, ""),
        LinkState("up", "down", False, "nothing was heard of down"),
    ]


def test_nothing_is_said_of_a_link_before_it_had_its_time(ends: Ends) -> None:
    up = ends.make("up")
    up.far.dial("down", ("tcp://127.0.0.1:1",) * 3, up.far.keys.public, 0.0)
    up.turn(0.4)
    assert up.told[1:] == []
    assert up.far.deadline() == 0.5
    up.turn(0.5)
    assert up.told[1:]
    assert up.far.deadline() is None


def test_a_relayed_link_moves_to_ports_that_work_and_not_before(ends: Ends, tmp_path: Path) -> None:
    down, up = ends.make("down", ADDRESS), ends.make("up")
    down.far.allow("up", up.far.keys.public)
    relays = [Relay(down.bound[kind], threading.Event(), str(tmp_path / kind)) for kind in SOCKETS]
    main, meta, subscriber = (f"ipc://{tmp_path / kind}" for kind in SOCKETS)
    key = down.bound["key"]
    up.far.dial("down", (main, meta, subscriber), key, 0.0)
    up.far.send("down", b"by relay")
    assert ends.until(lambda: bool(down.received))
    up.known.add("down")
    up.turn()
    assert up.told[-1] == LinkState("up", "down", True, "", relayed=True)

    up.far.try_ports("down", ("tcp://127.0.0.1:1",) * 3, key, 0.0)
    up.turn(0.1)
    assert up.far.deadline() == TRIAL_SECONDS
    up.turn(TRIAL_SECONDS)
    assert up.far.deadline() is None
    up.far.send("down", b"still by relay")
    assert ends.until(lambda: down.received[1:] == [("up", b"still by relay", None)])

    up.far.try_ports("down", down.addresses, key, 0.0)
    assert ends.until(lambda: up.told[-1] == LinkState("up", "down", True, "", relayed=False))
    for relay in relays:
        relay.close()
    up.far.send("down", b"by port")
    assert ends.until(lambda: down.received[2:] == [("up", b"by port", None)])
    down.far.send("up", b"back by port")
    assert ends.until(lambda: bool(up.received))

    up.told.clear()
    up.far.try_ports("down", down.addresses, key, 0.0)  # the connector has not heard of it
    up.turn()
    assert up.told == [LinkState("up", "down", True, "")]


def test_ports_of_another_key_are_no_trial(ends: Ends, pair: tuple[End, End]) -> None:
    up, down = pair
    up.far.try_ports("down", down.addresses, up.far.keys.public, 0.0)
    up.far.try_ports("nobody", down.addresses, down.bound["key"], 0.0)
    assert up.far.deadline() == 0.5


def reason(ends: Ends, up: End, words: str) -> bool:
    return ends.until(lambda: any(isinstance(frame, LinkState) and words in frame.why for frame in up.told), now=1.0)


def test_why_a_link_does_not_come_up(ends: Ends) -> None:
    down, up = ends.make("down", ADDRESS), ends.make("up")
    up.far.dial("down", down.addresses, down.bound["key"], 0.0)
    assert reason(ends, up, f"down at 127.0.0.1:{down.bound['main']} does not accept this Broker's key")
    up.far.dial("down", down.addresses, up.far.keys.public, 0.0)
    assert reason(ends, up, "does not hold the key that down announced over ssh")
    up.far.dial("down", ("tcp://127.0.0.1:1",) * 3, up.far.keys.public, 0.0)
    assert reason(ends, up, "nobody listens at 127.0.0.1:1")
    assert not up.far.dial("other", down.addresses, "", 0.0)
    assert reason(ends, up, "other has announced no key")


def test_who_was_refused_comes_in_once_it_is_allowed(ends: Ends) -> None:
    down, up = ends.make("down", ADDRESS), ends.make("up")
    up.far.dial("down", down.addresses, down.bound["key"], 0.0)
    assert reason(ends, up, "does not accept this Broker's key")
    down.far.allow("up", up.far.keys.public)

    def arrives() -> bool:
        up.turn(time.monotonic())
        up.far.send("down", b"at last")
        return bool(down.received)

    assert ends.until(arrives, now=time.monotonic())
    assert down.received[0] == ("up", b"at last", None)


@pytest.mark.fault("D8")
@pytest.mark.parametrize("which", [0, 1])
def test_a_bit_that_is_changed_on_the_way_costs_a_connection_and_not_the_link(ends: Ends, which: int) -> None:
    """It is changed in what goes to who dials. `which`: on a Main or a Meta connection."""
    down, up = ends.make("down", ADDRESS), ends.make("up")
    down.far.allow("up", up.far.keys.public)
    spoil = threading.Event()
    relay = Relay(down.bound[("main", "meta")[which]], spoil)
    addresses = list(down.addresses)
    addresses[which] = tcp(ADDRESS, relay.port)
    up.far.dial("down", (addresses[0], addresses[1], addresses[2]), down.bound["key"], 0.0)

    def speak() -> bool:
        up.turn(time.monotonic())
        up.far.send("down", b"x")
        down.far.send("up", b"main")
        down.far.publish("up", b"meta")
        return (b"main" in [frame for _, frame, _ in up.received], ("down", b"meta") in up.heard)[which]

    assert ends.until(speak, now=time.monotonic())
    spoil.set()
    assert ends.until(lambda: speak() and relay.connections == 2, now=time.monotonic())
    up.received.clear()
    up.heard.clear()
    assert ends.until(speak, now=time.monotonic())
    relay.close()


class Relay(threading.Thread):
    """Passes bytes, and changes one that goes to who dials when told to spoil."""

    def __init__(self, port: int, spoil: threading.Event, path: str = "") -> None:
        super().__init__(daemon=True)
        self._to, self._spoil, self.connections = port, spoil, 0
        if path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            self._listener.listen()
            self.port = 0
        else:
            self._listener = socket.create_server((ADDRESS, 0))
            self.port = int(self._listener.getsockname()[1])
        self._open: dict[socket.socket, socket.socket] = {}
        self._ended = threading.Event()
        self._backwards: set[socket.socket] = set()
        self.start()

    def run(self) -> None:
        while not self._ended.is_set():
            for ready in select.select([self._listener, *self._open], [], [], 0.02)[0]:
                if ready is self._listener:
                    here, _ = self._listener.accept()
                    there = socket.create_connection((ADDRESS, self._to))
                    self._open |= {here: there, there: here}
                    self._backwards.add(there)
                    self.connections += 1
                elif ready in self._open:
                    self._pass(ready)

    def _pass(self, source: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = bytearray(source.recv(1 << 16))
        if data and source in self._backwards and self._spoil.is_set():
            data[-1] ^= 1
            self._spoil.clear()
        with contextlib.suppress(OSError):
            self._open[source].sendall(data)
        if not data:
            for end in (source, self._open[source]):
                self._open.pop(end).close()
                end.close()

    def close(self) -> None:
        self._ended.set()
        self.join()
        for end in (self._listener, *self._open):
            end.close()


def test_what_is_no_address_cannot_be_bound(ends: Ends) -> None:
    down = ends.make("down", "no address")
    assert set(down.bound) == {"key", "error"}
    assert down.bound["error"].startswith("cannot listen at no address: ")
    down.far.allow("up", make_keys().public)
    assert down.told[1:] == []


def test_a_host_that_others_know_by_an_address_of_none_of_its_own_listens_everywhere(ends: Ends) -> None:
    """As behind a translation of addresses: the neighbour that dials knows the way."""
    down = ends.make("down", "192.0.2.1")
    assert down.bound["address"] == "192.0.2.1"
    with socket.create_connection(("127.0.0.1", down.bound["main"]), timeout=5):
        pass


# -- what a neighbour may say ------------------------------------------------------------------------------------------


def sequenced(message: Any) -> list[tuple[int, int, Any]]:
    return codec.decode_all(codec.encode(message))


def test_a_neighbour_is_a_broker_under_its_own_name(pair: tuple[End, End]) -> None:
    far = pair[1].far
    good = sequenced(Hello(PROTOCOL, "broker", "up", 1, 1))
    assert far.sift("up", good) == good
    for hello in (Hello(PROTOCOL, "worker", "up", 1, 1), Hello(PROTOCOL, "broker", "down", 1, 1)):
        assert far.sift("up", sequenced(hello)) == []
    assert far.sift("up", sequenced(Ping(1))) != []


def test_a_neighbour_that_says_nonsense_is_not_heard_any_more(ends: Ends, pair: tuple[End, End]) -> None:
    up, down = pair
    good = sequenced(State(1, 1, 0, 0, 1))
    for _ in range(MOST_OFFENCES - 1):
        assert down.far.sift("up", []) == []
    assert down.far.sift("up", good) == good
    assert down.far.sift("up", []) == []
    assert down.far.sift("up", good) == []
    up.far.send("down", b"more")
    assert ends.until(lambda: down.far.strangers == 1)
    assert down.received == []
    down.far.allow("up", up.far.keys.public)  # started again, and said to be trusted
    assert down.far.sift("up", good) == good


def test_a_message_of_many_frames_is_nonsense(ends: Ends, pair: tuple[End, End]) -> None:
    up, down = pair
    socket = ends.keep(dealer(ends.owner(), up.far.keys, down))
    socket.send_multipart([b"x"] * 1000)
    socket.send(b"next")
    assert ends.until(lambda: len(down.received) == 2)
    assert down.received == [("up", b"", None), ("up", b"next", None)]
