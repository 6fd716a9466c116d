"""Questions that go around: ``explain`` to whoever holds the Future, ``statistics`` to every machine.

A Broker passes a question on over all links that it concerns but the one it came from, passes the answers back as they
come, and says its own last. A peer that is silent, or has not finished answering in its share of the time, is
answered for with an empty report, so the asker can name it and never waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..lazy_dataclass import dataclass
from ..wire.messages import Answer, Inquire
from .ledger import Ledger
from .outbox import Outbox
from .peers import Peer, Peers
from .report import Report

SHARE_OF_TIME = 0.8
"""What a Broker leaves of its time to those it asks."""


@dataclass(slots=True)
class Query:
    """A question that is open here."""

    asker: str
    number: int  # the asker's
    waiting: set[str]
    until: float
    report: Any  # what this Broker has to say itself


class Queries:
    """The open questions of one Broker."""

    def __init__(
        self, name: str, peers: Peers, ledger: Ledger, report: Report, outbox: Outbox, pack: Callable[[Any], bytes]
    ) -> None:  # fmt: skip
        self._name, self._peers, self._outbox = name, peers, outbox
        self._ledger, self._report = ledger, report
        self._pack = pack  # how reports become bytes
        self.open: dict[int, Query] = {}
        self._count = 0

    def deadline(self) -> float | None:
        """When :meth:`expire` has something to do."""
        return min((query.until for query in self.open.values()), default=None)

    def on_inquire(self, asker: Peer, question: Inquire, now: float) -> None:
        """Take a question in."""
        concerned = list(self._peers.values())
        if question.subject == "explain":
            report: Any = self._report.explain(question.submitter, question.future)
            holders = self._ledger.held(question.submitter, question.future)
            concerned = [self._peers[piece.holder] for piece in holders]
        else:
            report = self._report.statistics()
        self._count += 1
        query = Query(asker.name, question.number, set(), now + question.seconds, report)
        self.open[self._count] = query
        seconds = question.seconds * SHARE_OF_TIME
        for peer in concerned:
            if peer is asker:
                continue
            if peer.silent:
                self._answer(query, peer.name, b"", last=False, now=now)
                continue
            query.waiting.add(peer.name)
            question = Inquire(self._count, question.subject, seconds, question.submitter, question.future)
            self._outbox.send(peer, question, now)
        self._finish_if_done(self._count, now)

    def on_answer(self, peer: Peer, answer: Answer, now: float) -> None:
        """Pass an answer on."""
        query = self.open.get(answer.number)
        if query is None:
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
        asker = self._peers.get(query.asker)
        if asker is not None:
            self._outbox.send(asker, Answer(query.number, name, report, last), now)
