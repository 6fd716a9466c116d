"""What a Broker says of itself: to people, and to questions that go around."""

from __future__ import annotations

from .deferrals import Deferrals, Deferred
from .downloads import Downloads
from .functions import Functions
from .ledger import Ledger
from .load import Load
from .recovery import Recovery
from .sessions import Sessions


class Report:
    """Reads the parts of one Broker, and changes nothing."""

    def __init__(
        self, name: str, ledger: Ledger, load: Load, functions: Functions,
        downloads: Downloads[Deferred], deferrals: Deferrals, recovery: Recovery, sessions: Sessions,
    ) -> None:  # fmt: skip
        self._name, self._ledger, self._load = name, ledger, load
        self._recovery, self._sessions = recovery, sessions
        self._functions, self._downloads, self._deferrals = functions, downloads, deferrals

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return {
            "peers": len(self._load.peers),
            "workers": len(self._load.workers),
            "neighbours": len(self._load.neighbours),
            "queued": len(self._ledger.queue),
            "held": sum(account.pending for account in self._ledger.accounts.values()),
            "functions": len(self._functions.definitions),
            "resolved": self._ledger.resolved,
            "crashes": self._recovery.crashes,
            "violations": self._sessions.violations,
            "fetching": len(self._downloads),
            "fetched_bytes": self._downloads.bytes_fetched,
        }

    def explain(self, submitter: str, number: int) -> str:
        """Say where a Future is and why it is not running."""
        queue = self._ledger.queue
        for lot in self._ledger.lots():
            if lot.terms.submitter != submitter or number not in lot.ids:
                continue
            if lot.key is None:
                room = sum(load.room for load in self._load.workers.values())
                return f"queued at Broker {self._name}, {len(queue)} in all; Workers have room for {room}"
            if isinstance(lot.key, bytes):
                return f"waits at Broker {self._name} for the definition of function {lot.key.hex()[:8]}"
            if isinstance(lot.key, Deferred):
                return f"waits at Broker {self._name} {self._deferrals.explain(lot.key)}"
        for piece in self._ledger.held(submitter, number):
            return f"with {piece.holder}, attempt {piece.terms.attempt}, {piece.terms.crashes} crashes"
        return f"not known to Broker {self._name}"
