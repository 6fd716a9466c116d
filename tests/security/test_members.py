"""Attacks by one that a Broker was told to let in: what a site that was taken over may do, and what not."""

from __future__ import annotations

import pickle
import random
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from attacked import ADDRESS, Attacker, Pair, Tap, address
from launching import eventually
from lies import a_lie

from fedfutures.broker_process.remote_sockets import MOST_OFFENCES
from fedfutures.federation.channel import Channel
from fedfutures.sockets.keys import make_keys
from fedfutures.wire import codec
from fedfutures.wire.control import DialBroker, LinkState
from fedfutures.wire.messages import (
    MAX_COUNT,
    PROTOCOL,
    UNSEQUENCED,
    Batch,
    Bye,
    Chunk,
    Constant,
    Demand,
    Fetch,
    Function,
    Get,
    Hello,
    Holding,
    Inquire,
    Ping,
    Pong,
    Refused,
    Results,
    State,
    Stranger,
    Want,
    Welcome,
)

pytestmark = pytest.mark.host

TIMES_FORGED = 50
TIMES_FRAMES = 20_000
TIMES_LIES = 3000
FORGED = (Hello, Results, Holding)
"""With these a member says what it is and what has become of Futures: tested apart."""
TIMES_TOPICS = 2000
FLIPPED_CHUNKS = (9, 30, 60)
"""Which of the chunks that pass a tap have a bit flipped."""


