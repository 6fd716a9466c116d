"""The monitor says in words why a connection does not come up."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterator

import pytest
import zmq
from launching import eventually

from fedfutures.sockets.keys import make_keys
from fedfutures.sockets.monitor import Monitor, event_of, unexplained
from fedfutures.sockets.options import HANDSHAKE_MS, limit, present
from fedfutures.sockets.sockets import Context, context

pytestmark = pytest.mark.host


@pytest.fixture
def owner() -> Iterator[Context]:
    made = context()
    yield made
    made.destroy(linger=0)


def why(owner: Context, port: int, meanwhile: Callable[[], None] = lambda: None) -> str:
    """Connect to a port; return what is said of that."""
    dealer = owner.socket(zmq.DEALER)
    address = f"tcp://127.0.0.1:{port}"
    monitor = Monitor(dealer, address, "n", "as before")
    assert (monitor.why, monitor.is_dead) == ("as before", False)
    try:
        dealer.connect(address)

        def is_said() -> bool:
            monitor.look()
            return monitor.why != "as before"

        meanwhile()
        assert eventually(is_said, 5.0)
        return monitor.why
    finally:
        monitor.close()
        dealer.close(0)


def test_where_nobody_listens(owner: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert why(owner, port).startswith(f"nobody listens at 127.0.0.1:{port}")


def test_where_the_connection_is_accepted_and_closed(owner: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            accepted, _ = server.accept()
            time.sleep(0.05)
            accepted.close()

        port = server.getsockname()[1]
        said = why(owner, port, hang_up)
        assert f"127.0.0.1:{port}" in said
        assert said.endswith(("said nothing", "announced over ssh", "ended before n had answered"))


def test_who_accepts_and_is_silent_is_not_called_an_impostor(owner: Context) -> None:
    """As the kernel does for a process that is frozen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        dealer, port = owner.socket(zmq.DEALER), server.getsockname()[1]
        address = f"tcp://127.0.0.1:{port}"
        limit(dealer, address, 1 << 20)
        present(dealer, make_keys(), make_keys().public)
        monitor = Monitor(dealer, address, "n")
        dealer.connect(address)

        def is_said() -> bool:
            monitor.look()
            return monitor.why != ""

        assert eventually(is_said, 20.0)
        assert monitor.why.startswith(f"n does not answer: 127.0.0.1:{port} accepted the connection")
        monitor.close()
        dealer.close(0)


@pytest.mark.parametrize(
    ("error", "seconds", "address", "said"),
    [
        (errno.EPIPE, 0.1, "10.0.0.1:7", "does not hold the key"),
        (errno.EPIPE, HANDSHAKE_MS / 1000, "10.0.0.1:7", "does not answer"),
        (errno.EPIPE, 0.1, "ipc:///run/relay", "ended before n had answered"),
        (errno.ECONNRESET, 0.1, "10.0.0.1:7", "ended before n had answered"),
        (errno.EAGAIN, 0.1, "10.0.0.1:7", "does not answer"),
        (errno.ETIMEDOUT, 0.1, "10.0.0.1:7", "does not answer"),
    ],
)
def test_only_who_closes_the_connection_at_a_port_is_said_to_have_another_key(
    error: int, seconds: float, address: str, said: str
) -> None:
    assert said in unexplained(error, seconds, "n", address)


def test_an_event_is_a_number_and_a_value() -> None:
    assert event_of([b"\x00\x02\x07\x00\x00\x00", b"tcp://here"]) == (zmq.EVENT_DISCONNECTED, 7)
