"""What a Worker was given, and what it says of it: rules without thread, clock or socket.

Theory of operation. A *piece* is a bunch of Futures of one function that the Broker gave in one Batch. It is held until
each of its Futures was reported or given back; until then it stands in :attr:`Workload.pieces`. Once its function is
here, it stands in :attr:`Workload.queue`, too: the pieces that have Futures to start, in the order to run them.

Two threads may be at work, and neither waits for the other. *The runner* runs Futures. *The driver* takes in messages
and sends, and holds the node's lock meanwhile; it is the same thread between two Futures, and the helper thread while
one takes long.

- The runner owns the left end: it starts the leftmost Future of the leftmost piece, takes a piece off the queue that
  has nothing left to start, and appends to ``finished``.
- The driver owns the right end: it puts pieces into the queue, gives Futures back from the right, and takes what has
  finished. A Future in the middle, which its submitter cancels, it removes.

Each of these is one step of a ``deque`` or a list, which no other thread can divide. So a Future goes to exactly one of
them: the other finds it gone. Where the driver looks at a whole one, it looks at a copy.

Worker, simulator and tests run this code, so a rule is written here once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from ..errors import LocalProtocolError
from ..federation.schedule import HORIZON_SECONDS, overdue_seconds
from ..federation.terms import FREE, terms_of
from ..wire.facts import packed
from ..wire.messages import ANY, BEGUN_ONCE, CANCELLED, ONCE_FLAG, VALUE, WITH_OUTPUT, Batch, Results
from .events import Finished, GiveBack, NodeLoad, ReportRunning
from .pace import CUT_SECONDS, RECALL_SECONDS, REPORT_SECONDS

ANY_TIME = 1 << 42
"""So many milliseconds stand for a Future with no time limit: more than a hundred years."""
NOT_READY = NodeLoad(0, 0, busy=True)
"""What is said while a Worker is being prepared."""
NO_MORE = NodeLoad(0, 0, busy=True, one_by_one=True, locked_in=True)
"""What is said by a Worker that is leaving: give it nothing."""


def refusal_of(batch: Batch, name: str, pack: Callable[[Any], bytes]) -> Results | None:
    """Return what the Worker of this name says of Futures that start once at most, and may have begun; None of others.

    No Broker gives it such.
    """
    if batch.attempt == 1 or not batch.flags & ONCE_FLAG:
        return None
    report = pack(("", name, f"it came to this Worker as attempt {batch.attempt}, which does not start it", ""))
    odd = [(number, BEGUN_ONCE) for number in batch.ids]
    return Results(batch.piece, batch.attempt, batch.ids, [report] * len(odd), odd)


class HeldPiece:
    """A piece that this Worker holds. The runner needs `definition` and `stamp`; the rules pass them on unseen."""

    __slots__ = (
        "definition", "finished", "limit_alone", "name", "number", "pending", "stamp", "terms", "todo", "value_kind",
    )  # fmt: skip

    def __init__(self, batch: Batch) -> None:
        self.number = batch.piece
        self.terms = terms_of(batch)
        self.name = ""  # of the function
        self.definition: Any = None  # None: the function is not here yet
        self.stamp: Any = None
        self.pending = set(batch.ids)  # neither reported nor given back
        self.todo = deque(zip(batch.ids, batch.payloads))  # not started
        self.finished: list[tuple[int, bytes, int, float]] = []
        """Not reported yet: number, outcome, kind of outcome, and seconds that it took.

        Negative: that it took with others in between, which says nothing of the function; 0.0: it was not measured.
        """
        self.limit_alone = 0  # how many milliseconds each may take that has a Worker to itself; 0: it shares it
        self.value_kind = VALUE  # the kind of outcome of those that do not fail
        if (conditions := self.terms.conditions) is not FREE:
            if conditions.is_alone:
                self.limit_alone = conditions.limit or ANY_TIME
            if conditions.is_captured:
                self.value_kind = WITH_OUTPUT

    def take_last(self, most: int) -> list[int]:
        """Take out at most so many Futures that have not started, from the right; return them in their order."""
        ids: list[int] = []
        while len(ids) < most:
            try:
                ids.append(self.todo.pop()[0])
            except IndexError:
                break
        return ids[::-1]


class Workload:
    """The pieces of one Worker; who owns which end is told above."""

    __slots__ = ("_has_much", "_name", "has_alone", "has_priorities", "lacking", "pieces", "queue", "reported")

    def __init__(self, name: str = "") -> None:
        self._name = name  # of the Worker
        self.pieces: dict[int, HeldPiece] = {}
        self.queue: list[HeldPiece] = []
        self.lacking: set[int] = set()  # pieces whose function had to be asked for
        self.has_priorities = False  # whether one other than 0 was ever seen: until then order needs no thought
        self.has_alone = False  # whether a Future that has a Worker to itself was ever seen
        self._has_much = False  # whether much more waits here than usual
        self.reported = (0, 0)  # piece and number of the Future last said to be running

    # -- for the runner ----------------------------------------------------------------------------------------------

    def expect_priorities(self) -> None:
        """From now on pieces and own Futures may differ in priority."""
        self.has_priorities = True

    def expect_alone(self) -> None:
        """From now on the Broker has to know whether Futures wait here."""
        self.has_alone = True

    def goes_before(self, own_priority: float) -> bool:
        """Whether a Future of others is to be started before own ones of this priority."""
        try:
            return self.queue[0].terms.priority > own_priority
        except IndexError:
            return False

    # -- for the driver: what comes and goes -------------------------------------------------------------------------

    def hold(self, batch: Batch) -> HeldPiece:
        """Take in a piece; it is not to be started before :meth:`enqueue`."""
        piece = self.pieces[batch.piece] = HeldPiece(batch)
        if piece.limit_alone:
            self.has_alone = True
        return piece

    def lack(self, piece: HeldPiece) -> None:
        """The function of a piece is not here: until it has come, this Worker has something to do and is not idle."""
        self.lacking.add(piece.number)

    def waiting_for(self, function: bytes) -> list[HeldPiece]:
        """Return the pieces that wait for a function."""
        waiting = [piece for piece in self.pieces.values() if piece.definition is None]
        return [piece for piece in waiting if piece.terms.function == function]

    def missing(self) -> list[bytes]:
        """Return the functions that pieces wait for, each once."""
        return list(dict.fromkeys(piece.terms.function for piece in self.pieces.values() if piece.definition is None))

    def attempt_of(self, submitter: str, number: int) -> int | None:
        """Return which attempt of a Future is held here; None where it is not."""
        found = (piece.terms for piece in self.pieces.values() if number in piece.pending)
        return next((terms.attempt for terms in found if terms.submitter == submitter), None)

    def enqueue(self, number: int, definition: Any, stamp: Any = None) -> None:
        """Let a piece whose function is here be started, behind those of its priority."""
        piece = self.pieces[number]
        piece.definition, piece.stamp = definition, stamp
        if self.lacking:
            self.lacking.discard(number)
        priority = piece.terms.priority
        if priority:
            self.has_priorities = True
        behind = 0
        if self.has_priorities:
            for other in reversed(self.queue.copy()):
                if other.terms.priority >= priority:
                    break
                behind += 1
        if behind:
            self.queue.insert(-behind, piece)  # counted from the right: the runner may take pieces off the left
        else:
            self.queue.append(piece)

    def settle(self, number: int, ids: Iterable[int]) -> HeldPiece:
        """Futures were reported or given back: they are not held any more. With its last one the piece is forgotten."""
        piece = self.pieces[number]
        piece.pending.difference_update(ids)
        if not piece.pending:
            del self.pieces[number]
            if self.lacking:
                self.lacking.discard(number)
        return piece

    def has_started(self) -> bool:
        """Whether Futures run, or wait in the middle."""
        pieces = [piece for piece in self.pieces.values() if piece.definition is not None]
        return any(len(piece.pending) > len(piece.todo) for piece in pieces)

    def unstart(self, number: int, ids: list[int]) -> list[int]:
        """Finish as cancelled those of these Futures that have not started; return those that are running."""
        piece, wanted = self.pieces[number], set(ids)
        for entry in piece.todo.copy():
            if entry[0] in wanted:
                try:
                    piece.todo.remove(entry)
                except ValueError:
                    continue  # the runner has just started it
                piece.finished.append((entry[0], b"", CANCELLED, 0.0))
        gone = {entry[0] for entry in piece.finished.copy()}
        return [i for i in ids if i in piece.pending and i not in gone]

    # -- for the driver: what is to be said --------------------------------------------------------------------------

    def results(self) -> list[Finished]:
        """Return what has finished since the last time; of those measured, the seconds and their count."""
        found = []
        for piece in self.pieces.values():
            if piece.finished:
                done = piece.finished.copy()
                del piece.finished[: len(done)]  # the runner may have put more behind them
                ids, outcomes, kinds, seconds = zip(*done)
                odd = [entry for entry in zip(ids, kinds) if entry[1]] if any(kinds) else []
                learnt = seconds
                if min(seconds) <= 0.0:
                    learnt, seconds = tuple(one for one in seconds if one > 0.0), tuple(map(abs, seconds))
                facts = packed(self._name, piece.terms.crashes + 1, seconds)
                total, count = float(sum(learnt)), len(learnt)
                found.append(Finished(piece.number, list(ids), list(outcomes), odd, total, count, facts))
        return found

    def reports_now(self, quiet: float, last: float | None) -> bool:
        """Whether what has finished is to be said between two Futures; `quiet`: seconds since that was done last.

        More than a horizon waits here only while much is left, and nobody waits for the one or the other. Then what
        finishes within a horizon travels together, until half a horizon waits. What starts once at most never does.
        """
        waiting = self._waiting(0.0, False) * (last or 0.0)
        self._has_much = waiting > HORIZON_SECONDS or (self._has_much and 2 * waiting > HORIZON_SECONDS)
        if quiet >= HORIZON_SECONDS or not self._has_much:
            return True
        return any(piece.finished and piece.terms.is_once for piece in self.pieces.values())

    def surplus(self, stuck: float, unmet: int, last: float | None, *, locked_in: bool) -> list[GiveBack]:
        """Return what is to be given back: what came last goes first, of the lowest priority.

        That is all, where what runs takes longer than expected or nothing of others may be started; else as many as
        Workers elsewhere could run now.

        stuck
            For how many seconds one Future has kept the runner; 0.0: the runner asks, and is about to start the next.
        unmet demand
            How many Futures idle Workers elsewhere could run.
        last
            Seconds that a Future took lately; None: not known.
        locked_in
            Whether no Future of others may be started here.
        """
        most = self._waiting(stuck, locked_in) if self.queue else 0
        if not (locked_in or stuck > overdue_seconds(last)):
            most = min(most, unmet)
        found: list[GiveBack] = []
        if most > 0:
            for piece in reversed(self.queue.copy()):
                if ids := piece.take_last(most):
                    most -= len(ids)
                    found.append(GiveBack(piece.number, ids))
        return found

    def unfit(self) -> list[GiveBack]:
        """Return what is to be given back as Futures wait here: those that may end their Worker."""
        found: list[GiveBack] = []
        for piece in self.queue.copy():
            if piece.limit_alone and (ids := piece.take_last(len(piece.pending))):
                found.append(GiveBack(piece.number, ids))
        return found

    def load(
        self, stuck: float, own: int, busy: bool, last: float | None, *, locked_in: bool, one_by_one: bool = False,
        starts: int = ANY,
    ) -> NodeLoad:  # fmt: skip
        """Return what is here, after :meth:`surplus` was given back.

        own
            How many Futures of this Worker's are neither started nor given.
        busy
            Whether a Future runs, or waits and can go on.
        one_by_one
            Whether nothing may wait behind what runs, however short Futures are.
        starts
            Which Futures may be started.
        """
        unstarted = self._waiting(stuck, locked_in) if self.queue else 0
        one_by_one = one_by_one or locked_in or stuck > overdue_seconds(last)
        busy = busy or locked_in or bool(self.lacking) or self._has_unstarted()
        return NodeLoad(unstarted, own, busy, one_by_one, locked_in, starts)

    def _waiting(self, stuck: float, locked_in: bool) -> int:
        """How many Futures wait behind the one that runs, or is about to be started."""
        count = 0
        for piece in self.queue.copy():
            count += len(piece.todo)
        return count - 1 if count and not (stuck or locked_in) else count

    def _has_unstarted(self) -> bool:
        return any(piece.todo for piece in self.queue.copy()) if self.queue else False

    def report(self, stuck: float, running: tuple[int, int], kept: int = 0) -> ReportRunning | None:
        """Return that a Future runs on, once it does so for long; `kept` items if it is a slice that was just cut."""
        if kept or (stuck > REPORT_SECONDS and running[0] and running != self.reported):
            self.reported = running
            return ReportRunning(running[0], [running[1]], kept)
        return None

    def look_again_at(
        self, driven_at: float, last: float | None, running: tuple[int, int], *, can_be_cut: bool = False
    ) -> float:
        """When there is something to be said of a Future that has kept the runner since `driven_at`; inf: never."""
        time = driven_at + overdue_seconds(last) if self._has_unstarted() else inf
        if can_be_cut:
            time = min(time, driven_at + CUT_SECONDS)
        if running[0] and running != self.reported:
            time = min(time, driven_at + REPORT_SECONDS)
        return time

    # -- for tests ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert that no piece is held for nothing, and that each that is to be started stands in the queue."""
        for piece in self.pieces.values():
            if not piece.pending:
                raise LocalProtocolError("an empty piece was kept")
            here = [entry[0] for entry in (*piece.todo, *piece.finished)]
            if len(here) != len(set(here)) or not piece.pending.issuperset(here):
                raise LocalProtocolError("a Future of a piece is in two places, or was settled before")
            if piece.definition is not None and piece.todo and piece not in self.queue:
                raise LocalProtocolError("a piece that is to be started is not in the queue")


class Recalls:
    """Own Futures that were given and are asked for again, because this Worker may run nothing else.

    It asks also for those that run: whoever runs them may be lost, and then they wait where nobody may start them.
    """

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked: dict[int, float] = {}  # number -> when it was asked for

    def due(self, given: Iterable[int], now: float) -> list[int]:
        """Return which of the Futures given are to be asked for now, each so often."""
        wanted = [number for number in given if now >= self.asked.get(number, -inf) + RECALL_SECONDS]
        self.asked.update(dict.fromkeys(wanted, now))
        return wanted

    def come_back(self, ids: Iterable[int], odd: Iterable[tuple[int, int]]) -> list[int]:
        """Futures have outcomes; return, in order, those that were handed back to be run here."""
        back = sorted(number for number, kind in odd if kind == CANCELLED and number in self.asked)
        self.forget(ids)
        return back

    def keep(self, number: int, now: float) -> None:
        """Somebody was told that this Future is not cancelled: if it is after all, it comes back."""
        self.asked[number] = now

    def forget(self, ids: Iterable[int]) -> None:
        """These are not asked for: if they are cancelled, it is for good."""
        for number in ids:
            self.asked.pop(number, None)
