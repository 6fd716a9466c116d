"""Futures that start once at most: which of them may have begun when whoever had them is gone.

Such a Future is given out as its first attempt, and who has it under that number alone may start it. So it is in one
place: a Broker gives a Worker one at a time, and takes nothing back from a peer that may still have it. When a Worker
has ended, its host process says which one had begun last; the others go on as if nothing had happened. What may have
begun resolves as BEGUN_ONCE.

Who is named again by its submitter, as a second attempt, was with a Broker that is gone. Nobody starts that. Whoever
holds it says so, and else it is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from ..wire.messages import BEGUN_ONCE
from ..wire.names import host_of_node
from .delivery import Delivery
from .events import PeerLost
from .ledger import Ledger
from .lots import Intake, Lot, Piece

NAMED_AGAIN = ("named again",)
"""Under this key Futures wait until somebody says that it holds them."""
CLAIM_SECONDS = 3.0
"""So long they do: whoever holds them may have to find this Broker."""
SILENT_SECONDS = 10.0
"""A neighbour of which nothing is heard for so long, after it was said to be silent, has lost what it was lent."""
SILENCE = "nothing was heard of it any more"
BROKER_ENDED = "its Broker has ended, and nobody has said that it has the Future"


class OnceFutures:
    """Those of one Broker."""

    def __init__(self, ledger: Ledger, delivery: Delivery) -> None:
        self._ledger, self._delivery = ledger, delivery
        self._named: deque[tuple[float, Lot]] = deque()
        self._silent: dict[str, float] = {}  # neighbours, and until when they are waited for
        self.due: float | None = None  # when :meth:`expire` has something to do

    def _plan(self) -> None:
        self.due = min([*self._silent.values(), *(at for at, _ in list(self._named)[:1])], default=None)

    def wait(self, lot: Lot, now: float) -> None:
        """A lot has come that its submitter names again: let it wait until somebody says that it holds it."""
        self._ledger.park(lot, NAMED_AGAIN)
        self._named.append((now + CLAIM_SECONDS, lot))
        self._plan()

    def uncertain(self, intake: Intake) -> set[int]:
        """Return which Futures of a Batch wait here though they may have begun: nobody can say that they have not."""
        return {i for lot in intake.lots if lot.key == NAMED_AGAIN for i in lot.ids}

    def note_silence(self, name: str, now: float) -> None:
        """Nothing is heard of a neighbour, which may have begun what it was lent."""
        if any(piece.terms.is_once for piece in self._ledger.accounts[name].held.values()):
            self._silent[name] = now + SILENT_SECONDS
            self._plan()

    def note_heard(self, name: str) -> None:
        """It is heard again, or gone."""
        if self._silent.pop(name, None) is not None:
            self._plan()

    def expire(self, now: float) -> list[str]:
        """Give up what has waited long enough; return the neighbours that are not waited for any more."""
        while self._named and now >= self._named[0][0]:
            _, lot = self._named.popleft()
            if lot.ids and lot.key == NAMED_AGAIN:
                ids = self._ledger.settle_waiting(lot, set(lot.ids))
                self._delivery.deliver_failure(lot.intake, ids, BEGUN_ONCE, ("", "", BROKER_ENDED, ""), now)
        self._plan()
        return [name for name, until in self._silent.items() if now >= until]

    def give_up(self, name: str, how: PeerLost | None, now: float, key: Hashable = None) -> None:
        """A peer is gone: what it may have begun resolves. What it has not, as is known, stays in its account.

        how
            How it has ended; None: nothing is known of that.
        key
            It begins anew, and what it held is to be given to it again: that resolves only if nobody wants it any more.
        """
        for piece in self.pieces(name):
            ids = list(piece.pending)
            if key is not None:
                ids = [i for i in ids if i in piece.unwanted]
            elif how is not None and how.begun is not None and piece.terms.attempt == 1:
                ids = [i for i in ids if (piece.number, i) == how.begun]
            if how is None:
                self.lose(piece, ids, SILENCE, now)
            elif ids:  # a Worker has one at a time
                self.lose(piece, ids, how.status, now, how.dump, *how.printed_by(piece.number, ids[0]))

    def pieces(self, name: str) -> list[Piece]:
        """Return what a peer holds of these, what was given last first."""
        account = self._ledger.accounts[name]
        held = [piece for _, piece in sorted(account.held.items(), reverse=True) if piece.terms.is_once]
        return [piece for piece in held if piece.intake is None or piece.intake.giver != name]

    def lose(
        self, piece: Piece, ids: list[int], status: str, now: float, dump: str = "", *printed: list[str]
    ) -> None:  # fmt: skip
        """These may have begun, and nobody will say what has become of them."""
        intake, report = piece.intake, (host_of_node(piece.holder), piece.holder, status, dump, *printed)
        lost = self._ledger.settle(piece, ids)
        if intake is not None and lost:
            self._delivery.deliver_failure(intake, lost, BEGUN_ONCE, report, now)
