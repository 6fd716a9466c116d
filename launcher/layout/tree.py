"""The tree of a run: which Broker is the child of which. Pure.

The root is the first Broker of the first host, the Origin's. A parent dials its children, so it must reach them:

- **Brokers 2 to N of a host** are below the first Broker of their host, with only Brokers of that host in between.
- **Hosts of a site** are below the Brokers of their access host, or below each other.
- **All other hosts** are below the first host, or below each other; below an access host only if no other host can
  carry them, so that the hosts of a site do not depend on hosts outside it.

The tree is filled level by level. In each turn every Broker of a level takes one child, until it has as many as it
may: first one of its own host, then one of the site behind it, then one of its own site. So each level is as wide as
the fan-out allows, and its Brokers have nearly equal numbers of children: with 32 children each, 1,057 Brokers take two
levels, and each link is at most a few hops from the Origin.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from fedfutures.supervision.brokers import FAN_OUT, broker_of
from fedfutures.wire.names import broker_name


@dataclass(slots=True)
class HostPlan:
    """A host of a run."""

    name: str
    workers: int
    brokers: int = 1
    site: str | None = None  # its access host; None: it has none
    tunnel: bool = False  # parents dial its Brokers through ssh from the start
    address: str | None = None  # where parents dial its Brokers; None: where ssh has reached it


@dataclass(slots=True)
class PlannedBroker:
    """A Broker in the tree."""

    name: str
    host: str
    index: int  # among the Brokers of its host
    workers: int
    tunnel: bool = False  # as of its host
    address: str | None = None  # as of its host
    depth: int = 0
    parent: str | None = None
    children: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Tree:
    """The Brokers of a run by name, each after its parent.

    >>> tree = plan([HostPlan("a", 4, brokers=2), HostPlan("b", 2), HostPlan("c", 2, site="b")])
    >>> print(tree.drawing())
    a.broker: 2 Workers
    |-- a.broker2: 2 Workers
    `-- b.broker: 2 Workers
        `-- c.broker: 2 Workers
    >>> tree.dials("a"), tree.links()
    ([[0, 1]], [('a.broker', 'b.broker'), ('b.broker', 'c.broker')])
    """

    nodes: dict[str, PlannedBroker]

    @property
    def root(self) -> str:
        """The Broker of the Origin."""
        return next(iter(self.nodes))

    def dials(self, host: str) -> list[list[int]]:
        """Return (parent, child) of the links within one host, by index: ``Settings.dials``."""
        return [[parent.index, child.index] for parent, child in self._pairs() if parent.host == child.host == host]

    def links(self) -> list[tuple[str, str]]:
        """Return (parent, child) of the links between hosts."""
        return [(parent.name, child.name) for parent, child in self._pairs() if parent.host != child.host]

    def neighbours(self, host: str) -> list[list[str]]:
        """Return, for each Broker of a host, the Brokers on other hosts that have a link to it."""
        links = self.links()
        of: dict[str, list[str]] = {node.name: [] for node in self.nodes.values() if node.host == host}
        for ends in (*links, *((child, parent) for parent, child in links)):
            if ends[0] in of:
                of[ends[0]].append(ends[1])
        return list(of.values())

    def _pairs(self) -> list[tuple[PlannedBroker, PlannedBroker]]:
        return [(self.nodes[node.parent], node) for node in self.nodes.values() if node.parent is not None]

    def grow(self, host: HostPlan, fan_out: int = FAN_OUT) -> None:
        """Add a host that comes while the run goes on: below the first Broker that may take another child.

        >>> tree = plan([HostPlan("a", 1), HostPlan("b", 1)])
        >>> tree.grow(HostPlan("c", 2, brokers=2))
        >>> tree.links(), tree.dials("c")
        ([('a.broker', 'b.broker'), ('a.broker', 'c.broker')], [[0, 1]])
        """
        for index in range(host.brokers):
            child, own = _node(host, index), index > 0
            parent = next(
                node for node in self.nodes.values() if len(node.children) < fan_out and own <= (node.host == host.name)
            )
            child.parent, child.depth = parent.name, parent.depth + 1
            parent.children.append(child.name)
            self.nodes[child.name] = child

    def drawing(self) -> str:
        """Return the tree for people."""
        lines: list[str] = []
        self._draw(self.root, "", "", lines)
        return "\n".join(lines)

    def _draw(self, name: str, first: str, below: str, lines: list[str]) -> None:
        node = self.nodes[name]
        lines.append(f"{first}{name}: {node.workers} Worker{'s' * (node.workers != 1)}")
        for child in node.children:
            last = child == node.children[-1]
            self._draw(child, below + ("`-- " if last else "|-- "), below + ("    " if last else "|   "), lines)


def plan(hosts: Sequence[HostPlan], fan_out: int = FAN_OUT) -> Tree:
    """Return the tree of the Brokers of these hosts, the Origin's first. Raises ValueError if there is none.

    >>> max(node.depth for node in plan([HostPlan(f"h{number}", 8) for number in range(1057)]).nodes.values())
    2
    """
    if fan_out < 2:
        raise ValueError(f"a Broker needs at least 2 children, not {fan_out}")
    _check(hosts)
    return Tree(_Filling(hosts, fan_out).fill())


def _check(hosts: Sequence[HostPlan]) -> None:
    """Raise ValueError unless each host has a name of its own, and access hosts lead to it."""
    if not hosts:
        raise ValueError("no hosts")
    ways = {host.name: host.site for host in hosts}
    if len(ways) < len(hosts):
        raise ValueError("two hosts have one name")
    if hosts[0].site is not None:
        raise ValueError(f"host {hosts[0].name} is the Origin's: it cannot be behind {hosts[0].site}")
    for host in hosts:
        if host.brokers < 1:
            raise ValueError(f"host {host.name} has no Broker")
        seen, at = {host.name}, host.site
        while at is not None:
            if at not in ways:
                raise ValueError(f"host {host.name} is behind {at}, which is none of the hosts")
            if at in seen:
                raise ValueError(f"host {host.name} is behind itself")
            seen.add(at)
            at = ways[at]


class _Filling:
    """A tree that is being filled: the Brokers without a parent, by the hosts that can take them."""

    def __init__(self, hosts: Sequence[HostPlan], fan_out: int) -> None:
        self.fan_out = fan_out
        self.site = {host.name: host.site for host in hosts}
        self.doors = {host.site for host in hosts if host.site is not None}  # access hosts
        self.root = _node(hosts[0], 0)
        self.own = {host.name: deque(_node(host, index) for index in range(1, host.brokers)) for host in hosts}
        self.behind: dict[str | None, deque[PlannedBroker]] = {}  # the first Brokers of hosts, by their site
        for site in {None, *self.doors}:
            group = [host for host in hosts[1:] if host.site == site]
            self.behind[site] = deque(_node(host, 0) for host in self._in_order(group))

    def _in_order(self, group: list[HostPlan]) -> list[HostPlan]:
        """Put access hosts first, to be high in the tree; but before them one host that can carry others."""
        plain = [host for host in group if host.name not in self.doors]
        return [*plain[:1], *(host for host in group if host.name in self.doors), *plain[1:]]

    def fill(self) -> dict[str, PlannedBroker]:
        """Place every Broker; return them by name, level by level."""
        level, placed = [self.root], {self.root.name: self.root}
        while level:
            offers, below = self._offers(level), []
            for turn in range(self.fan_out):
                for parent in level:
                    waiting = [queue for queue in offers[parent.host] if queue]
                    if waiting:
                        child = waiting[turn % len(waiting)].popleft()
                        child.parent, child.depth = parent.name, parent.depth + 1
                        parent.children.append(child.name)
                        below.append(child)
            placed |= {node.name: node for node in below}
            level = below
        return placed

    def _offers(self, level: list[PlannedBroker]) -> dict[str, list[deque[PlannedBroker]]]:
        """Return the queues from which the Brokers of each host in this level take their children.

        Each takes at least two children, from these three queues in this order. So as long as a queue is not empty,
        some Broker of the next level may take from it, and all queues become empty.
        """
        hosts = {node.host for node in level}
        carried = {self.site[host] for host in hosts if self._carries(host)}
        offers = {}
        for host in hosts:
            offers[host] = [self.own[host]]
            if host in self.doors:
                offers[host].append(self.behind[host])
            if self._carries(host) or self.site[host] not in carried:
                offers[host].append(self.behind[self.site[host]])
        return offers

    def _carries(self, host: str) -> bool:
        return host == self.root.host or host not in self.doors


def _node(host: HostPlan, index: int) -> PlannedBroker:
    workers = sum(broker_of(slot, host.workers, host.brokers) == index for slot in range(host.workers))
    name = broker_name(host.name, index)
    return PlannedBroker(name, host.name, index, workers, host.tunnel, host.address)
