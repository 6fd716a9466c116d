"""While there is no connector, the program shows other hosts that it lives: by a bare connection to a Broker's port.

A host whose connection and whose link have both ended takes the launching side for gone after a second
(:mod:`fedfutures.supervision.contact`). If host process and connector of this machine were killed together, a login of
the next connector may take longer than that. The host looks only whether the kernel has a connection to its port, so no
byte is sent; the Broker there closes it after two seconds, for want of a greeting, and the host notes that.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection, Iterable

from fedfutures.host.parent_link import place_of
from fedfutures.wire.control import BrokerBound


class LifeSigns:
    """The connections."""

    def __init__(self) -> None:
        self._connections: list[socket.socket] = []

    def show(self, places: Iterable[BrokerBound], neighbours: Collection[str]) -> None:
        """Connect to Brokers at their places, without waiting; where no port can be reached, that changes nothing.

        `neighbours`: those that this machine's Brokers dial. Whoever is below these sees whether they live.
        """
        self.close()
        for place in places:
            is_number = place_of(place.address, place.main)[0]  # a name would have to be looked up
            if place.broker in neighbours and place.main and is_number:
                family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
                with contextlib.suppress(OSError):  # the program has no descriptor left, for instance
                    connection = socket.socket(family, socket.SOCK_STREAM)
                    self._connections.append(connection)
                    connection.setblocking(False)
                    connection.connect_ex((place.address, place.main))

    def close(self) -> None:
        """Close all."""
        while self._connections:
            self._connections.pop().close()
