"""Brokers that are started again have other keys, and links come back once the launching side has handed them on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import zmq
from attacked import SECONDS, Attacker, Host, Pair, address
from launching import eventually

from fedfutures.wire.control import LinkState

pytestmark = pytest.mark.host


@pytest.fixture
def own() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.end()


def start_again(host: Host) -> None:
    """Kill a host's Broker, and wait until the next one has said its key."""
    key = host.places["key"]
    os.kill(host.pid, signal.SIGKILL)
    assert eventually(lambda: host.places["key"] != key, SECONDS)


@pytest.mark.fault("D3")
def test_the_broker_that_is_dialled_is_started_again(own: Pair, attacker: Attacker) -> None:
    assert own.serves()
    old = own.down.places
    start_again(own.down)
    assert own.down.places["main"] != old["main"]
    stale = attacker.socket(zmq.DEALER, address(own.down.places), own.member("m.broker"), old["key"])
    assert attacker.verdict(stale) == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    own.dial()  # its host process has told it again whom to allow
    assert eventually(own.reaches_down, SECONDS)
    assert own.serves()


def test_the_broker_that_dials_is_started_again(own: Pair, attacker: Attacker) -> None:
    assert own.serves()
    before = len(own.up.said)
    start_again(own.up)
    own.allow(own.up.broker, own.up.places["key"])
    own.dial()
    assert eventually(lambda: LinkState(own.up.broker, own.down.broker, True, "") in own.up.said[before:], SECONDS)
    assert eventually(own.reaches_down, SECONDS)
