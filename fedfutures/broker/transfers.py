"""What becomes of what waits for segments, once they are here or cannot be had, and who is given them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import RemoteProtocolError
from ..wire.manifest import HAS_SEGMENTS, segments_of
from ..wire.messages import GONE, LATER, LOST, MAX_CHUNK_BYTES, Chunk, Constant, Drop, Fetch, Get, Results
from ..wire.names import host_of, is_segment, is_user_file
from . import files
from .claims import Claims
from .deferrals import Deferrals, Deferred
from .delivery import Delivery
from .dispatch import Dispatch
from .downloads import Downloads, Failed
from .fetches import Fetches
from .functions import Functions
from .ledger import Ledger
from .lots import Lot
from .outbox import Outbox
from .peers import Peer, Peers
from .results import Settlement

ATTEMPTS_AT_MOST = 16
"""A Future whose result could not be had so often is lost."""


class Transfers:
    """The segments that come to one Broker's host, and go from it."""

    def __init__(
        self, name: str, peers: Peers, outbox: Outbox, ledger: Ledger, downloads: Downloads[Deferred],
        deferrals: Deferrals, fetches: Fetches, settlement: Settlement, dispatch: Dispatch, functions: Functions,
        delivery: Delivery, claims: Claims, pack: Callable[[Any], bytes],
    ) -> None:  # fmt: skip
        self._host, self._peers, self._outbox, self._ledger, self._pack = host_of(name), peers, outbox, ledger, pack
        self._downloads, self._deferrals, self._fetches = downloads, deferrals, fetches
        self._settlement, self._dispatch, self._functions = settlement, dispatch, functions
        self._delivery, self._claims = delivery, claims

    def on_chunk(self, event: files.Brought, now: float) -> None:
        """A neighbour sends a part of a segment."""
        self._fail(self._downloads.on_chunk(event, now), now)
        self._downloads.pump(event.peer, now)

    def on_stored(self, event: files.Stored, now: float) -> None:
        """A segment is complete."""
        for deferred in self._deferrals.on_stored(event.name):
            self._proceed(deferred, now)

    def on_unwritable(self, event: files.Unwritable, now: float) -> None:
        """A segment cannot be stored here."""
        self._fail(self._downloads.on_unwritable(event, self._host, now), now)

    def _proceed(self, deferred: Deferred, now: float) -> None:
        """All segments of what came are here."""
        self._deferrals.strike_out(deferred)
        what, name = deferred.what, deferred.peer
        if isinstance(what, Lot):
            self._dispatch.place(what, now)
        elif isinstance(what, Constant):
            self._functions.on_constant(self._peers[name], what, now)
        elif isinstance(what, Fetch):
            self._fetches.answer(what.name, now)
        else:
            if not self._settlement.awaited(name, what):  # nobody opens them: they would stay
                self._outbox.act(files.Remove(deferred.segments))
            self._settlement.on_results(name, what, now)
            self._outbox.send(self._peers[name], Drop(deferred.segments), now)

    def _fail(self, failed: Failed[Deferred] | None, now: float) -> None:
        """A segment cannot be had."""
        if failed is None:
            return
        outcome = self._pack(f"segment {failed.segment}, which it needs, {failed.why}")
        for deferred in failed.keys:
            what = deferred.what
            if isinstance(what, Lot):
                self._fail_lot(deferred, what, failed.segment, outcome, now)
                continue
            self._deferrals.strike_out(deferred)
            if isinstance(what, Results):
                self._fail_results(deferred.peer, what, failed, outcome, now)
            elif isinstance(what, Fetch):
                self._deferrals.note_gone(what.name)
                self._fetches.answer(what.name, now)

    def _fail_lot(self, deferred: Deferred, lot: Lot, segment: str, outcome: bytes, now: float) -> None:
        ids = [i for i, payload in zip(lot.ids, lot.payloads) if segment in segments_of(payload)]
        if ids:
            self._ledger.settle_waiting(lot, set(ids))
            self._deferrals.forget_vacated()
            self._delivery.deliver(lot.intake, ids, [outcome] * len(ids), [(i, LOST) for i in ids], now)
        if lot.ids and not self._downloads.is_waiting(deferred):
            self._proceed(deferred, now)

    def _fail_results(self, name: str, results: Results, failed: Failed[Deferred], outcome: bytes, now: float) -> None:
        """Outcomes cannot be had: their Futures run as the next attempt, unless that would be of no use."""
        if failed.gone and results.attempt < ATTEMPTS_AT_MOST:
            self._settlement.run_again(name, results, now)
            return
        lost = [(i, LOST) for i in results.ids]
        said = Results(results.piece, results.attempt, results.ids, [outcome] * len(lost), lost, facts=results.facts)
        self._settlement.on_results(name, said, now)

    def on_get(self, peer: Peer | None, get: Get, now: float) -> None:
        """A neighbour asks for a part of a segment.

        What it was not told of is not to be had, but for a Broker that was started again: it does not know yet what its
        neighbours were told, and is asked again. So it is where the whole host was started again, and does not have yet
        what Futures need that another neighbour lends through it.
        """
        if peer is None or not peer.far or not is_segment(get.name) or get.count > MAX_CHUNK_BYTES:
            raise RemoteProtocolError("Get of a stranger, or of what is no segment")
        is_here, was_told = self._deferrals.is_here(get.name), peer.given.may_read(get.name)
        lender = None if is_here and was_told else self._lender(peer, get.name)
        if lender is None and not was_told:
            size = LATER if self._claims.is_recovering(now) else GONE
            self._outbox.send_unnumbered(peer.name, Chunk(get.name, get.offset, size))
            raise RemoteProtocolError(f"{peer.name} asks for a segment of which it was not told")
        if not is_here and lender and self._deferrals.bring(get.name, lender, now):
            self._outbox.send_unnumbered(peer.name, Chunk(get.name, get.offset, LATER))
        else:
            self._outbox.act(files.Read(peer.name, get.name, get.offset, get.count))

    def _lender(self, peer: Peer, segment: str) -> str | None:
        """Return which other neighbour has lent Futures that this one holds and that need a segment; None if none do.

        "": somebody here has given them, or a constant needs it. This serves what is not remembered as told.
        """
        for piece in self._ledger.accounts[peer.name].held.values():
            if any(body[:1] in HAS_SEGMENTS and segment in segments_of(body) for body in piece.payloads()):
                giver = None if piece.intake is None else self._peers.get(piece.intake.giver)
                return giver.name if giver is not None and giver.far else ""
        bodies = (constant.body for constant in self._functions.constants.values())
        needed = any(body[:1] in HAS_SEGMENTS and segment in segments_of(body) for body in bodies)
        return "" if needed else None

    def on_drop(self, peer: Peer, drop: Drop) -> None:
        """A neighbour has downloaded the segments of a result."""
        if peer.far:
            names = peer.given.drop(drop.names)
            if names:
                self._outbox.act(files.Remove([name for name in names if not is_user_file(name)]))
            if len(names) < len(drop.names):
                raise RemoteProtocolError(f"{peer.name} drops segments of results that it was not given")

    def on_session(self, peer: Peer, now: float) -> None:
        """A session begins: ask for the segments that are missing."""
        self._downloads.on_session(peer.name, now)
        self._fetches.on_session(peer, now)

    def on_peer_gone(self, peer: Peer, now: float) -> None:
        """A peer is gone: what waits for its segments does not go on."""
        self._deferrals.on_peer_gone(peer.name)
        self._downloads.on_peer_gone(peer.name, now)
        self._fetches.on_peer_gone(peer, now)
