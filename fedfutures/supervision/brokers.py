"""The Brokers of one host: names, addresses, which of them dials which, which Worker belongs to which. Pure.

Broker 1 of host ``h`` is called ``h.broker``, the others ``h.broker2``, ``h.broker3`` and so on; indices begin at 0.
Each has three sockets: `main` (its ROUTER), `meta` (its PUB) and `subscriber` (its SUB). Names and addresses stay
the same when a Broker is started again, so nobody has to be told.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..wire.control import SOCKETS, DialBroker, HostReady
from ..wire.names import broker_name

FAN_OUT = 32
"""How many neighbours a Broker dials at most; the plan of a run has the same limit."""


@dataclass(slots=True)
class BrokerPlace:
    """Where a Broker is found."""

    name: str
    main: str
    meta: str
    subscriber: str
    key: str = ""  # its public key; "" on the same host, where sockets are files in a private directory

    def dialled_by(self, broker: int) -> DialBroker:
        """Return what makes another Broker of this host dial this one."""
        return DialBroker(broker, self.name, self.main, self.meta, self.subscriber, self.key)


def broker_places(host: str, count: int, directory: str) -> list[BrokerPlace]:
    """Return the places of a host's Brokers, whose sockets are in `directory`.

    >>> place = broker_places("h", 2, "/d")[1]
    >>> place.name, place.main, place.meta, place.subscriber
    ('h.broker2', 'ipc:///d/main2', 'ipc:///d/meta2', 'ipc:///d/subscriber2')
    """
    marks = ["", *(str(number) for number in range(2, count + 1))]
    sockets = ([f"ipc://{directory}/{kind}{mark}" for kind in SOCKETS] for mark in marks)
    return [BrokerPlace(broker_name(host, index), *addresses) for index, addresses in enumerate(sockets)]


def facts_of(ready: HostReady, broker: int = 0) -> dict[str, Any]:
    """Return what a host process is known by, with the name and the addresses of one of its Brokers."""
    places = [asdict(BrokerPlace(*row)) for row in ready.brokers]
    return {
        **places[broker], "brokers": places, "run": ready.run, "shared": ready.shared, "disk": ready.disk,
        "pid": ready.pid, "python": ready.python, "mark": ready.mark,
    }  # fmt: skip


def broker_of(slot: int, workers: int, brokers: int) -> int:
    """Return the index of the Broker that a Worker belongs to: even, contiguous shares.

    >>> [broker_of(slot, 5, 2) for slot in range(5)]
    [0, 0, 0, 1, 1]
    """
    return slot * brokers // workers


def usual_dials(brokers: int, fan_out: int = FAN_OUT) -> list[list[int]]:
    """Return who dials whom where no plan says otherwise: the first Broker all others, as long as it can.

    >>> usual_dials(3)
    [[0, 1], [0, 2]]
    """
    return [[(child - 1) // fan_out, child] for child in range(1, brokers)]
