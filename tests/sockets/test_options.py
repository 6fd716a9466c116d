"""Options of sockets to other hosts, as libzmq has them once they are set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from fedfutures.sockets import options
from fedfutures.sockets.keys import make_keys
from fedfutures.sockets.sockets import context

pytestmark = pytest.mark.host


@pytest.fixture
def dealer() -> Iterator[zmq.Socket[bytes]]:
    owner = context()
    yield owner.socket(zmq.DEALER)
    owner.destroy(linger=0)


def test_an_unknown_peer_is_limited(dealer: zmq.Socket[bytes]) -> None:
    options.limit(dealer, "tcp://10.0.0.1:7", 1 << 10)
    found = [dealer.getsockopt(option) for option in (zmq.MAXMSGSIZE, zmq.HANDSHAKE_IVL, zmq.IPV6)]
    assert found == [1 << 10, options.HANDSHAKE_MS, 0]
    options.limit(dealer, "tcp://[fd00::1]:7", 1 << 10)
    assert dealer.getsockopt(zmq.IPV6) == 1


def test_a_cut_connection_is_given_up_at_both_ends(dealer: zmq.Socket[bytes]) -> None:
    options.set_heartbeat(dealer)
    interval, timeout, ttl = (
        int(dealer.getsockopt(option)) for option in (zmq.HEARTBEAT_IVL, zmq.HEARTBEAT_TIMEOUT, zmq.HEARTBEAT_TTL)
    )
    assert 0 < interval < timeout == ttl


def test_a_bound_socket_asks_the_zap_handler(dealer: zmq.Socket[bytes]) -> None:
    keys = make_keys()
    options.admit(dealer, keys)
    assert dealer.getsockopt(zmq.MECHANISM) == zmq.CURVE
    assert dealer.getsockopt(zmq.CURVE_SERVER) == 1
    assert dealer.getsockopt(93) == 1, "without it, nobody is refused where no handler is"


def test_a_port_is_chosen_by_the_system(dealer: zmq.Socket[bytes]) -> None:
    dealer.bind(options.tcp("127.0.0.1", "*"))
    assert 0 < options.port_of(dealer) < 1 << 16
