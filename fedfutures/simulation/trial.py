"""When a schedule is over, one of its Brokers is put to trial: guests lie to it, and others have what they are due.

Codes begin with T. What guests do is the same each time; the Broker is as the schedule has left it, and then was
started again.
"""

from __future__ import annotations

from collections.abc import Callable

from ..broker import files
from ..broker.claims import LAST_NUMBER, RECOVERY_SECONDS
from ..broker.events import Expect, PeerLost
from ..federation.link import SILENT_AFTER_SECONDS
from ..wire.messages import (
    CANCELLED,
    LATER,
    MAX_COUNT,
    Batch,
    Cancel,
    Chunk,
    Demand,
    Drop,
    Get,
    Results,
    Running,
    State,
    Want,
)  # fmt: skip
from .broker import SimBroker
from .guests import FORGED, TASK, Guest, Reception, claim, manifest, outcome
from .records import broken

A_MOMENT = 0.1


class Trial:
    """The trial of one Broker."""

    def __init__(self, broker: SimBroker) -> None:
        self.broker, self.law = broker, ""
        self.hall = Reception(broker, self.fail)

    def fail(self, what: str) -> None:
        """A law does not hold."""
        raise broken(self.broker.world, self.law, f"{self.broker.name}: {what}")

    def require(self, holds: bool, what: str) -> None:
        """Raise LawBroken unless it holds."""
        if not holds:
            self.fail(what)

    def run(self) -> None:
        """Hold it: long after all that has happened, and after the Broker was started again."""
        self.hall.wait(RECOVERY_SECONDS + 1.0)
        for part in LATER_ON:
            self._hold(part)
            self.law = "T10 forgotten"
            self.hall.dismiss()
        for part in STARTED_AGAIN:
            self.broker.end()
            self.broker.start_again([], [])
            self.hall = Reception(self.broker, self.fail)
            self.hall.step(Expect([], []))
            self._hold(part)

    def _hold(self, part: Callable[[Trial], None]) -> None:
        code, _, name = part.__name__.partition("_")
        self.law = f"{code.upper()} {name}"
        part(self)

    def _not_forged(self, *submitters: Guest) -> None:
        for guest in submitters:
            forged = [said.ids for said in guest.heard_of(Results) if FORGED in said.outcomes]
            self.require(not forged, f"{guest.name} has the outcomes of {forged} from who was not given them")

    # -- long after all that has happened ----------------------------------------------------------------------------

    def t1_claims(self) -> None:
        """A neighbour claims what it was never given, and answers it; what it was given it may claim once."""
        hall = self.hall
        o, x = hall.receive("t1.o", "origin"), hall.receive("t1.x")
        hall.give(o, 1, 2)
        hall.offends(x, claim(5, o, 1, 2), "claims what it was not given")
        hall.say(x, outcome(5, 1, 2))
        self._not_forged(o)
        self.require(Cancel(5, [1, 2]) in x.heard, "who claims what it was not given is not told to drop it")
        hall.offends(x, outcome(777, 1), "answers a piece that there never was")
        piece = hall.lend(x).piece
        hall.receive("t1.x")
        hall.say(x, claim(piece, o, 1, 2))
        hall.offends(x, claim(piece, o, 1, 2), "claims the same twice")

    def t2_reports(self) -> None:
        """A neighbour says that Futures run that it does not hold, and that some are cancelled which nobody cancels."""
        hall = self.hall
        o, x = hall.receive("t2.o", "origin"), hall.receive("t2.x")
        hall.give(o, 1)
        piece = hall.lend(x).piece
        hall.give(o, 2)
        hall.say(x, Running(piece, [1, 2]))
        told = [number for said in o.heard_of(Running) for number in said.ids]
        self.require(told == [1], f"{told} are said to run, and 1 does")
        hall.say(x, Results(piece, 1, [1], [b""], [(1, CANCELLED)]))
        self.require(not o.heard_of(Results), "1 is cancelled, and nobody has asked for that")

    def t3_loads(self) -> None:
        """Neighbours say of themselves what cannot be; what others are told can be said."""
        hall = self.hall
        z, w = hall.receive("t3.z"), hall.receive("t3.w", "worker")
        for name in ("t3.x", "t3.y"):
            liar = hall.receive(name)
            hall.say_aside(liar, State(9, 9, MAX_COUNT, MAX_COUNT, MAX_COUNT))
            hall.give(liar, 1, 2, backlog=MAX_COUNT, function=b"t")
            hall.say(liar, TASK)
        hall.wait(A_MOMENT)
        hall.wait(1.0)
        self.require(bool(z.heard_of(State)), "nobody is told of what there is to be had")
        hall.say(w, Demand(64, 1, 1))
        self.require(bool(w.heard_of(Batch)), "a Worker is given nothing")

    def t4_segments(self) -> None:
        """A neighbour asks for, removes and names segments of others."""
        hall = self.hall
        o, x = hall.receive("t4.o", "origin"), hall.receive("t4.x")
        self.broker.segments["secret-1"] = 4
        hall.offends(x, Get("secret-1", 0, 4), "asks for a segment of which it was not told")
        hall.offends(x, Drop(["secret-1"]), "drops a segment of others")
        hall.give(o, 1)
        piece = hall.lend(x).piece
        hall.offends(x, Results(piece, 1, [1], [manifest("secret-1")]), "names a segment of others in a result")
        touched = [*hall.wants(files.Read), *hall.wants(files.Remove), *hall.wants(files.HandOver)]
        self.require(not touched, f"{touched} is done for who was not told of these")
        self.require(not o.heard_of(Results), "a result that names a segment of others is passed on")

    def t5_single_use(self) -> None:
        """A neighbour says that a segment is of its Future alone, and another's needs it."""
        hall = self.hall
        x, y = hall.receive("t5.x"), hall.receive("t5.y")
        hall.say(x, TASK)
        hall.give(x, 1, payloads=[manifest("shared-1")])
        hall.bring(x, "shared-1")
        liar = hall.give(y, 1, payloads=[manifest("shared-1", once=True)])
        hall.say(y, Cancel(liar.piece, [1]))
        removed = [name for action in hall.wants(files.Remove) for name in action.names]
        self.require("shared-1" not in removed, "a segment is removed that a Future needs")

    def t6_wants(self) -> None:
        """A neighbour whose Futures wait for their function is asked for that in each session."""
        hall = self.hall
        x = hall.receive("t6.x")
        hall.give(x, 1, function=b"u")
        self.require(x.heard_of(Want) == [Want(b"u")], "who gives Futures of an unknown function is not asked for it")
        hall.receive("t6.x")
        self.require(len(x.heard_of(Want)) > 1, "who gave Futures of an unknown function is asked for it once only")

    def t7_collected(self) -> None:
        """Results that wait to be sent together with others are not lost with the session."""
        hall = self.hall
        w, x = hall.receive("t7.w", "worker"), hall.receive("t7.x")
        hall.say(x, TASK)
        given = hall.give(x, 1, 2, 3)
        for _ in range(2):
            hall.say(w, Demand(1, 1))
            held = w.heard_of(Batch)
            self.require(bool(held), "a Worker is given nothing")
            hall.say(w, Results(held[-1].piece, 1, held[-1].ids, [b"value"] * len(held[-1].ids)))
        hall.receive("t7.x")
        heard = {number for said in x.heard_of(Results) if said.piece == given.piece for number in said.ids}
        self.require(
            heard == {1, 2}, f"of 1 and 2, which are done, {sorted(heard)} are said in the session that begins"
        )

    def t8_attempts(self) -> None:
        """A submitter says that a Future was tried as often as can be said; it is lost once more."""
        hall = self.hall
        o = hall.receive("t8.o", "origin")
        hall.receive("t8.v", "worker", Demand(64, 1, 1))
        hall.give(o, 1, attempt=MAX_COUNT)
        hall.step(PeerLost("t8.v", "signal SIGKILL", False, None, "", self.broker.name))
        w = hall.receive("t8.w", "worker", Demand(64, 1, 1))
        self.require(bool(w.heard_of(Batch)), "what a lost Worker held is given to nobody")

    def t9_not_yet(self) -> None:
        """The host of a Broker in the middle has lost its files; who asks for one hears that it may still come."""
        hall = self.hall
        x, y = hall.receive("t9.x"), hall.receive("t9.y")
        self.broker.segments["way-1"] = 4
        hall.say(y, TASK)
        hall.give(y, 1, payloads=[manifest("way-1")])
        hall.lend(x)
        del self.broker.segments["way-1"]
        hall.say_aside(x, Get("way-1", 0, 4))
        self.require(Chunk("way-1", 0, LATER) in x.heard, "a segment that may still come is not to be had")

    # -- after the Broker was started again --------------------------------------------------------------------------

    def t11_proofs(self) -> None:
        """Neighbours claim what they cannot prove; it is given to others, and their outcomes count nothing."""
        hall = self.hall
        o, x, y = hall.receive("t11.o", "origin"), hall.receive("t11.x"), hall.receive("t11.y")
        hall.say(x, claim(3, o, 1, proofs=[b"a guess"]))
        hall.say(y, claim(3, o, 2, proofs=[b""]))
        hall.offends(y, claim(LAST_NUMBER + 1, o, 3), "uses up all numbers of pieces")
        hall.give(o, 1, 2)
        hall.say(x, outcome(3, 1))
        self._not_forged(o)
        w = hall.receive("t11.w", "worker", Demand(64, 1, 1))
        hall.wait(A_MOMENT)
        given = sorted(number for batch in w.heard_of(Batch) for number in batch.ids)
        self.require(
            given == [1, 2] or self._is_queued("t11.o", 2), f"a Worker is given {given}; the others wait for liars"
        )

    def _is_queued(self, submitter: str, number: int) -> bool:
        queue = self.broker.machine.ledger.queue
        return any(lot.terms.submitter == submitter and number in lot.ids for lot in queue)

    def t12_first_session(self) -> None:
        """A neighbour whose link was lost, and that comes again, is in no first session."""
        hall = self.hall
        o, x = hall.receive("t12.o", "origin"), hall.receive("t12.x")
        hall.step(PeerLost(x.name, "it has sent what is no message", False, None, "", self.broker.name))
        hall.receive("t12.x")
        hall.give(o, 1)
        hall.offends(x, claim(4, o, 1), "claims something in a second first session")

    def t13_two_holders(self) -> None:
        """Two Workers claim the same Future; one of them holds it."""
        hall = self.hall
        o = hall.receive("t13.o", "origin")
        v, w = hall.receive("t13.v", "worker"), hall.receive("t13.w", "worker")
        for worker in (v, w):
            hall.say(worker, claim(2, o, 1))
        hall.give(o, 1)
        for worker in (v, w):
            hall.say(worker, outcome(2, 1))
        self.require(len(o.heard_of(Results)) == 1, f"{len(o.heard_of(Results))} outcomes of one Future")

    def t14_orphans(self) -> None:
        """What a silent neighbour holds is given to others; what nobody names is asked back."""
        hall = self.hall
        o, x = hall.receive("t14.o", "origin"), hall.receive("t14.x")
        w = hall.receive("t14.w", "worker")
        hall.say(x, claim(2, o, 1))
        hall.say(w, claim(2, o, 9))
        hall.wait(SILENT_AFTER_SECONDS + 1.0)
        hall.give(o, 1)
        hall.say(w, Demand(64, 1, 1))
        hall.wait(A_MOMENT)
        self.require(any(1 in batch.ids for batch in w.heard_of(Batch)), "a silent neighbour is waited for")
        hall.wait(RECOVERY_SECONDS + 1.0)
        self.require(Cancel(2, [9]) in w.heard, "what nobody names is not asked back")


LATER_ON: tuple[Callable[[Trial], None], ...] = (
    Trial.t1_claims, Trial.t2_reports, Trial.t3_loads, Trial.t4_segments, Trial.t5_single_use, Trial.t6_wants,
    Trial.t7_collected, Trial.t8_attempts, Trial.t9_not_yet,
)  # fmt: skip
STARTED_AGAIN: tuple[Callable[[Trial], None], ...] = (
    Trial.t11_proofs, Trial.t12_first_session, Trial.t13_two_holders, Trial.t14_orphans,
)  # fmt: skip
