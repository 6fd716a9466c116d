"""What a host process tells of a Worker that has ended: how, and for which Future."""

from __future__ import annotations

import signal
from typing import NamedTuple

from .. import limits
from ..supervision.actions import Ended
from ..supervision.cancels import HOW_CANCELLED
from ..supervision.machine import HostMachine
from ..supervision.memory_use import Overuse
from ..supervision.stops import KILLED_FOR_THAT
from ..wire.control import WorkerEnded
from ..wire.messages import CANCELLED, OUT_OF_MEMORY, OVERRAN
from .child import Child
from .dumps import readable
from .memory import KillCounter
from .memory_limits import MemoryLimits

OVER_TIME, OVER_MEMORY, GROWN_IDLE = "over its time limit", "over its memory limit", "over its memory limit at rest"
QUIETLY = (OVER_TIME, OVER_MEMORY, GROWN_IDLE, HOW_CANCELLED)
"""Nobody is told of a Worker that was ended for this: its Future says so."""
_NOBODY = (0, 0, 0, 0, 0)


class End(NamedTuple):
    """The end of a Worker, for the machine of the host and for others; `is_news`: people are to hear of it."""

    ended: Ended
    frame: WorkerEnded
    is_news: bool


class Ends:
    """Of the Workers of one host."""

    def __init__(self, machine: HostMachine, memory: MemoryLimits, kills: KillCounter | None = None) -> None:
        self._machine, self._memory, self._kills = machine, memory, kills or KillCounter()

    def take_in(self, child: Child, code: int, most: int, *, others_ready: bool, is_ending: bool) -> End:
        """A Worker has ended. `code`: its exit code, or a signal's number below 0; `most`: bytes that it had in RAM."""
        running = child.cells.running()
        is_orderly = code == 0 and (is_ending or running is None)  # else user code said os._exit(0)
        out_of_memory = self._kills.explanation() if code == -signal.SIGKILL else ""
        late, overuse = self._machine.overruns.end(child.slot, child.alone()), self._memory.end(child)
        cancelled = self._machine.end_cancelled(child.slot)
        killed_for = _killed_for(late is not None, overuse, code) or (HOW_CANCELLED if cancelled is not None else "")
        killed_for = killed_for or self._machine.killed_for(child.slot)
        is_to_blame = (killed_for == KILLED_FOR_THAT and child.stopped_itself) if killed_for else not is_orderly
        explanation = out_of_memory or child.limit_met(code)
        event = Ended(child.slot, child.cells.ready, code, others_ready, explanation, killed_for)
        ended_for = _NOBODY
        if late is not None:
            ended_for = OVERRAN, late.piece, late.number, 0, 0
        elif overuse is not None and overuse.piece:
            ended_for = OUT_OF_MEMORY, overuse.piece, overuse.number, overuse.used, overuse.bound
        elif cancelled is not None:
            ended_for = CANCELLED, *cancelled, 0, 0
        elif running is not None and out_of_memory and is_to_blame:
            ended_for = OUT_OF_MEMORY, *running, most, self._kills.bound()
        piece, future = running or (0, 0)
        printed = child.printed(*(ended_for[1:3] if ended_for[0] else (piece, future)))
        begun = child.cells.begun_once()
        frame = WorkerEnded(
            child.name, self._machine.host, event.status, is_to_blame, event.initializer_raised, piece, future,
            "" if code == limits.LIMIT_EXIT_CODE else readable(child.read_dump()), *ended_for[:4], child.cells.nested,
            ended_for[4], **printed, once_piece=begun[0], once_future=begun[1],
        )  # fmt: skip
        return End(event, frame, not is_orderly and killed_for not in QUIETLY)


def _killed_for(is_late: bool, overuse: Overuse | None, code: int) -> str:
    if is_late:
        return OVER_TIME
    if overuse is None:
        return ""
    return OVER_MEMORY if overuse.piece else GROWN_IDLE if code else ""