class Member:
    """Speaks to `down` as a Broker of some name."""

    def __init__(self, pair: Pair, attacker: Attacker, name: str) -> None:
        self.name, self.places, self.keys = name, pair.down.places, pair.member(name)
        self.socket = attacker.socket(zmq.DEALER, address(self.places), self.keys, self.places["key"])
        self.channel: Any = None

    def say(self, message: Any, *, numbered: bool = False) -> None:
        header = self.channel.number(message, time.monotonic()) if numbered else (0, 0)
        self.socket.send(codec.encode(message, *header))

    def hears(self, kind: type, seconds: float = 5.0) -> Any:
        """The first message of a kind that comes in time, or None."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self.socket.poll(1000 * left):
            for _, _, message in codec.decode_all(self.socket.recv()):
                if type(message) is kind:
                    return message
        return None

    def hello(self, **changed: Any) -> None:
        fields = {"protocol": PROTOCOL, "role": "broker", "name": self.name, "incarnation": 5, "pid": 0} | changed
        self.say(Hello(**fields))

    def join(self) -> Member:
        self.hello()
        welcome = self.hears(Welcome)
        assert welcome is not None
        self.channel = Channel(welcome.session)
        return self


def test_a_member_is_a_broker_under_its_own_name(pair: Pair, attacker: Attacker) -> None:
    member = Member(pair, attacker, "liar.broker")
    with pair.unharmed():
        for changed in ({"role": "worker"}, {"role": "origin"}, {"role": "root"}, {"name": pair.up.broker}):
            member.hello(**changed)
            member.say(Ping(1))
            assert member.hears(Stranger) is not None, "it was let in, or not heard at all"
        member.join()


def test_results_of_what_it_does_not_hold_are_nothing(pair: Pair, attacker: Attacker) -> None:
    with pair.unharmed():
        member = Member(pair, attacker, "forger.broker").join()
        for piece in range(TIMES_FORGED):
            member.say(Results(piece, 1, [1, 2, 3], [b"\0forged"] * 3), numbered=True)
        member.say(Bye("from a Broker, which does not say that"), numbered=True)
        member.say(Ping(9))
        assert member.hears(Pong) is not None


POISON = [
    Batch(1, "p", b"f", 1, 0, 0, False, [1], [b"\x01" + msgpack.packb([b"pickle", ["a-1"]])]),  # a torn manifest
    Want(b"value \xff\x01"),  # no text names the Origin
    Function(b"state \xff\xff\x02", "", b""),
    Get("\ud800", 0, 1),  # no file can have this name
    Fetch("\ud800"),
    Chunk("\ud800", 0, MAX_COUNT),
    Demand(MAX_COUNT, MAX_COUNT, MAX_COUNT),  # sums that no message holds
    Constant("c", MAX_COUNT, b"x"),
    Inquire(1, "explain", 1e308),
]
"""What ended Brokers, or had them send what others refuse."""


def test_no_message_of_a_member_ends_the_broker(pair: Pair, attacker: Attacker) -> None:
    with pair.unharmed():
        member = Member(pair, attacker, "poison.broker").join()
        for message in POISON:
            member.say(message, numbered=type(message) not in UNSEQUENCED)
        member.say(Ping(9))
        assert member.hears(Pong) is not None


def test_well_formed_nonsense_of_a_member_harms_nobody(pair: Pair, attacker: Attacker) -> None:
    dice = random.Random(11)
    with pair.unharmed():
        member = Member(pair, attacker, "babel.broker").join()
        for _ in range(TIMES_LIES):
            message = a_lie(dice)
            if type(message) not in FORGED:
                member.say(message, numbered=type(message) not in UNSEQUENCED)


def test_a_member_cannot_publish_under_another_name(pair: Pair, attacker: Attacker) -> None:
    with pair.unharmed():
        places, keys = pair.down.places, pair.member("loud.broker")
        loud = attacker.socket(zmq.PUB, address(places, "subscriber"), keys, places["key"])
        assert attacker.verdict(loud) == zmq.EVENT_HANDSHAKE_SUCCEEDED
        state = codec.encode(State(1 << 40, 1 << 40, 1000, 1000, 1))
        for _ in range(100):
            loud.send(b"h1.broker\0h0.broker\0" + state)


def test_many_topics_of_a_member_do_no_harm(pair: Pair, attacker: Attacker) -> None:
    with pair.unharmed():
        places, keys = pair.down.places, pair.member("curious.broker")
        curious = attacker.socket(zmq.SUB, address(places, "meta"), keys, places["key"])
        assert attacker.verdict(curious) == zmq.EVENT_HANDSHAKE_SUCCEEDED
        for number in range(TIMES_TOPICS):
            curious.setsockopt(zmq.SUBSCRIBE, b"%d" % number)


def test_a_frame_that_is_too_large_ends_the_connection(pair: Pair, attacker: Attacker) -> None:
    with pair.unharmed():
        member = Member(pair, attacker, "fat.broker").join()
        member.socket.send(bytes(65 << 20), copy=False)
        member.say(Ping(1))
        assert member.hears(Pong, 0.5) is None


def test_a_message_of_many_frames_is_one_offence(pair: Pair, attacker: Attacker) -> None:
    with pair.unharmed():
        member = Member(pair, attacker, "long.broker").join()
        member.socket.send_multipart([b""] * TIMES_FRAMES)
        member.say(Ping(1))
        assert member.hears(Pong) is not None


def test_a_member_that_talks_nonsense_is_muted(pair: Pair, attacker: Attacker) -> None:
    with pair.unharmed():
        member = Member(pair, attacker, "mad.broker").join()
        for number in range(MOST_OFFENCES):
            member.socket.send((b"\x93\x63\0\0", b"\xc1", b"\x91" * 1000, codec.encode(Bye("x")))[number % 4])
        member.say(Ping(1))
        assert member.hears(Pong, 0.5) is None


@pytest.mark.fault("D13")
@pytest.mark.parametrize("protocol", [0, PROTOCOL - 1, PROTOCOL + 1, (1 << 63) - 1])
def test_another_protocol_is_refused_by_name(pair: Pair, attacker: Attacker, protocol: int) -> None:
    member = Member(pair, attacker, "old.broker")
    member.hello(protocol=protocol)
    refused = member.hears(Refused)
    assert refused is not None
    assert f"speaks protocol {PROTOCOL}, old.broker speaks {protocol}" in refused.reason


class Canary:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_a_broker_opens_nothing_that_it_passes_on(pair: Pair, attacker: Attacker, tmp_path: Path) -> None:
    canary = pickle.dumps(Canary(tmp_path / "sang"))
    with pair.unharmed():
        member = Member(pair, attacker, "song.broker").join()
        member.say(Batch(1, "song", b"unknown", 1, 0, 0, False, [1], [b"\0" + canary]), numbered=True)
        assert member.hears(Want) is not None
    assert not (tmp_path / "sang").exists()
    pickle.loads(canary).close()
    assert (tmp_path / "sang").exists()


def test_who_answers_with_another_key_is_not_spoken_to(pair: Pair, attacker: Attacker) -> None:
    """A machine in the middle has keys of its own, and not the one that came over ssh."""
    own, got = make_keys(), []
    middle = attacker.owner.socket(zmq.ROUTER)
    attacker.made.append(middle)
    middle.curve_server, middle.curve_publickey, middle.curve_secretkey = 1, own.public.encode(), own.secret
    port = middle.bind_to_random_port(f"tcp://{ADDRESS}")
    at = f"tcp://{ADDRESS}:{port}"
    pair.up.handle.tell(DialBroker(0, "middle.broker", at, at, at, pair.down.places["key"]))
    told = pair.up.wait_for(LinkState, neighbour="middle.broker", up=False)
    if middle.poll(200):
        got.append(middle.recv_multipart())
    assert got == []
    assert told.why == f"who answers at {ADDRESS}:{port} does not hold the key that middle.broker announced over ssh"


def test_bits_that_are_flipped_on_the_way_change_no_value(pair: Pair) -> None:
    passed = 0

    def flip(chunk: bytes) -> bytes:
        nonlocal passed
        passed += 1
        if passed not in FLIPPED_CHUNKS:
            return chunk
        place = len(chunk) // 2
        return chunk[:place] + bytes([chunk[place] ^ 1]) + chunk[place + 1 :]

    tap = Tap(pair.down.places["main"], flip)
    pair.dial(places=pair.down.places | {"main": tap.port})
    try:
        assert eventually(lambda: pair.serves(20) and passed > FLIPPED_CHUNKS[-1], 20.0)
    finally:
        pair.dial()
        tap.end()
    with pair.unharmed():
        pass
