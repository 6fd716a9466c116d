"""Bringing the links between hosts up: who is allowed, who dials, and which way. Pure.

For each link of the plan the Broker nearer the launch, the *parent*, dials the other, the *child*. Both have made key
pairs of their own; here only public keys pass by. The order matters, since a refused client never tries again::

    both Brokers have said their public keys   ->  child: allow the parent's key
    the child has said that it does            ->  parent: dial the child at its ports
    no session within 3 seconds                ->  parent: dial it through the ssh connection instead

A Broker that was started again has other keys and ports, so its links begin anew. A link that has gone over to the ssh
connection stays there until one of its Brokers is another one; one that had come up and is down for long goes over,
too.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedfutures.wire.control import AcceptBroker, BrokerBound, DialBroker, LinkState, RelayBroker

from ..layout.tree import PlannedBroker, Tree

PORT_SECONDS = 3.0
DOWN_SECONDS = 10.0


@dataclass(slots=True)
class Order:
    """Action: send this frame to the host process of a host."""

    host: str
    frame: AcceptBroker | DialBroker | RelayBroker


@dataclass(slots=True)
class Announcement:
    """Action: tell people; `important` ones at once, others when they want to know."""

    text: str
    important: bool = False


@dataclass(slots=True)
class _LinkProgress:
    parent: PlannedBroker
    child: PlannedBroker
    phase: str = "waiting"  # waiting (for both to say their keys), allowing, dialling, up, down
    relayed: bool = False
    due: float | None = None
    why: str = ""


class Links:
    """All links between the hosts of a run, as (parent, child); none before the run is planned."""

    def __init__(self, tree: Tree | None = None) -> None:
        links = [] if tree is None else [(tree.nodes[parent], tree.nodes[child]) for parent, child in tree.links()]
        self._links = {(parent.name, child.name): _LinkProgress(parent, child) for parent, child in links}
        self._places: dict[str, BrokerBound] = {}

    def on_bound(self, frame: BrokerBound) -> list[Order | Announcement]:
        """A Broker has said its key and its ports: for the first time, again, or because it was started again."""
        if self._places.get(frame.broker) == frame:
            return []
        self._places[frame.broker] = frame
        if frame.error:
            return [Announcement(f"{frame.broker} cannot take part: {frame.error}", important=True)]
        return [action for link in self._of(frame.broker) for action in self._begin(link)]

    def on_accepts(self, child: str, parent: str, now: float) -> list[Order | Announcement]:
        """A Broker accepts a neighbour now: let that one dial."""
        link = self._links.get((parent, child))
        if link is None or link.phase != "allowing":
            return []
        places = self._places[child]
        if link.child.tunnel or not (link.child.address or places.address):
            return self._relay(link, now, "as asked for" if link.child.tunnel else "its address is not known")
        link.phase, link.relayed, link.due = "dialling", False, now + PORT_SECONDS
        main, meta, ear = _addresses(link, places)
        frame = DialBroker(link.parent.index, child, main, meta, ear, places.key)
        return [Order(link.parent.host, frame)]

    def on_state(self, frame: LinkState, now: float) -> list[Order | Announcement]:
        """A Broker says how the link is that it dials."""
        parent, child, why = frame.broker, frame.neighbour, frame.why
        link = self._links.get((parent, child))
        if link is None or link.phase in ("waiting", "allowing"):
            return []
        if frame.up:
            news = link.phase != "up"
            link.phase, link.due, link.why = "up", None, ""
            return [Announcement(f"link {parent} -> {child} is up{', through ssh' * link.relayed}")] if news else []
        link.why = why
        if link.phase == "up":
            link.phase, link.due = "down", now + DOWN_SECONDS
            return [Announcement(f"link {parent} -> {child} is down: {why or 'nothing is heard'}")]
        return []

    def next_deadline(self) -> float | None:
        """When the next tick is due."""
        return min([link.due for link in self._links.values() if link.due is not None], default=None)

    def tick(self, now: float) -> list[Order | Announcement]:
        """Have links that do not come up go through ssh."""
        actions: list[Order | Announcement] = []
        for link in self._links.values():
            if link.due is not None and now >= link.due:
                actions += self._relay(link, now, link.why or "no answer")
        return actions

    def _of(self, name: str) -> list[_LinkProgress]:
        return [link for ends, link in self._links.items() if name in ends]

    def _begin(self, link: _LinkProgress) -> list[Order | Announcement]:
        parent, child = self._places.get(link.parent.name), self._places.get(link.child.name)
        link.phase, link.relayed, link.due = "waiting", False, None
        if parent is None or child is None or parent.error or child.error:
            return []
        link.phase = "allowing"
        return [Order(link.child.host, AcceptBroker(link.child.index, link.parent.name, parent.key))]

    def _relay(self, link: _LinkProgress, now: float, why: str) -> list[Order | Announcement]:
        """Dial through ssh. When even that does not come up there is nothing better: it is said, and tried on."""
        parent, child = link.parent, link.child
        if link.relayed:
            link.due = None
            text = f"link {parent.name} -> {child.name} does not come up through ssh either: {why}; trying on"
            return [Announcement(text, important=True)]
        link.phase, link.relayed, link.due = "dialling", True, now + DOWN_SECONDS
        return [
            Announcement(f"link {parent.name} -> {child.name} goes through the ssh connection ({why})"),
            Order(parent.host, RelayBroker(parent.index, child.name, self._places[child.name].key)),
        ]


def _addresses(link: _LinkProgress, places: BrokerBound) -> list[str]:
    address = link.child.address or places.address
    bracketed = f"[{address}]" if ":" in address else address
    return [f"tcp://{bracketed}:{port}" for port in (places.main, places.meta, places.ear)]
