"""What the kernel shows of the link from the parent Broker to this host: its connections to a Broker's port.

The Broker need not be asked, which may be busy, stopped or just started again. Sources: proc_pid_net(5); the states are
those of the kernel's include/net/tcp_states.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Iterable

from ..supervision.contact import ParentLink

_ESTABLISHED, _FIN_WAIT_1, _FIN_WAIT_2 = "01", "04", "05"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")

Place = tuple[bytes, int]
"""An address as the network carries it, b"" for any, and a port."""


def place_of(address: str, port: int) -> Place:
    """Return an address and a port as they are compared.

    >>> place_of("10.0.0.5", 7000), place_of("node7", 7000)
    ((b'\\n\\x00\\x00\\x05', 7000), (b'', 7000))
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return _plain(socket.inet_pton(family, address.partition("%")[0])), port
        except OSError:
            continue
    return b"", port


def parent_link(bound: Collection[Place], relayed: Collection[Place], tables: Iterable[str] = _TABLES) -> ParentLink:
    """Return what is seen of connections to the places that Brokers of this host have `bound`.

    `relayed`: this host's own ends of those that come through the launching side. A connection that this host has
    closed itself was closed for silence: a Broker ends no other one.
    """
    if not bound:
        return ParentLink.UNKNOWN
    found, readable = {ParentLink.GONE}, False
    for table in tables:
        try:
            with open(table, encoding="ascii") as file:
                rows = file.readlines()[1:]
        except OSError:
            continue
        readable = True
        for words in map(str.split, rows):
            (address, port), state = _parsed(words[1]), words[3]
            if (address, port) not in bound and (b"", port) not in bound:
                continue
            if state == _ESTABLISHED:
                found.add(ParentLink.RELAYED if _parsed(words[2]) in relayed else ParentLink.LIVES)
            elif state in (_FIN_WAIT_1, _FIN_WAIT_2):
                found.add(ParentLink.SILENT)
    if not readable:
        return ParentLink.UNKNOWN
    return next(
        link for link in (ParentLink.LIVES, ParentLink.RELAYED, ParentLink.SILENT, ParentLink.GONE) if link in found
    )


def _parsed(word: str) -> Place:
    """Return the place of a word such as 0100007F:1F90: the address in words of four bytes, each as this machine is."""
    address, _, port = word.partition(":")
    numbers = (int(address[at : at + 8], 16) for at in range(0, len(address), 8))
    return _plain(b"".join(struct.pack("=I", number) for number in numbers)), int(port, 16)


def _plain(address: bytes) -> bytes:
    """Return an IPv4 address that is written as one of IPv6 as what it is."""
    return address[12:] if address[:12] == b"\0" * 10 + b"\xff\xff" else address
