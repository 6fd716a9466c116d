"""Options of sockets whose other end is on another host.

libzmq copies them when a socket is bound or connected, so all are set before. Limits hold before a peer is known:
libzmq closes a connection that shows no key within two seconds, and one with a frame above the limit before it reserves
memory.
"""

from __future__ import annotations

import zmq

from .keys import Keys

DOMAIN = b"fedfutures"
MAX_MAIN_BYTES = (64 << 20) + (4 << 10)
MAX_META_BYTES = 64 << 10
MAIN_QUEUE_MESSAGES = 10_000
HANDSHAKE_MS = 2000
CONNECT_MS = 3000
_HEARTBEAT_MS, _SILENCE_MS = 1000, 3000  # a cut connection is given up, and made again, this soon
_RECONNECT_MS, _RECONNECT_AT_MOST_MS = 100, 1000
_ZAP_ENFORCE_DOMAIN = 93
"""Without it, libzmq lets everybody in while there is no ZAP handler. pyzmq has no name for this option."""


def limit(socket: zmq.Socket[bytes], address: str, largest: int) -> None:
    """Set what both ends need."""
    for option, value in (
        (zmq.MAXMSGSIZE, largest),
        (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
        (zmq.CONNECT_TIMEOUT, CONNECT_MS),
        (zmq.RECONNECT_IVL, _RECONNECT_MS),
        (zmq.RECONNECT_IVL_MAX, _RECONNECT_AT_MOST_MS),
        (zmq.IPV6, int("[" in address)),  # with it, a name would be looked up as IPv6 alone
    ):
        socket.setsockopt(option, value)
    set_heartbeat(socket)


def set_heartbeat(socket: zmq.Socket[bytes]) -> None:
    """Let both ends watch each connection: this one tells the other how long to wait for a heartbeat."""
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _SILENCE_MS)


def admit(socket: zmq.Socket[bytes], keys: Keys) -> None:
    """Let the ZAP handler decide who connects; the socket is to be bound."""
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    _set_keys(socket, keys)
    socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    socket.setsockopt(_ZAP_ENFORCE_DOMAIN, 1)


def present(socket: zmq.Socket[bytes], keys: Keys, server: str) -> None:
    """Show these keys to the dialled peer, which must hold the secret half of `server`."""
    socket.setsockopt(zmq.CURVE_SERVERKEY, server.encode())
    _set_keys(socket, keys)


def _set_keys(socket: zmq.Socket[bytes], keys: Keys) -> None:
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)


def port_of(socket: zmq.Socket[bytes]) -> int:
    """Return the port that the system has chosen."""
    endpoint: bytes = socket.getsockopt(zmq.LAST_ENDPOINT)  # type: ignore[assignment]
    return int(endpoint.rstrip(b"\0").rpartition(b":")[2])


def tcp(address: str, port: int | str) -> str:
    """Return an endpoint.

    >>> tcp("10.0.0.5", 7000), tcp("fd00::5", "*")
    ('tcp://10.0.0.5:7000', 'tcp://[fd00::5]:*')
    """
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"
