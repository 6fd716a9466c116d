"""Attacks by those who hold no key that a Broker was told of: whatever they send, nothing of it arrives."""

from __future__ import annotations

import os
import random
import resource
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import zmq
from attacked import ADDRESS, KINDS, PARTNERS, Attacker, Pair, Tap, address, raw
from launching import eventually

from fedfutures.sockets.keys import make_keys
from fedfutures.wire import codec
from fedfutures.wire.messages import Ping

pytestmark = pytest.mark.host

TIMES_GREETINGS = 2000
TIMES_IDLE = 200
TIMES_FLOOD = 1000
TIMES_TOPICS = 2000
TIMES_REPLAYED = 20
FLOOD_DESCRIPTORS = 64
"""How many more the Broker may open in a flood of connections."""
HANDSHAKE_SECONDS = 2.0
REFUSED_PLAIN = (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
"""Which of them depends on which end is the first to see that the other speaks in another way."""

GREETING = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x01"  # ZMTP 3.1, up to the mechanism


def greeting(mechanism: bytes) -> bytes:
    return GREETING + mechanism.ljust(20, b"\0") + b"\0" * 32


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_comes_in_without_a_key(pair: Pair, attacker: Attacker, kind: str) -> None:
    with pair.unharmed():
        for partner in PARTNERS[kind]:
            for options in ({}, {"plain_username": b"root", "plain_password": b"root"}):
                plain = attacker.socket(partner, address(pair.down.places, kind), **options)
                assert attacker.verdict(plain) in REFUSED_PLAIN
                assert not plain.poll(5)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_comes_in_with_a_key_that_nobody_knows(pair: Pair, attacker: Attacker, kind: str) -> None:
    places = pair.down.places
    with pair.unharmed():
        for partner in PARTNERS[kind]:
            unknown = attacker.socket(partner, address(places, kind), make_keys(), places["key"])
            assert attacker.verdict(unknown) == zmq.EVENT_HANDSHAKE_FAILED_AUTH
            assert not unknown.poll(5)


def test_a_rogue_broker_that_announces_itself_is_not_heard(pair: Pair, attacker: Attacker) -> None:
    places = pair.down.places
    with pair.unharmed():
        for keys in (None, make_keys()):
            rogue = attacker.socket(zmq.PUB, address(places, "subscriber"), keys, places["key"])
            assert attacker.verdict(rogue) != zmq.EVENT_HANDSHAKE_SUCCEEDED
            for _ in range(20):
                rogue.send(b"h1.broker\0h0.broker\0\x98\x0f\x00\x00\x01\x01\x00\xce\xff\xff\xff\xff\x01")


def test_a_key_that_was_replaced_is_a_strangers(pair: Pair, attacker: Attacker) -> None:
    places, old = pair.down.places, pair.member("left.broker")
    before = attacker.socket(zmq.DEALER, address(places), old, places["key"])
    assert attacker.verdict(before) == zmq.EVENT_HANDSHAKE_SUCCEEDED
    pair.strangers.pop("left.broker")
    pair.member("left.broker")
    after = attacker.socket(zmq.DEALER, address(places), old, places["key"])
    assert attacker.verdict(after) == zmq.EVENT_HANDSHAKE_FAILED_AUTH


def test_a_key_of_this_server_that_is_no_longer_is_no_way_in(pair: Pair, attacker: Attacker) -> None:
    places, keys = pair.down.places, pair.member("right.broker")
    wrong = attacker.socket(zmq.DEALER, address(places), keys, make_keys().public)
    assert attacker.verdict(wrong) == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL


def test_a_recorded_session_that_is_replayed_is_noise(pair: Pair, attacker: Attacker) -> None:
    places, keys = pair.down.places, pair.member("taped.broker")
    tap = Tap(places["main"], bytes)
    taped = attacker.socket(zmq.DEALER, f"tcp://{ADDRESS}:{tap.port}", keys, places["key"])
    assert attacker.verdict(taped) == zmq.EVENT_HANDSHAKE_SUCCEEDED
    taped.send(codec.encode(Ping(1)))
    assert taped.poll(5000), "not answered"
    session = bytes(tap.recorded)
    taped.close(0)
    tap.end()
    with pair.unharmed():
        for _ in range(TIMES_REPLAYED):
            with raw(places, "main") as again:
                again.sendall(session)
                answer = read_all(again)
                # A greeting, and the WELCOME of the handshake, which is sealed for a key that only the first one had.
                assert len(answer) <= 64 + 2 + 168


def read_all(connection: Any) -> bytes:
    found = b""
    with suppress(OSError):
        while chunk := connection.recv(1 << 16):
            found += chunk
    return found


def test_noise_before_the_handshake(pair: Pair) -> None:
    dice, places = random.Random(1), pair.down.places
    commands = (b"HELLO", b"INITIATE", b"READY", b"SUBSCRIBE", b"ERROR", b"PING", b"CANCEL")
    with pair.unharmed():
        for number in range(TIMES_GREETINGS):
            noise = dice.randbytes(dice.randrange(200))
            command = dice.choice(commands)
            body = bytes([len(command)]) + command + noise
            sent = (
                noise,
                GREETING + noise,
                greeting(b"CURVE") + noise,
                greeting(dice.choice((b"CURVE", b"NULL", b"PLAIN"))) + b"\x04" + bytes([min(255, len(body))]) + body,
                greeting(b"CURVE") + b"\x04\xc8\x05HELLO\x01\x00" + dice.randbytes(192),
            )[number % 5]
            with raw(places, KINDS[number % 3]) as connection, suppress(OSError):
                connection.sendall(sent)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_kept_for_a_frame_that_is_announced_before_the_handshake(pair: Pair, kind: str) -> None:
    with pair.unharmed():
        for header in (b"\x06", b"\x02"):  # a long command, a long message
            with raw(pair.down.places, kind) as connection, suppress(OSError):
                connection.sendall(greeting(b"CURVE") + header + (2 << 30).to_bytes(8, "big"))
                for _ in range(64):
                    connection.sendall(b"x" * (1 << 20))


def test_connections_that_say_nothing_are_closed(pair: Pair) -> None:
    before = pair.down.descriptors()
    with ExitStack() as stack, pair.unharmed():
        idle = [stack.enter_context(raw(pair.down.places, KINDS[n % 3])) for n in range(TIMES_IDLE)]
        for slow in idle[::2]:
            slow.sendall(b"\xff")
        assert eventually(lambda: pair.down.descriptors() >= before + TIMES_IDLE // 2, 2.0)
        began = time.monotonic()
        assert eventually(lambda: pair.down.descriptors() <= before + 2, HANDSHAKE_SECONDS + 2.0)
        assert time.monotonic() - began <= HANDSHAKE_SECONDS + 2.0


def test_a_flood_of_connections_does_no_harm(pair: Pair) -> None:
    pid, descriptors = pair.down.pid, pair.down.descriptors()
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors + FLOOD_DESCRIPTORS, limits[1]))
    try:
        with pair.unharmed(), ExitStack() as stack:
            for number in range(TIMES_FLOOD):
                connection = stack.enter_context(socket.socket())
                connection.setblocking(False)
                connection.connect_ex((ADDRESS, pair.down.places[KINDS[number % 3]]))
            assert eventually(lambda: pair.down.descriptors() >= descriptors + FLOOD_DESCRIPTORS // 2, 5.0)
            assert pair.serves(), "who was there before is not served"
        assert eventually(lambda: pair.down.descriptors() <= descriptors + 2, HANDSHAKE_SECONDS + 4.0)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert os.path.exists(f"/proc/{pid}")


def test_subscriptions_of_strangers_are_not_kept(pair: Pair) -> None:
    with pair.unharmed():
        for mechanism in (b"NULL", b"CURVE"):
            for ready in (b"", b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB"):
                with raw(pair.down.places, "meta") as flood, suppress(OSError):
                    flood.sendall(greeting(mechanism) + ready)
                    for number in range(TIMES_TOPICS):
                        flood.sendall(b"\0\x09\1%08d" % number)
                    flood.sendall(b"\2" + (1 << 20).to_bytes(8, "big") + b"\1" + b"x" * (1 << 20))
