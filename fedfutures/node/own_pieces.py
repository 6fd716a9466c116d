"""The own Futures of a node that are at its Broker: in which piece each went, and what their functions are. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from itertools import compress
from typing import NamedTuple

from ..errors import LocalProtocolError
from ..wire.facts import kept
from ..wire.messages import Function, Results
from .events import Offer

FUNCTIONS_KEPT = 1024
"""So many definitions are kept beside those that given Futures may need: a program may make one for each call."""


class LossMark(NamedTuple):
    """What a Future has got by being lost with Workers that were lent."""

    losses: int = 0  # how often it was: each makes another attempt
    crashes: int = 0
    flags: int = 0


UNMARKED = LossMark()


class GivenPiece(NamedTuple):
    """What goes to the Broker as one Batch."""

    number: int
    attempt: int
    ids: list[int]
    payloads: list[bytes]
    crashes: int = 0
    flags: int = 0  # that its Futures have beside those of the Offer


class OwnPieces:
    """Each Future given is in one piece, until its outcome has come or a new session begins."""

    __slots__ = (
        "_definitions", "_once", "_sent", "_uses", "again", "count", "made", "marks", "pieces", "retrying", "where",
    )  # fmt: skip

    def __init__(self) -> None:
        self.pieces: dict[int, tuple[bytes, set[int]]] = {}  # number -> (function, Futures that are open)
        self.where: dict[int, int] = {}  # Future -> the piece it went in
        self.made = 0  # how many pieces there ever were
        self.count = 0  # how many Futures are given; a field, for each submit looks at it
        self.retrying = 0  # how many are not given, but wait for their next try
        self.marks: dict[int, LossMark] = {}  # of Futures that were lost with a Worker that was lent
        self._definitions: dict[bytes, Function] = {}
        self._uses: dict[bytes, int] = {}  # how many pieces are of each function
        self._sent: set[bytes] = set()  # functions that the Broker was sent
        self._once: set[int] = set()  # of those given the ones that start once at most
        self.again: set[int] = set()  # of those that were, and were taken back: they may have begun

    def define(self, digest: bytes, name: str, body: bytes) -> None:
        """Keep the definition of a function, to be sent with the first Batch that needs it."""
        if digest not in self._definitions:
            self._definitions[digest] = Function(digest, name, body)
            if len(self._definitions) > FUNCTIONS_KEPT:
                self._forget_some()

    def _forget_some(self) -> None:
        """Forget the two oldest definitions, where no given Future needs them: one alone would never catch up."""
        for digest in list(itertools.islice(self._definitions, 2)):
            function = self._definitions.pop(digest)
            if digest in self._uses:
                self._definitions[digest] = function
            else:
                self._sent.discard(digest)

    def definition(self, digest: bytes) -> Function | None:
        """Return the definition of an own function."""
        return self._definitions.get(digest)

    def unsent_definition(self, digest: bytes) -> Function | None:
        """Return the definition that has to be sent before a Batch; None where the Broker knows it."""
        if digest in self._sent:
            return None
        self._sent.add(digest)
        return self._definitions[digest]

    def give(self, digest: bytes, ids: list[int], *, once: bool = False) -> int:
        """Futures go to the Broker; return the number of their piece. `once`: they start once at most."""
        if once:
            self._once.update(ids)
        self.made += 1
        self.pieces[self.made] = (digest, set(ids))
        self.use(digest)
        self.where.update(dict.fromkeys(ids, self.made))
        self.count += len(ids)
        return self.made

    def use(self, digest: bytes) -> None:
        """A piece of this function is open."""
        self._uses[digest] = self._uses.get(digest, 0) + 1

    def let_go(self, digest: bytes) -> None:
        """It is not any more."""
        self._uses[digest] -= 1
        if not self._uses[digest]:
            del self._uses[digest]

    def mark(self, number: int, crashes: int, flags: int) -> None:
        """A Future was lost with a Worker that was lent; this comes on top of what it has of crashes and flags."""
        before = self.marks.get(number, UNMARKED)
        self.marks[number] = LossMark(before.losses + 1, before.crashes + crashes, before.flags | flags)

    def give_offer(self, offer: Offer, sessions: int) -> list[GivenPiece]:
        """Futures go to the Broker, in this session; return the pieces.

        What starts once at most goes as a second attempt only if it was given before: then nobody starts it any more.
        What was lost with a Worker that was lent goes apart from others.
        """
        latest = max(1, sessions)
        if self.marks and not self.marks.keys().isdisjoint(offer.ids):
            return self._give_marked(offer, latest)
        ids, payloads, once = offer.ids, offer.payloads, offer.conditions.is_once
        if not once or sessions <= 1:
            return [GivenPiece(self.give(offer.digest, ids, once=once), latest, ids, payloads)]
        parts = []
        for attempt in (1, sessions):
            some = [(i, payload) for i, payload in zip(ids, payloads) if (i in self.again) is (attempt > 1)]
            if some:
                mine = [i for i, _ in some]
                piece = self.give(offer.digest, mine, once=True)
                parts.append(GivenPiece(piece, attempt, mine, [one for _, one in some]))
        return parts

    def _give_marked(self, offer: Offer, attempt: int) -> list[GivenPiece]:
        parts = []
        for mark in sorted({self.marks.get(i, UNMARKED) for i in offer.ids}):
            some = [(i, one) for i, one in zip(offer.ids, offer.payloads) if self.marks.get(i, UNMARKED) == mark]
            ids = [i for i, _ in some]
            piece = self.give(offer.digest, ids)
            payloads = [one for _, one in some]
            parts.append(GivenPiece(piece, attempt + mark.losses, ids, payloads, mark.crashes, mark.flags))
        return parts

    def take(self, results: Results) -> tuple[bytes, list[int], list[bytes], bytes] | None:
        """Take outcomes in; return the function, and the Futures that were open with their outcomes and facts."""
        entry = self.pieces.get(results.piece)
        if entry is None:
            return None
        digest, pending = entry
        ids, outcomes, facts = results.ids, results.outcomes, results.facts
        if not pending.issuperset(ids):
            flags = [number in pending for number in ids]
            ids, outcomes, facts = list(compress(ids, flags)), list(compress(outcomes, flags)), kept(facts, flags)
        pending.difference_update(ids)
        for number in ids:
            del self.where[number]
        if self._once:
            self._once.difference_update(ids)
            self.again.difference_update(ids)
        if self.marks:
            self.marks = {number: mark for number, mark in self.marks.items() if number not in ids}
        self.count -= len(ids)
        if not pending:
            del self.pieces[results.piece]
            self.let_go(digest)
        return digest, ids, outcomes, facts

    def by_piece(self, ids: Iterable[int]) -> dict[int, list[int]]:
        """Return in which pieces these Futures are, those that are given."""
        found: dict[int, list[int]] = {}
        for number in ids:
            if number in self.where:
                found.setdefault(self.where[number], []).append(number)
        return found

    def open_ones(self, piece: int, ids: Iterable[int]) -> list[int] | None:
        """Return which of these Futures of a piece are open; None where the piece is not known."""
        entry = self.pieces.get(piece)
        return None if entry is None else [number for number in ids if number in entry[1]]

    def put_off(self, count: int) -> None:
        """So many own Futures wait for their next try."""
        self.retrying = count

    def take_back(self) -> list[int]:
        """A new session: return all that was given, the first first, and forget it and what the Broker knew."""
        ids = sorted(self.where)
        self.again |= self._once
        for digest, _ in self.pieces.values():
            self.let_go(digest)
        self.pieces.clear()
        self.where.clear()
        self._sent.clear()
        self.count = 0
        return ids

    def explain(self, number: int, name: str) -> str:
        """Say where a Future of the node of this name is."""
        piece = self.where.get(number)
        if piece is None:
            return f"not given away by {name}: it waits here for Demand, runs, or is done"
        return f"given to the Broker by {name} in piece {piece}"

    def check(self, lent: int = 0) -> None:
        """Assert that counts equal sums, and that no piece is empty; `lent`: how many Futures are on lanes."""
        if not (self.count or self.where or self.pieces):
            return
        if self.count != sum(len(pending) for _, pending in self.pieces.values()):
            raise LocalProtocolError("the count of given Futures is off")
        if len(self.where) != self.count:
            raise LocalProtocolError("a given Future is in no piece, or in two")
        if sum(self._uses.values()) != len(self.pieces) + lent:
            raise LocalProtocolError("the count of pieces of a function is off")
        if any(not ids for _, ids in self.pieces.values()):
            raise LocalProtocolError("an empty piece was kept")
