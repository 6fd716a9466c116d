"""Outcomes on their way to whoever gave the Futures: at once to Workers and Origins, collected for neighbours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import compress
from typing import Any

from ..wire import facts
from ..wire.manifest import MANIFEST, segments_of
from ..wire.messages import CANCELLED, MAX_COUNT, Results
from .files import HandOver
from .lots import Intake
from .outbox import Outbox
from .peers import Peer, Peers
from .segment_cache import SegmentCache

COLLECT_SECONDS = 0.004
"""Results for a neighbour go out at once when none did for so long, or they are the last of what it has given, else
together: so a Broker that stands before thousands of Workers has as many messages to take in as time allows, not as
there are Futures."""


def only(results: Results, wanted: set[int], *, measured: bool = True) -> Results:
    """Return the results of some of the Futures; `measured`: with the time that all have taken."""
    flags = [i in wanted for i in results.ids]
    return Results(
        results.piece, results.attempt, list(compress(results.ids, flags)), list(compress(results.outcomes, flags)),
        [pair for pair in results.odd if pair[0] in wanted],
        results.seconds if measured else 0.0, results.count if measured else 0, facts.kept(results.facts, flags),
    )  # fmt: skip


def joined(parts: list[Results]) -> Results:
    """Return all results of one piece as one message."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Results(
        first.piece, first.attempt, [i for one in parts for i in one.ids],
        [outcome for one in parts for outcome in one.outcomes], [pair for one in parts for pair in one.odd],
        min(sum(one.seconds for one in parts), sys.float_info.max),
        min(sum(one.count for one in parts), MAX_COUNT),
        facts.joined((one.facts, len(one.ids)) for one in parts),
    )  # fmt: skip


def segments_in(outcomes: list[bytes]) -> list[str]:
    """Return all segments that outcomes need; none if the smallest outcome is larger than ``MANIFEST``."""
    return [name for outcome in outcomes if outcome[:1] == MANIFEST for name in segments_of(outcome)]


class Delivery:
    """The outcomes that one Broker passes on."""

    def __init__(
        self, peers: Peers, outbox: Outbox, cache: SegmentCache, pack: Callable[[Any], bytes],
        is_owed: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._peers, self._outbox, self._cache = peers, outbox, cache
        self._pack = pack  # how reports become bytes
        self._is_owed = is_owed  # whether Futures that a peer has given are not resolved
        self._collected: dict[str, dict[int, list[Results]]] = {}  # by neighbour and piece
        self._flush_at: dict[str, float] = {}  # when they are to be sent, or were sent last

    def deliver(
        self, intake: Intake, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]], now: float,
        seconds: float = 0.0, count: int = 0, known: bytes = b"",
    ) -> None:  # fmt: skip
        """Pass outcomes on; `seconds` is what `count` of the Futures took together, `known` are their facts."""
        if not intake.left:
            self._cache.on_resolved((intake.giver, intake.number))
        results = Results(intake.number, intake.terms.attempt, ids, outcomes, odd, seconds, count, known)
        peer = self._peers[intake.giver]
        if outcomes and min(outcomes)[:1] <= MANIFEST and (names := segments_in(outcomes)):
            self._outbox.act(HandOver(names, peer.name if peer.role == "worker" else ""))
        if peer.link is None:
            self._outbox.send(peer, results, now)
        else:
            self._collect(peer, results, now)

    def deliver_cancelled(self, intake: Intake, ids: list[int], now: float) -> None:
        """Say that Futures were cancelled."""
        self.deliver(intake, ids, [b""] * len(ids), [(number, CANCELLED) for number in ids], now)

    def deliver_failure(
        self, intake: Intake, ids: list[int], kind: int, report: Any, now: float, known: bytes = b""
    ) -> None:  # fmt: skip
        """Say why Futures have failed; `known` are their facts."""
        outcomes, odd = [self._pack(report)] * len(ids), [(number, kind) for number in ids]
        self.deliver(intake, ids, outcomes, odd, now, known=known)

    def _collect(self, peer: Peer, results: Results, now: float) -> None:
        """Send results to a neighbour, now or with others."""
        assert peer.link is not None
        collected = self._collected.get(peer.name)
        if collected is None:
            collected = self._collected[peer.name] = {}
            wait = max(COLLECT_SECONDS, peer.link.round_trip / 16)
            self._flush_at[peer.name] = self._flush_at.get(peer.name, 0.0) + wait
        collected.setdefault(results.piece, []).append(results)
        if now >= self._flush_at[peer.name] or not self._is_owed(peer.name):
            self.flush(peer, now)

    def deadline(self) -> float | None:
        """When :meth:`flush_if_due` has something to do."""
        return min(map(self._flush_at.__getitem__, self._collected), default=None)

    def flush_if_due(self, peer: Peer, now: float) -> None:
        """Send what was collected for a neighbour, once it is time."""
        if peer.name in self._collected and now >= self._flush_at[peer.name]:
            self.flush(peer, now)

    def flush(self, peer: Peer, now: float) -> None:
        """Send what was collected for a neighbour."""
        self._flush_at[peer.name] = now
        for parts in self._collected.pop(peer.name, {}).values():
            self._outbox.send(peer, joined(parts), now)

    def forget(self, name: str) -> None:
        """A neighbour is gone, or begins a new session."""
        self._collected.pop(name, None)
        self._flush_at.pop(name, None)
