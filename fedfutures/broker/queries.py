"""Questions that go around (``explain``, ``statistics``, ``status``), and what this Broker says itself.

A Broker passes a question on over all links that it concerns but the one it came from, passes the answers back as they
come, and says its own last. Who does not answer in its share of the time is answered for with an empty report. What
goes on in the run ("status", "stack") the host process is asked as well; it may also be the one that asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..federation.schedule import Durations
from ..lazy_dataclass import dataclass
from ..wire.messages import RAN, SEEING, STACK, Answer, Inquire
from ..wire.names import host_of
from .deferrals import Deferrals, Deferred
from .dispatch import SET_ASIDE
from .downloads import Downloads
from .events import AskHost, HostAsks, HostReported, TellHost
from .functions import Functions
from .ledger import ELSEWHERE, Ledger
from .load import Load
from .once import NAMED_AGAIN
from .outbox import Outbox
from .peers import Peer, Peers
from .recovery import Recovery
from .sessions import Sessions

Counts = Callable[[], dict[str, int]]
SHARE_OF_TIME = 0.8
"""What a Broker leaves of its time to those it asks."""
MEANS_AT_MOST = 500
"""Of so many functions it says how long they take: those heard of last."""
_HOST = ""
"""In place of the asker's name: the host process."""


@dataclass(slots=True)
class Query:
    """A question that is open here."""

    asker: str  # a peer; "": the host process
    number: int  # the asker's
    waiting: set[str]
    until: float
    report: Any  # what this Broker has to say itself


