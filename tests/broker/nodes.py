"""Peers for parts of the Broker that are tested alone, and what an Outbox says to them."""

from __future__ import annotations

import random
from typing import Any

from fedfutures.broker.outbox import Outbox
from fedfutures.broker.peers import Peer, Peers
from fedfutures.federation.channel import Channel
from fedfutures.federation.events import Send
from fedfutures.federation.link import Link


def worker(name: str = "w") -> Peer:
    return Peer(name, "worker", 1, 1, Channel(1))


def origin(name: str = "o") -> Peer:
    return Peer(name, "origin", 1, 1, Channel(1))


def neighbour(name: str = "n", *, dials: bool = False, far: bool = True) -> Peer:
    """A Broker; `dials`: this end does."""
    link = Link("b", dials, random.Random(1), 0.0)
    return Peer(name, "broker", 1, 1, Channel(1), link, far=far)


def table(*peers: Peer) -> Peers:
    found = Peers()
    for peer in peers:
        found.enter(peer)
    return found


def said(outbox: Outbox) -> list[tuple[str, Any]]:
    """Return (peer, message) of all that was sent since the last call."""
    return [(action.peer, action.message) for action in outbox.take() if isinstance(action, Send)]
