"""The laws of ``cancel(running=True)`` (docs/limits.rst): what runs ends, and only what was cancelled."""

from __future__ import annotations

from .law import Law
from .records import FutureRecord, Key, Records
from .system import System
from .world import NEVER

ENDS_SECONDS = 1.5
"""Within which a cancelled Future has ended, where its Worker's host can be asked."""
JUST_ENDED_SECONDS = 0.01
"""So old may be what a Worker has said of a Future when its host process acts on it."""


class CancelledEnds(Law):
    """A Future that is cancelled while it runs resolves soon. Its Worker is ended for it and no other; so are those
    that run what that one had submitted."""

    code = "S16"

    def __init__(self, system: System, records: Records) -> None:
        super().__init__(system, records)
        self.asked: dict[Key, float] = {}  # what is open, and since when it is to end
        self.bereft: dict[str, float] = {}  # Workers that were ended for a cancelled Future, and when

    def cancels(self, key: Key) -> None:
        self.asked.setdefault(key, self.system.clock.now)

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        self.asked.pop(key, None)

    def ends_worker(self, worker: str, key: Key) -> None:
        record, node, now = self.records.futures[key], self.system.workers[worker], self.system.clock.now
        is_wanted = record.end_asked or key[0] in self.bereft
        self.require(is_wanted, f"{worker} is ended for {key}, which nobody has cancelled")
        mine = [piece for piece in node.workload.pieces.values() if piece.terms.submitter == key[0]]
        unstarted = any(number == key[1] for piece in mine for number, _ in piece.todo)
        self.require(not unstarted, f"{worker} is ended for {key}, which it has not begun")
        is_open = now - record.settled_at <= JUST_ENDED_SECONDS or record.settled_at == NEVER
        is_vain = not self.records.has_only("worker")  # others may have had its result first
        self.require(is_open or is_vain, f"{worker} is ended for {key}, which has resolved")
        self.bereft[worker] = now

    def sampled(self, healed: bool) -> None:
        if not self.records.has_only("worker"):
            return
        now, latest = self.system.clock.now, 3 * sum(links[0].latency for links in self.system.links_between.values())
        for key, since in self.asked.items():
            gone = key[0] in self.records.gone
            self.require(gone or now - since <= ENDS_SECONDS + latest, f"{key} was to end {now - since:.3f} s ago")
        for worker in self.system.workers.values():
            current = worker.current
            if current is not None and current.piece is not None and not worker.waiting:
                submitter = current.piece.terms.submitter
                since = self.bereft.get(submitter, NEVER)
                lasts = now - max(since, current.began) > ENDS_SECONDS + latest
                self.require(since == NEVER or not lasts, f"{worker.name} runs on for {submitter}, which was ended")
