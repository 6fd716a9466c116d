"""Futures that were cancelled while they run: their Workers are to be ended.

Whether a Future runs, its Worker says (``Running``); where it does not answer in time, for the Future may hold the GIL,
the host process looks into the Worker's crash cells. It is asked again until the Future is not with the Worker any
more. What becomes of the Future then is a matter of the books: it is unwanted, so with the loss of its holder it
resolves as cancelled.
"""

from __future__ import annotations

from .events import EndForCancel
from .ledger import Ledger
from .lots import Piece
from .outbox import Outbox

ANSWER_SECONDS = 0.1
"""For so long a Worker is waited for: what is short has ended by then, and the Worker lives."""
AGAIN_SECONDS = 0.25


class Endings:
    """The Workers of one Broker that hold such Futures."""

    def __init__(self, ledger: Ledger, outbox: Outbox) -> None:
        self._ledger, self._outbox = ledger, outbox
        self._wanted: dict[str, dict[int, set[int]]] = {}  # by Worker and number of the piece
        self.due: float | None = None  # when to look next
        self._ended: set[str] = set()  # Workers that were ended for this, and whose loss is being dealt with

    def want(self, piece: Piece, ids: list[int], now: float) -> None:
        """Futures that a Worker holds are not to go on; it is asked which of them run."""
        self._wanted.setdefault(piece.holder, {}).setdefault(piece.number, set()).update(ids)
        due = now + ANSWER_SECONDS
        self.due = due if self.due is None else min(self.due, due)

    def on_running(self, worker: str, number: int, ids: list[int]) -> None:
        """A Worker says that these have begun."""
        if self._wanted and (wanted := self._wanted.get(worker, {}).get(number)):
            self._ask(worker, number, wanted.intersection(ids), begun=True)

    def expire(self, now: float) -> None:
        """Those that are still there: the host process is to see whether they run."""
        if self.due is None or now < self.due:
            return
        for worker, pieces in list(self._wanted.items()):
            account = self._ledger.accounts[worker]
            for number, ids in list(pieces.items()):
                ids.intersection_update(i for _, here in account.find(number, list(ids)) for i in here)
                if ids:
                    self._ask(worker, number, ids, begun=False)
                else:
                    del pieces[number]
            if not pieces:
                del self._wanted[worker]
        self.due = now + AGAIN_SECONDS if self._wanted else None

    def _ask(self, worker: str, number: int, wanted: set[int], *, begun: bool) -> None:
        found = self._ledger.accounts[worker].find(number, sorted(wanted))
        ids = [i for piece, here in found for i in here if self._may_end(piece)]
        if ids:
            self._outbox.act(EndForCancel(worker, number, ids, begun))

    def _may_end(self, piece: Piece) -> bool:
        """Whether a Worker may be ended for a Future of this piece.

        What a Future has submitted may share its Worker with one that waits for it, by way of others: that one would
        run again, submit again, and again be ended by its own descendants. It has open submissions there.
        """
        terms = piece.terms
        return terms.is_alone or terms.submitter == terms.root or not self._ledger.accounts[piece.holder].intakes

    def on_ended(self, worker: str) -> None:
        """A Worker was ended for a cancelled Future: what it has submitted nobody waits for."""
        self._ended.add(worker)

    def forget(self, worker: str) -> bool:
        """A Worker is gone; return whether it was ended for a cancelled Future."""
        self._wanted.pop(worker, None)
        was_ended = worker in self._ended
        self._ended.discard(worker)
        return was_ended

    def check(self) -> None:
        """Assert that all these Workers are there."""
        assert self._wanted.keys() <= self._ledger.accounts.keys(), "a Worker is to be ended that is gone"
        assert not self._wanted or self.due is not None, "nobody looks whether cancelled Futures run"
        assert not self._ended, "a Worker was ended and is still in the books"