class Queries:
    """The open questions of one Broker, and what it says itself: that reads its parts, and changes nothing."""

    def __init__(
        self, name: str, peers: Peers, ledger: Ledger, load: Load, functions: Functions, downloads: Downloads[Deferred],
        deferrals: Deferrals, recovery: Recovery, sessions: Sessions, durations: Durations, outbox: Outbox,
        pack: Callable[[Any], bytes], segments: Counts, sent: Counts,
    ) -> None:  # fmt: skip
        self._name, self._peers, self._ledger, self._load, self._outbox = name, peers, ledger, load, outbox
        self._functions, self._downloads, self._deferrals = functions, downloads, deferrals
        self._recovery, self._sessions, self._durations = recovery, sessions, durations
        self._host = host_of(name)
        self._pack = pack  # how reports become bytes
        self._segments = segments  # the account of the host's segments
        self._sent = sent  # how many bytes went to which neighbour on another host
        self.open: dict[int, Query] = {}
        self._count = 0

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return {
            "peers": len(self._load.peers),
            "workers": len(self._load.workers),
            "neighbours": len(self._load.neighbours),
            "queued": self._ledger.queue.count,
            "held": sum(account.pending for account in self._ledger.accounts.values()),
            "functions": len(self._functions.definitions),
            "resolved": self._ledger.resolved,
            "crashes": self._recovery.crashes,
            "violations": self._sessions.violations,
            "fetching": len(self._downloads),
            "fetched_bytes": self._downloads.bytes_fetched,
            **self._segments(),
        }

    def _links(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each link to a neighbour, and what went there."""
        found: dict[str, dict[str, Any]] = {}
        sent = self._sent()
        for name, load in self._load.neighbours.items():
            link = load.peer.link
            found[name] = {
                "round_trip": 0.0 if link is None else link.round_trip, "silent": load.peer.silent,
                "workers": load.workers, "idle": load.idle, "there": load.account.pending, "given": load.account.given,
                "sent": sent.get(name, 0),
            }  # fmt: skip
        return found

    def explain(self, submitter: str, number: int) -> str:
        """Say where a Future is and why it is not running."""
        queue = self._ledger.queue
        for lot in self._ledger.lots():
            if lot.terms.submitter != submitter or number not in lot.ids:
                continue
            if lot.key is None:
                room = sum(load.room for load in self._load.workers.values())
                return f"queued at Broker {self._name}, {queue.count} in all; Workers have room for {room}"
            if isinstance(lot.key, bytes):
                return f"waits at Broker {self._name} for the definition of function {lot.key.hex()[:8]}"
            if lot.key == SET_ASIDE:
                return f"waits at Broker {self._name} for a Worker in which no other Future waits: it has one to itself"
            if lot.key == NAMED_AGAIN:
                return f"waits at Broker {self._name} for whoever has it: it starts once at most, and may have begun"
            if lot.key == ELSEWHERE:
                hosts = ", ".join(lot.terms.conditions.avoid)
                return f"waits at Broker {self._name} for Workers of another host than {hosts}"
            if isinstance(lot.key, Deferred):
                return f"waits at Broker {self._name} {self._deferrals.explain(lot.key)}"
        for piece in self._ledger.held(submitter, number):
            return f"with {piece.holder}, attempt {piece.terms.attempt}, {piece.terms.crashes} crashes"
        return f"not known to Broker {self._name}"

    def deadline(self) -> float | None:
        """When :meth:`expire` has something to do."""
        return min((query.until for query in self.open.values()), default=None)

    def on_inquire(self, asker: Peer, question: Inquire, now: float) -> None:
        """Take in a question of a peer."""
        self._ask_around(asker.name, question, now)

    def on_host_asks(self, event: HostAsks, now: float) -> None:
        """Take in a question of the host process."""
        self._ask_around(_HOST, Inquire(event.number, event.subject, event.seconds, event.worker), now)

    def _concerned(self, question: Inquire) -> tuple[list[Peer], Any]:
        """Return who is asked, and what this Broker has to say itself."""
        if question.subject == "explain":
            holders = self._ledger.held(question.submitter, question.future)
            said = self.explain(question.submitter, question.future)
            return [self._peers[piece.holder] for piece in holders], said
        if question.subject == STACK:  # of its Workers the host process says it
            return [*self._peers.neighbours, *self._peers.origins], {}
        if question.subject == RAN:
            return [*self._peers.neighbours, *self._peers.workers], {"role": "broker", "sent": dict(self._sent())}
        report: dict[str, Any] = dict(self.statistics())
        if question.subject in SEEING:
            means = self._durations.latest(MEANS_AT_MOST)
            report = {**report, "role": "broker", "means": means, "links": self._links()}
        return list(self._peers.values()), report

    def _ask_around(self, asker: str, question: Inquire, now: float) -> None:
        concerned, report = self._concerned(question)
        self._count += 1
        query = Query(asker, question.number, set(), now + question.seconds, report)
        self.open[self._count] = query
        seconds = question.seconds * SHARE_OF_TIME
        if question.subject in SEEING:
            query.waiting.add(self._host)
            self._outbox.act(AskHost(self._count, question.subject, question.submitter))
        for peer in concerned:
            if peer.name == asker:
                continue
            if peer.silent:
                self._answer(query, peer.name, b"", last=False, now=now)
                continue
            query.waiting.add(peer.name)
            question = Inquire(self._count, question.subject, seconds, question.submitter, question.future)
            self._outbox.send(peer, question, now)
        self._finish_if_done(self._count, now)

    def on_host_reported(self, event: HostReported, now: float) -> None:
        """Pass on what the host process says."""
        query = self.open.get(event.number)
        if query is not None and self._host in query.waiting:
            query.waiting.discard(self._host)
            self._answer(query, self._host, event.report, last=False, now=now)
            self._finish_if_done(event.number, now)

    def on_answer(self, peer: Peer, answer: Answer, now: float) -> None:
        """Pass an answer on."""
        query = self.open.get(answer.number)
        if query is None or peer.name not in query.waiting:
            return
        self._answer(query, answer.name, answer.report, last=False, now=now)
        if answer.last:
            query.waiting.discard(peer.name)
            self._finish_if_done(answer.number, now)

    def expire(self, now: float) -> None:
        """Answer for those that did not."""
        for number, query in list(self.open.items()):
            if now >= query.until:
                for name in sorted(query.waiting):
                    self._answer_for(name, number, query, now)

    def on_peer_lost(self, name: str, now: float) -> None:
        """Nothing more will come from a peer, or go to it."""
        for number, query in list(self.open.items()):
            if query.asker == name:
                del self.open[number]
            elif name in query.waiting:
                self._answer_for(name, number, query, now)

    def _answer_for(self, name: str, number: int, query: Query, now: float) -> None:
        """A peer does not answer, or not to the end."""
        query.waiting.discard(name)
        self._answer(query, name, b"", last=False, now=now)
        self._finish_if_done(number, now)

    def _finish_if_done(self, number: int, now: float) -> None:
        query = self.open.get(number)
        if query is not None and not query.waiting:
            del self.open[number]
            self._answer(query, self._name, self._pack(query.report), last=True, now=now)

    def _answer(self, query: Query, name: str, report: bytes, *, last: bool, now: float) -> None:
        answer = Answer(query.number, name, report, last)
        if query.asker == _HOST:
            self._outbox.act(TellHost(answer))
        elif (asker := self._peers.get(query.asker)) is not None:
            self._outbox.send(asker, answer, now)
