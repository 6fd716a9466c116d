"""Bringing up the links between hosts: which Broker accepts which, who dials, and which way. Pure.

For each link of the plan, the Broker nearer to the Origin, the *parent*, dials the other, the *child*. Both have made
their own key pairs; only public keys come here. The order matters, because a client that was refused never tries
again::

    both Brokers have sent their public keys   ->  child: accept the parent's key
    the child accepts it                       ->  parent: dial the child at its ports
    no session within 3 seconds                ->  parent: dial it through the ssh connection instead
    10 s later, then 20 s, ... up to 5 min     ->  parent: see if its ports work now; if so, move the link there

A Broker that was started again has other keys and ports, so its links begin anew. A link that was up and stays down for
long goes through ssh, too. Ports that are tried cost the link nothing: it goes on through ssh meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fedfutures.errors import RemoteProtocolError
from fedfutures.wire.control import AcceptBroker, BrokerBound, DialBroker, LinkState, RelayBroker, TryPorts

from ..layout.tree import PlannedBroker, Tree

_ADDRESS = re.compile(r"[\w.:%-]{0,255}", re.ASCII)
PORT_SECONDS = 3.0
DOWN_SECONDS = 10.0
RESUME_SECONDS = 30.0
"""So long a link is waited for that a connector that was killed has brought up: a login may take its time."""
FIRST_RETRY_SECONDS = 10.0
LONGEST_RETRY_SECONDS = 300.0
"""A link that has lived at its ports for so long begins with the first pause again when it has to go through ssh."""


@dataclass(slots=True)
class Order:
    """Action: send this frame to the host process of a host."""

    host: str
    frame: AcceptBroker | DialBroker | RelayBroker | TryPorts


@dataclass(slots=True)
class Announcement:
    """Action: tell people; what is not `important` only those who asked for more (-v)."""

    text: str
    important: bool = False


@dataclass(slots=True)
class _LinkProgress:
    parent: PlannedBroker
    child: PlannedBroker
    phase: str = "waiting"  # waiting (for both keys), allowing, dialling, up, down
    relayed: bool = False
    due: float | None = None
    why: str = ""
    retry: float | None = None  # when to try the ports of a link that goes through ssh
    pause: float = FIRST_RETRY_SECONDS
    at_ports: float | None = None  # since when it is up there


class Links:
    """All links between the hosts of a run; before the run is planned there are none.

    `launchers`: what has led to each host, for people.
    """

    def __init__(self, tree: Tree | None = None, launchers: Mapping[str, str] | None = None) -> None:
        self._launchers: dict[str, str] = {}
        self._links: dict[tuple[str, str], _LinkProgress] = {}
        self._places: dict[str, BrokerBound] = {}
        if tree is not None:
            self.add(tree, launchers or {})

    def add(self, tree: Tree, launchers: Mapping[str, str]) -> None:
        """The run has the links of this tree: those that it had, and those of hosts that have come."""
        self._launchers.update(launchers)
        for parent, child in tree.links():
            if (parent, child) not in self._links:
                self._links[parent, child] = _LinkProgress(tree.nodes[parent], tree.nodes[child])

    def resume(self, places: Iterable[BrokerBound], now: float) -> None:
        """Take over links from a connector that was killed. The Brokers that dial will say which are up."""
        self._places = {frame.broker: frame for frame in places}
        for link in self._links.values():
            if self._are_known(link):
                link.phase, link.due = "down", now + RESUME_SECONDS

    def on_back(self, host: str) -> list[Order | Announcement]:
        """A host is reached again: begin anew with its links that were being brought up, as frames may be lost."""
        return [
            action
            for link in self._links.values()
            if link.phase in ("allowing", "dialling") and host in (link.parent.host, link.child.host)
            for action in self._begin(link)
        ]

    def _are_known(self, link: _LinkProgress) -> bool:
        ends = [self._places.get(broker.name) for broker in (link.parent, link.child)]
        return all(end is not None and not end.error for end in ends)

    def on_bound(self, frame: BrokerBound) -> list[Order | Announcement]:
        """A Broker has sent its key and its ports: for the first time, a second time, or after a new start.

        Raises RemoteProtocolError where the address is none: others would be told to dial it.
        """
        if not _ADDRESS.fullmatch(frame.address):
            raise RemoteProtocolError(f"{frame.broker} says that it is at {frame.address[:100]!r}")
        if self._places.get(frame.broker) == frame:
            return []
        self._places[frame.broker] = frame
        if frame.error:
            return [Announcement(f"{frame.broker} cannot take part: {frame.error}", important=True)]
        return [action for link in self._of(frame.broker) for action in self._begin(link)]

    def on_accepts(self, child: str, parent: str, now: float) -> list[Order | Announcement]:
        """The child accepts the parent's key now: have the parent dial."""
        link = self._links.get((parent, child))
        if link is None or link.phase != "allowing":
            return []
        addresses, key = self._ports(link), self._places[child].key
        if addresses is None:
            return self._relay(link, now, "as asked for" if link.child.tunnel else "its address is not known")
        link.phase, link.relayed, link.due = "dialling", False, now + PORT_SECONDS
        return [Order(link.parent.host, DialBroker(link.parent.index, child, *addresses, key))]

    def on_state(self, frame: LinkState, now: float) -> list[Order | Announcement]:
        """A parent says whether the link that it dials is up."""
        parent, child, why = frame.broker, frame.neighbour, frame.why
        link = self._links.get((parent, child))
        if link is None or link.phase in ("waiting", "allowing"):
            return []
        if frame.up:
            return self._on_up(link, frame.relayed, now)
        link.why = why
        if link.phase == "up":
            link.phase, link.due = "down", now + DOWN_SECONDS
            return [Announcement(f"link {parent} -> {child} is down: {why or 'nothing is heard'}")]
        return []

    def next_deadline(self) -> float | None:
        """Return when the next tick is due; None: not before something happens."""
        times = [at for link in self._links.values() for at in (link.due, link.retry) if at is not None]
        return min(times, default=None)

    def tick(self, now: float) -> list[Order | Announcement]:
        """Move links that did not come up in time to the ssh connection, and have ports tried again."""
        actions: list[Order | Announcement] = []
        for link in self._links.values():
            if link.due is not None and now >= link.due:
                actions += self._relay(link, now, link.why or "no answer")
            if link.retry is not None and now >= link.retry:
                actions += self._try_ports(link, now)
        return actions

    def _on_up(self, link: _LinkProgress, relayed: bool, now: float) -> list[Order | Announcement]:
        """A link is up. The Broker says which way it goes, as it moves the link by itself when the ports work."""
        parent, child = link.parent.name, link.child.name
        news, back = link.phase != "up", link.relayed and not relayed
        link.phase, link.due, link.why, link.relayed = "up", None, "", relayed
        if not relayed:
            link.at_ports = now if link.at_ports is None else link.at_ports
            link.retry = None
        elif link.retry is None and self._ports(link) is not None:
            self._wait_for_ports(link, now)
        if back:
            return [Announcement(f"link {parent} -> {child} has left the {self._by(link)} connection: its ports work")]
        way = f", through {self._by(link)}" if relayed else ""
        return [Announcement(f"link {parent} -> {child} is up{way}")] if news else []

    def _try_ports(self, link: _LinkProgress, now: float) -> list[Order | Announcement]:
        self._wait_for_ports(link, now)
        key, addresses = self._places[link.child.name].key, self._ports(link)
        assert addresses is not None
        return [Order(link.parent.host, TryPorts(link.parent.index, link.child.name, *addresses, key))]

    @staticmethod
    def _wait_for_ports(link: _LinkProgress, now: float) -> None:
        link.retry, link.pause = now + link.pause, min(2 * link.pause, LONGEST_RETRY_SECONDS)

    def _ports(self, link: _LinkProgress) -> tuple[str, str, str] | None:
        """Return the addresses of the child's ports; None where it may not, or cannot, be dialled there."""
        places = self._places[link.child.name]
        address = link.child.address or places.address
        if link.child.tunnel or not address:
            return None
        bracketed = f"[{address}]" if ":" in address else address
        main, meta, subscriber = (f"tcp://{bracketed}:{port}" for port in (places.main, places.meta, places.subscriber))
        return main, meta, subscriber

    def _by(self, link: _LinkProgress) -> str:
        """Return the launcher by whose connection a link goes where it does not go by ports."""
        return self._launchers.get(link.child.host, "ssh")

    def _of(self, name: str) -> list[_LinkProgress]:
        return [link for ends, link in self._links.items() if name in ends]

    def _begin(self, link: _LinkProgress) -> list[Order | Announcement]:
        link.phase, link.relayed, link.due = "waiting", False, None
        link.retry, link.pause, link.at_ports = None, FIRST_RETRY_SECONDS, None
        if not self._are_known(link):
            return []
        link.phase, key = "allowing", self._places[link.parent.name].key
        return [Order(link.child.host, AcceptBroker(link.child.index, link.parent.name, key))]

    def _relay(self, link: _LinkProgress, now: float, why: str) -> list[Order | Announcement]:
        """Have the parent dial through ssh. If that link does not come up either, tell people and keep trying."""
        parent, child = link.parent, link.child
        if link.relayed:
            link.due = None
            text = (
                f"link {parent.name} -> {child.name} does not come up through {self._by(link)} either: {why}; trying on"
            )
            return [Announcement(text, important=True)]
        link.phase, link.relayed, link.due = "dialling", True, now + DOWN_SECONDS
        if self._ports(link) is not None:
            if link.at_ports is not None and now >= link.at_ports + LONGEST_RETRY_SECONDS:
                link.pause = FIRST_RETRY_SECONDS
            link.at_ports = None
            self._wait_for_ports(link, now)
        return [
            Announcement(f"link {parent.name} -> {child.name} goes through the {self._by(link)} connection ({why})"),
            Order(parent.host, RelayBroker(parent.index, child.name, self._places[child.name].key)),
        ]
