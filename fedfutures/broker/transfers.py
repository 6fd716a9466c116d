"""What becomes of what waits for segments, once they are here or cannot be had, and who is given them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import RemoteProtocolError
from ..wire.manifest import segments_of
from ..wire.messages import LOST, MAX_CHUNK_BYTES, Constant, Drop, Fetch, Fetched, Get, Results
from ..wire.names import host_of, is_segment, is_user_file
from . import files
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
        delivery: Delivery, pack: Callable[[Any], bytes],
    ) -> None:  # fmt: skip
        self._host, self._peers, self._outbox, self._ledger, self._pack = host_of(name), peers, outbox, ledger, pack
        self._downloads, self._deferrals, self._fetches = downloads, deferrals, fetches
        self._settlement, self._dispatch, self._functions = settlement, dispatch, functions
        self._delivery = delivery

    # -- segments come -----------------------------------------------------------------------------------------------

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
        _READY[type(deferred.what)](self, deferred, now)

    def _fail(self, failed: Failed[Deferred] | None, now: float) -> None:
        """A segment cannot be had."""
        if failed is not None:
            outcome = self._pack(f"segment {failed.segment}, which it needs, {failed.why}")
            for deferred in failed.keys:
                _FAILED[type(deferred.what)](self, deferred, failed, outcome, now)

    def _fail_lot(self, deferred: Deferred, failed: Failed[Deferred], outcome: bytes, now: float) -> None:
        lot = deferred.what
        assert type(lot) is Lot
        ids = [i for i, payload in zip(lot.ids, lot.payloads) if failed.segment in segments_of(payload)]
        if ids:
            self._ledger.settle_waiting(lot, set(ids))
            self._deferrals.forget_vacated()
            self._delivery.deliver(lot.intake, ids, [outcome] * len(ids), [(i, LOST) for i in ids], now)
        if lot.ids and not self._downloads.is_waiting(deferred):
            self._proceed(deferred, now)

    def _fail_results(self, deferred: Deferred, failed: Failed[Deferred], outcome: bytes, now: float) -> None:
        """Outcomes cannot be had: their Futures run as the next attempt, unless that would be of no use."""
        self._deferrals.strike_out(deferred)
        results = deferred.what
        assert type(results) is Results
        if failed.gone and results.attempt < ATTEMPTS_AT_MOST:
            self._settlement.run_again(deferred.peer, results, now)
            return
        lost = [(i, LOST) for i in results.ids]
        said = Results(results.piece, results.attempt, results.ids, [outcome] * len(lost), lost)
        self._settlement.on_results(deferred.peer, said, now)

    def _settle(self, deferred: Deferred, now: float) -> None:
        results = deferred.what
        assert type(results) is Results
        if not self._settlement.awaited(deferred.peer, results):
            self._outbox.act(files.Remove(deferred.segments))
        self._settlement.on_results(deferred.peer, results, now)
        self._outbox.send(self._peers[deferred.peer], Drop(deferred.segments), now)

    def _share(self, deferred: Deferred, now: float) -> None:
        assert type(deferred.what) is Constant
        self._functions.on_constant(self._peers[deferred.peer], deferred.what, now)

    def _place(self, deferred: Deferred, now: float) -> None:
        assert type(deferred.what) is Lot
        self._dispatch.place(deferred.what, now)

    def _answer(self, deferred: Deferred, now: float) -> None:
        assert type(deferred.what) is Fetch
        self._fetches.answer(deferred.what.name, now)

    # -- segments go -------------------------------------------------------------------------------------------------

    def on_get(self, peer: Peer | None, get: Get) -> None:
        """A neighbour asks for a part of a segment."""
        if peer is None or peer.link is None or not is_segment(get.name) or get.count > MAX_CHUNK_BYTES:
            raise RemoteProtocolError("Get of a stranger, or of what is no segment")
        self._outbox.act(files.Read(peer.name, get.name, get.offset, get.count))

    def on_drop(self, peer: Peer, drop: Drop) -> None:
        """A neighbour has downloaded the segments of a result."""
        if peer.far:
            names = [name for name in drop.names if is_segment(name) and not is_user_file(name)]
            self._outbox.act(files.Remove(names))

    def on_fetch(self, peer: Peer, fetch: Fetch, now: float) -> None:
        """A node needs a segment."""
        self._fetches.on_fetch(peer, fetch.name, self._peers.parent(), now)

    def on_fetched(self, peer: Peer, fetched: Fetched, now: float) -> None:
        """The neighbour towards the Origin has a segment, or not."""
        if self._fetches.on_fetched(peer, fetched, now):
            self._deferrals.defer_fetch(peer.name, fetched.name, now)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def on_session(self, peer: Peer, now: float) -> None:
        """A session begins: ask for the segments that are missing."""
        self._downloads.on_session(peer.name, now)
        if peer.link is not None and not peer.link.dials:
            self._fetches.on_parent(peer, self._downloads, now)

    def on_peer_gone(self, peer: Peer, now: float) -> None:
        """A peer is gone: what waits for its segments does not go on."""
        self._deferrals.on_peer_gone(peer.name)
        if peer.link is not None and not peer.link.dials:
            self._fetches.on_parent_gone(self._downloads, now)
        self._downloads.on_peer_gone(peer.name, now)
        self._fetches.on_peer_gone(peer.name)


_READY: dict[type, Callable[[Transfers, Deferred, float], None]] = {
    Lot: Transfers._place,
    Results: Transfers._settle,
    Constant: Transfers._share,
    Fetch: Transfers._answer,
}
"""What to do when the segments of something are here."""

_FAILED: dict[type, Callable[[Transfers, Deferred, Failed[Deferred], bytes, float], None]] = {
    Lot: Transfers._fail_lot,
    Results: Transfers._fail_results,
    Constant: lambda transfers, deferred, failed, outcome, now: transfers._deferrals.strike_out(deferred),
    Fetch: lambda transfers, deferred, failed, outcome, now: transfers._answer(deferred, now),
}
"""What to do when a segment of something cannot be had."""
