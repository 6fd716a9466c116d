"""The Broker's books, read: for people, for questions that go around, and for the invariants that tests assert."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from .ledger import Peer, Piece, Source

if TYPE_CHECKING:
    from .machine import BrokerMachine


def ids_of(broker: BrokerMachine, source: Source) -> list[int]:
    """Return the Futures of an intake that are not resolved."""
    ids = [i for lot in broker.lots() if lot.source == source for i in lot.ids]
    for holder, key in sorted(broker.intakes[source].outs):
        ids += broker.peers[holder].held[key].pending
    return ids


def holdings(broker: BrokerMachine, submitter: str, number: int) -> Iterator[tuple[Peer, Piece]]:
    """Find who holds a Future, and in which piece."""
    for peer in broker.peers.values():
        for piece in peer.held.values():
            if piece.submitter == submitter and number in piece.pending:
                yield peer, piece


def statistics(broker: BrokerMachine) -> dict[str, int]:
    """Counts of what is here."""
    return {
        "peers": len(broker.peers),
        "workers": len(broker.workers),
        "neighbours": len(broker.neighbours),
        "queued": len(broker.queue),
        "held": sum(peer.pending for peer in broker.peers.values()),
        "functions": len(broker.functions.definitions),
        "resolved": broker.resolved,
        "crashes": broker.crashes,
        "violations": broker.violations,
        "fetching": len(broker.downloads),
        "fetched_bytes": broker.downloads.bytes_fetched,
    }


def explain(broker: BrokerMachine, submitter: str, number: int) -> str:
    """Say where a Future is and why it is not running."""
    for lot in broker.queue:
        if lot.submitter == submitter and number in lot.ids:
            room = sum(peer.room for peer in broker.workers)
            return f"queued at Broker {broker.name}, {len(broker.queue)} in all; Workers have room for {room}"
    for digest, lots in broker.functions.waiting.items():
        if any(lot.submitter == submitter and number in lot.ids for lot in lots):
            return f"waits at Broker {broker.name} for the definition of function {digest.hex()[:8]}"
    if waits := broker.deferrals.explain(broker.name, submitter, number):
        return waits
    for peer, piece in holdings(broker, submitter, number):
        return f"with {peer.name}, attempt {piece.attempt}, {piece.crashes} crashes"
    return f"not known to Broker {broker.name}"


def check(broker: BrokerMachine) -> None:
    """Assert the invariants: every Future in one place, counts equal sums, books agree."""
    left: dict[Source, int] = {}
    outs: dict[Source, set[Source]] = {}
    for lot in broker.lots():
        left[lot.giver] = left.get(lot.giver, 0) + len(lot.ids)
        _require(len(lot.ids) == len(lot.payloads) > 0, "a lot is empty or uneven")
    for peer in broker.peers.values():
        peer.channel.check()
        _require(peer.pending == sum(len(piece.pending) for piece in peer.held.values()), "a peer's count is off")
        for key, piece in peer.held.items():
            _require(bool(piece.pending), f"{peer.name} holds an empty piece")
            if piece.source is not None:
                left[piece.source] = left.get(piece.source, 0) + len(piece.pending)
                outs.setdefault(piece.source, set()).add((peer.name, key))
    _require(left == {source: intake.left for source, intake in broker.intakes.items()}, "intakes do not add up")
    for source, intake in broker.intakes.items():
        _require(intake.outs == outs.get(source, set()), "an intake does not know its pieces")
        _require(source[0] in broker.peers, "an intake of a peer that is gone")
    by_role = len(broker.workers) + len(broker.origins) + len(broker.neighbours)
    _require(len(broker.peers) == by_role, "a peer has no role")
    locked_in = sum(not peer.workers for peer in broker.workers)
    _require(broker.locked_in == locked_in, "Workers that start nothing of others are not counted")
    broker.queue.check()
    broker.orphans.check()
    broker.downloads.check()
    broker.deferrals.check()
    broker.segment_cache.check()


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise LocalProtocolError(what)
