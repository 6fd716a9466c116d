"""A Worker that is lent: which Futures it takes over the lane to its submitter, and until when. Pure.

Pieces that come over the lane stand in the Workload beside those of the Broker; their numbers begin at
:data:`~..wire.messages.LANE_PIECES`. What becomes of them is said over the lane. A lease *ends* when the Worker says so
to both, the submitter and the Broker; what it has taken until then it still runs, and the lane is closed behind the
last outcome. docs/architecture.rst, "Lanes", tells the whole.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from ..wire.messages import (
    ANY,
    LANE_PIECES,
    Batch,
    Cancel,
    Function,
    LeaseEnded,
    Lend,
    Message,
    Return,
    Running,
    Want,
)
from . import events as rules
from .asking import Asking
from .definitions import Definitions
from .workload import Workload

UNUSED_SECONDS = 1.0
"""A lease ends that was not used for so long."""

Said = list["Message | rules.Action"]
"""Messages to the Broker, and actions."""


class WorkerLease:
    """The lease of one Worker; it has one at a time."""

    __slots__ = (
        "_asking", "_count", "_definitions", "_is_lane_open", "_name", "_pieces", "_taken", "_workload", "due",
        "is_open", "number",
    )  # fmt: skip

    def __init__(self, name: str, workload: Workload, definitions: Definitions, asking: Asking) -> None:
        self._name, self._workload, self._definitions, self._asking = name, workload, definitions, asking
        self.number = 0  # 0: none, and nothing is left of the last one
        self.is_open = False  # whether Futures are taken over the lane
        self._is_lane_open = False  # whether its submitter still reads what is said
        self._taken = self._count = 0  # the last piece that was taken, and how many were
        self._pieces: set[int] = set()  # that are not done
        self.due: float | None = None  # when it ends if it is not used

    def begin(self, lend: Lend, now: float, *, is_leaving: bool) -> Said:
        """The Broker lends this Worker; one that leaves, or has not ended its last lease, refuses."""
        if self.number or is_leaving:
            return [LeaseEnded(lend.number)]
        self.number, self.is_open, self._is_lane_open = lend.number, True, True
        self._taken = self._count = 0
        self.due = now + UNUSED_SECONDS
        return [rules.OpenLane(lend.number, lend.peer), rules.LaneSend(lend.number, Lend(lend.number, self._name))]

    def end(self, number: int | None = None) -> Said:
        """Take no more over the lane, if this is the lease; whatever it is with no number."""
        if not self.is_open or number not in (None, self.number):
            return []
        said: Said = []
        if self._is_lane_open:
            said.append(rules.LaneSend(self.number, LeaseEnded(self.number, self._taken)))
        said.append(LeaseEnded(self.number, self._count))
        if self._pieces:  # the Demand that the Broker knows is that of an idle Worker
            said.append(self._asking.begin_again())
        self._asking.gave_back()
        self.is_open, self.due = False, None
        return said + self._end_of_lane()

    def _end_of_lane(self) -> Said:
        """Close the lane if all that came over it is done, and the lease has ended."""
        if self.is_open or self._pieces:
            return []
        number, self.number = self.number, 0
        return [rules.CloseLane(number)] if self._is_lane_open else []

    def take_load(self, load: rules.NodeLoad) -> Said:
        """The lease ends when this Worker can do something for others, or is to do nothing more."""
        waits = bool(self._workload.pieces) and not load.busy
        return self.end() if waits or load.own or load.locked_in or load.starts != ANY else []

    def tick(self, now: float) -> Said:
        """It ends if it was not used for long."""
        return self.end() if self.due is not None and now >= self.due else []

    def leave(self) -> Said:
        """This Worker leaves: what came over the lane and is not done, others run."""
        said = self.end()
        for number in sorted(self._pieces):
            ids = sorted(self._workload.pieces[number].pending)
            said += self.give_back(number, ids)
        return said

    # -- the lane ----------------------------------------------------------------------------------------------------

    def arrived(self, event: rules.LaneArrived) -> Said:
        """Something has come over the lane; of Futures that come behind the end of the lease their submitter knows."""
        message = event.message
        if event.number != self.number:
            return []
        if type(message) is Cancel:
            return self._cancel(message)
        if type(message) is Function:
            return [*self._definitions.come(message)]
        if type(message) is not Batch or message.piece < LANE_PIECES:
            raise RemoteProtocolError(f"{type(message).__name__} does not come over a lane to a Worker")
        if not self.is_open or message.piece <= self._taken:
            return []
        self._taken, self._count = message.piece, self._count + 1
        self._pieces.add(message.piece)
        self.due = None
        held = self._definitions.hold(message)
        return self._say(held) if isinstance(held, Want) else [held]

    def _cancel(self, cancel: Cancel) -> Said:
        if cancel.piece in self._pieces and (running := self._workload.unstart(cancel.piece, cancel.ids)):
            return self._say(Running(cancel.piece, running))
        return []

    def closed(self, number: int) -> Said:
        """Its submitter reads nothing any more: what it has given and has not begun is dropped."""
        if number != self.number or not self._is_lane_open:
            return []
        self._is_lane_open = False
        for piece in self._pieces:
            self._workload.unstart(piece, list(self._workload.pieces[piece].pending))
        return self.end() or self._end_of_lane()

    def finish(self, done: rules.Finished, attempt: int, now: float, *, is_over: bool) -> Said:
        """Outcomes of a piece that came over the lane; `is_over`: none of it is left."""
        said = self._say(done.as_results(attempt))
        if is_over:
            self._pieces.discard(done.piece)
            self.due = now + UNUSED_SECONDS if self.is_open else None
            said += self._end_of_lane()
        return said

    def give_back(self, piece: int, ids: list[int]) -> Said:
        """Futures that came over the lane are not run here."""
        said = self._say(Return(piece, ids))
        if not self._workload.settle(piece, ids).pending:
            self._pieces.discard(piece)
            said += self._end_of_lane()
        return said

    def report(self, report: rules.ReportRunning) -> Said:
        """One of them runs on."""
        return self._say(Running(report.piece, report.ids, report.kept))

    def _say(self, message: Message) -> Said:
        return [rules.LaneSend(self.number, message)] if self._is_lane_open else []

    def check(self) -> None:
        """Assert that these pieces are held, and that no others came over a lane."""
        here = {number for number in self._workload.pieces if number >= LANE_PIECES}
        assert here == self._pieces, "a piece came over a lane, and the lease does not know it"
        assert self.number or not (self.is_open or self._pieces), "a lease is over, and goes on"
