"""Questions that go around: ``explain`` to whoever holds the Future, ``statistics`` to every machine.

A Broker passes a question on over all links that it concerns but the one it came from, passes the answers back as they
come, and says its own last. A peer that is silent, or has not finished answering in its share of the time, is
answered for with an empty report, so the asker can name it and never waits for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy_dataclass import dataclass
from ..wire import messages
from . import audit
from .ledger import Peer

if TYPE_CHECKING:
    from .machine import BrokerMachine

SHARE_OF_TIME = 0.8
"""What a Broker leaves of its time to those it asks."""


@dataclass(slots=True)
class Inquiry:
    """A question that is open here."""

    asker: str
    number: int  # the asker's
    waiting: set[str]
    until: float
    report: Any  # what this Broker has to say itself


class Inquiries:
    """The open questions of one Broker."""

    def __init__(self, broker: BrokerMachine) -> None:
        self._broker = broker
        self._outbox = broker.outbox
        self.open: dict[int, Inquiry] = {}
        self._count = 0

    def deadline(self) -> float | None:
        """When :meth:`expire` has something to do."""
        return min((inquiry.until for inquiry in self.open.values()), default=None)

    def ask(self, asker: Peer, question: messages.Inquire, now: float) -> None:
        """Take a question in."""
        broker = self._broker
        if question.subject == "explain":
            report: Any = broker.explain(question.submitter, question.future)
            concerned = [peer for peer, _ in audit.holdings(broker, question.submitter, question.future)]
        else:
            report, concerned = broker.statistics(), list(broker.peers.values())
        self._count += 1
        inquiry = Inquiry(asker.name, question.number, set(), now + question.seconds, report)
        self.open[self._count] = inquiry
        seconds = question.seconds * SHARE_OF_TIME
        for peer in concerned:
            if peer is asker:
                continue
            if peer.silent:
                self._answer(inquiry, peer.name, b"", last=False, now=now)
                continue
            inquiry.waiting.add(peer.name)
            question = messages.Inquire(self._count, question.subject, seconds, question.submitter, question.future)
            self._outbox.send(peer, question, now)
        self._finish_if_done(self._count, now)

    def answered(self, peer: Peer, answer: messages.Answer, now: float) -> None:
        """Pass an answer on."""
        inquiry = self.open.get(answer.number)
        if inquiry is None:
            return
        self._answer(inquiry, answer.name, answer.report, last=False, now=now)
        if answer.last:
            inquiry.waiting.discard(peer.name)
            self._finish_if_done(answer.number, now)

    def expire(self, now: float) -> None:
        """Answer for those that did not."""
        for number, inquiry in list(self.open.items()):
            if now >= inquiry.until:
                for name in sorted(inquiry.waiting):
                    self._answer_for(name, number, inquiry, now)

    def peer_gone(self, name: str, now: float) -> None:
        """Nothing more will come from a peer, or go to it."""
        for number, inquiry in list(self.open.items()):
            if inquiry.asker == name:
                del self.open[number]
            elif name in inquiry.waiting:
                self._answer_for(name, number, inquiry, now)

    def _answer_for(self, name: str, number: int, inquiry: Inquiry, now: float) -> None:
        """A peer does not answer, or not to the end."""
        inquiry.waiting.discard(name)
        self._answer(inquiry, name, b"", last=False, now=now)
        self._finish_if_done(number, now)

    def _finish_if_done(self, number: int, now: float) -> None:
        inquiry = self.open.get(number)
        if inquiry is not None and not inquiry.waiting:
            del self.open[number]
            self._answer(inquiry, self._broker.name, self._broker.pack(inquiry.report), last=True, now=now)

    def _answer(self, inquiry: Inquiry, name: str, report: bytes, *, last: bool, now: float) -> None:
        asker = self._broker.peers.get(inquiry.asker)
        if asker is not None:
            self._outbox.send(asker, messages.Answer(inquiry.number, name, report, last), now)
