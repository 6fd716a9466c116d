"""How the two ends of a link come to a session: the same rules for Brokers, Workers and Origins. Pure.

The end that dials says ``Hello`` until the other says ``Welcome`` and names the session. A session outlives broken
connections. It ends when one end has lost its state: that end answers ``Stranger`` or is of another incarnation, the
dialling end introduces itself again, and both say what they still hold (:func:`reconciliation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ..wire.messages import PROTOCOL, Hello, Holding, Results, Welcome
from ..wire.seal import proof_of
from .channel import Channel
from .terms import Terms

HEARTBEAT_SECONDS = 1.0
"""An end that says nothing else says ``Ping`` (a Broker) or ``Ack`` (a node that waits for results) this often."""

RESULTS_REMEMBERED = 256
"""Of so many pieces that are done an end still knows what they were: their results may not have been acknowledged."""


def remember(resolved: list[tuple[int, Terms]], number: int, terms: Terms) -> None:
    """A piece is done, and is one of the last that were: those are what is kept.

    >>> last = []
    >>> for number in range(300):
    ...     remember(last, number, Terms("o", b"f", "o", 0, 1, 0))
    >>> len(last), last[0][0]
    (256, 44)
    """
    resolved.append((number, terms))
    if len(resolved) > RESULTS_REMEMBERED:
        del resolved[0]


class Dice(Protocol):
    """What is used of ``random.Random``."""

    def random(self) -> float: ...
    def getrandbits(self, k: int, /) -> int: ...


class Introduction:
    """What a dialling end says until it is welcome.

    Parameters
    ----------
    role, name, incarnation, pid
        what ``Hello`` says of this end.
    now
        when to begin, in seconds; None: this end does not dial.
    pause, longest
        seconds between two Hellos; they double up to the longest.
    dice
        with them pauses differ by a quarter, so that many ends do not dial in step.

    >>> end = Introduction("worker", "h.1", 700, 99, 10.0, pause=0.25, longest=0.25)
    >>> end.hello(0, 10.0).incarnation, end.hello(0, 10.1), end.due_at
    (700, None, 10.25)
    """

    __slots__ = ("_dice", "_longest", "_name", "_pause", "_pid", "_role", "_round", "_wait", "due_at", "incarnation")

    def __init__(
        self, role: str, name: str, incarnation: int, pid: int, now: float | None,
        *, pause: float, longest: float, dice: Dice | None = None,
    ) -> None:  # fmt: skip
        self._role, self._name, self.incarnation, self._pid = role, name, incarnation, pid
        self._pause = self._wait = pause
        self._longest, self._dice = longest, dice
        self._round = 0
        self.due_at = now

    def hello(self, session: int, now: float) -> Hello | None:
        """Return what is to be said now, where this end knows `session` (0: none)."""
        if self.due_at is None or now < self.due_at:
            return None
        self._wait = min(2 * self._wait, self._longest)
        self.due_at = now + (self._wait * (0.75 + 0.5 * self._dice.random()) if self._dice else self._wait)
        return Hello(PROTOCOL, self._role, self._name, self.incarnation, self._pid, session, self._round)

    def begin(self, now: float) -> None:
        """Introduce this end again: only an answer to what it says from now on counts."""
        if self.due_at is None:
            self.due_at, self._wait = now, self._pause
            self._round += 1

    def restart(self, now: float) -> None:
        """Whom this end introduces itself to has ended: its answers, which may be under way, do not count."""
        if self.due_at is not None:
            self.due_at = None
            self.begin(now)

    def renew(self, incarnation: int) -> None:
        """This end has forgotten all that it knew of the other."""
        self.incarnation = incarnation

    def end(self) -> None:
        """Say ``Hello`` no more: the other end has answered."""
        self.due_at = None

    def is_answered_by(self, welcome: Welcome) -> bool:
        """Whether a Welcome answers what is being said now; one that was long under way does not."""
        return self.due_at is not None and welcome.greeter == self.incarnation + self._round


def welcome_to(hello: Hello, name: str, incarnation: int, session: int) -> Welcome:
    """Return a Broker's answer to a Hello; it says which Hello it answers."""
    return Welcome(PROTOCOL, name, incarnation, session, hello.incarnation + hello.round)


def reconciliation(
    held: Mapping[int, tuple[Terms, list[int]]], finished: Iterable[tuple[int, Terms]], old: Channel,
    payloads: Mapping[int, Mapping[int, bytes]] | None = None,
) -> list[Holding | Results]:  # fmt: skip
    """Return what an end says when a session begins anew: what it holds for the other, and results that may be lost.

    Parameters
    ----------
    held
        the open pieces: number -> terms and numbers of Futures.
    finished
        the pieces that were done last.
    old
        the Channel of the session before.
    payloads
        to another host: number -> payloads by Future, to prove that this end was given them. Those of Futures that are
        done are gone; their results speak for themselves.

    Results of a piece that is not known any more are dropped: the other end could take them for those of another piece,
    to which it has given that number since.
    """
    named, done = dict(held), dict(finished)
    unsent = [message for _, message in old.unacknowledged if type(message) is Results]
    for results in unsent:
        entry, ids = named.get(results.piece) or (done.get(results.piece), [])
        if entry is not None:
            named[results.piece] = entry, ids + results.ids
    holdings = [
        Holding(
            number,
            entry.submitter,
            entry.function,
            entry.attempt,
            entry.crashes,
            ids,
            [] if payloads is None else [proof_of(payloads.get(number, {}).get(i, b"")) for i in ids],
        )
        for number, (entry, ids) in sorted(named.items(), key=lambda item: item[0])
        if ids
    ]
    return [*holdings, *(results for results in unsent if results.piece in named)]
