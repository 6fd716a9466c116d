"""Every way that the smallest system can go: one Broker, one Worker, one Origin with two Futures, and a few faults.

Small scopes show what long random walks pass by. Each state is checked, each one is expanded once (two states are one
when they differ in nothing but the time of day), and from those at the last depth a run without faults is to resolve
everything. A deeper search than the tests have time for::

    python -m tests.broker.exhaustive --depth 12
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from fedfutures.broker.load import PeerLoad
from fedfutures.broker.lots import Lot
from fedfutures.wire.messages import VALUE

from .network import Network, Node, value_of

DURATIONS = frozenset({"_longest", "_means", "_pause", "_unmet_wait", "_wait", "last", "round_trip", "seconds"})
"""Attributes that hold spans of time; any other float is an instant."""
LEFT_OUT = frozenset({"incarnations", "dead", "network", "now", "states"})
"""What a system does not depend on."""
Key = Any
Step = Callable[[Network], None]


def key_of(network: Network) -> Key:
    """Return a value that is equal for two states that go on alike."""
    return _key(network, network.now, "", {})


def _key(value: Any, now: float, name: str, seen: dict[int, int]) -> Key:
    kind = type(value)
    if kind is float:
        return value if name in DURATIONS else round(value - now, 3)
    if value is None or kind in (int, bool, str, bytes):
        return value
    if isinstance(value, dict):
        return tuple((_key(k, now, "", seen), _key(v, now, name, seen)) for k, v in value.items())
    if isinstance(value, (set, frozenset)):
        return tuple(sorted(map(_named, value)))
    if isinstance(value, (list, tuple, deque)):
        return tuple(_key(each, now, name, seen) for each in value)
    if kind.__module__.startswith("fedfutures") or isinstance(value, (Network, Node)):
        if id(value) in seen:
            return kind.__name__, seen[id(value)]
        seen[id(value)] = len(seen)
        return kind.__name__, tuple(
            (field, _key(getattr(value, field), now, field, seen)) for field in _fields(value) if field not in LEFT_OUT
        )
    return kind.__name__


def _named(value: Any) -> str:
    """A member of a set: objects, which are looked at elsewhere, by what tells them apart."""
    if isinstance(value, Lot):
        return repr(value.ids)
    return value.peer.name if isinstance(value, PeerLoad) else repr(value)


def _fields(value: Any) -> Iterator[str]:
    slots = getattr(type(value), "__slots__", None)
    return iter(slots if slots is not None else vars(value))


def node(network: Network, role: str) -> Node:
    return next(each for each in network.nodes.values() if each.role == role)


def steps(network: Network, faults: int) -> Iterator[tuple[str, int, Step]]:
    """What may happen next: (name, faults that it takes, what to do)."""
    for role in ("worker", "origin"):
        one = node(network, role)
        if one.to_broker:
            yield f"{role} > broker", 0, lambda net, role=role: net.to_broker(node(net, role))  # type: ignore[misc]
            if faults:
                yield f"lose {role} > broker", 1, lambda net, role=role: node(net, role).to_broker.popleft() and None  # type: ignore[misc]
        if one.to_node:
            yield f"broker > {role}", 0, lambda net, role=role: net.to_node(node(net, role))  # type: ignore[misc]
            if faults:
                yield f"lose broker > {role}", 1, lambda net, role=role: node(net, role).to_node.popleft() and None  # type: ignore[misc]
    worker = node(network, "worker")
    if worker.running:
        yield "finish", 0, lambda net: node(net, "worker").finish() and None
    elif worker.todo:
        yield "start", 0, lambda net: node(net, "worker").start() and None
    yield "round", 0, Network.tick
    slow = any(one.to_broker or one.to_node for one in network.nodes.values())
    if faults >= slow:  # frames that take longer than a timer are a fault, too
        yield "wait", int(slow), _wait
    if faults:
        yield "the Worker dies", 1, _worker_dies
        yield "the Broker dies", 1, lambda net: net.restart("b", lost=True)


def _wait(network: Network) -> None:
    """Time goes on to what is due next."""
    machines = [network.broker, *(each.machine for each in network.nodes.values())]
    due = min((due for each in machines if (due := each.next_deadline()) is not None), default=network.now)
    network.now = max(network.now, due)
    network.tick()


def _worker_dies(network: Network) -> None:
    network.lose(node(network, "worker"))
    network.node("worker")


def start(*, linked: bool) -> Network:
    """Return the system before its first step."""
    network = Network()
    network.node("worker")
    origin = network.node("origin")
    if linked:
        network.settle(3)
    origin.submit(b"f", [b"1", b"2"])
    return network


def finish(network: Network) -> None:
    """Without further faults everything resolves."""
    network.work()
    network.wait(9.0)
    if network.broker.adoption.orphans:
        network.wait(70.0)
    network.check_empty()
    origin = node(network, "origin")
    for number, payload in origin.payloads.items():
        assert origin.outcomes[number] == (VALUE, value_of(payload))


def search(depth: int, faults: int = 2, *, linked: bool = True, seconds: float = float("inf")) -> int:
    """Go through all states up to a depth; return how many there are."""
    until = time.monotonic() + seconds
    first = start(linked=linked)
    seen = {hash((key_of(first), faults))}
    level = [(pickle.dumps(first), faults, ())]
    for _ in range(depth):
        following: list[tuple[bytes, int, Any]] = []
        for state, left, path in level:
            for name, cost, _ in steps(pickle.loads(state), left):
                network = pickle.loads(state)
                do = next(do for other, _, do in steps(network, left) if other == name)
                try:
                    do(network)
                except BaseException:
                    print("\n".join(_names((path, name))))
                    raise
                network.states.clear()
                key = hash((key_of(network), left - cost))
                if key not in seen:
                    seen.add(key)
                    following.append((pickle.dumps(network), left - cost, (path, name)))
            if time.monotonic() > until:
                raise TimeoutError(f"{len(seen)} states in {seconds} s")
        level = following
    for state, _, path in level:
        try:
            finish(pickle.loads(state))
        except BaseException:
            print("\n".join(_names(path)))
            raise
    return len(seen)


def _names(path: Any) -> list[str]:
    names: list[str] = []
    while path:
        path, name = path
        names.insert(0, name)
    return names


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--faults", type=int, default=2)
    given = parser.parse_args()
    for linked in (False, True):
        began = time.monotonic()
        count = search(given.depth, given.faults, linked=linked)
        print(f"linked: {linked}: {count} states to depth {given.depth} in {time.monotonic() - began:.0f} s")
