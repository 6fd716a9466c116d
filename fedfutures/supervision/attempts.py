"""How long to wait before a child is started again, and when to give up: by what ended the ones before. Pure.

A child that ended by itself, or by a fault (a segmentation fault, say), before it had settled shows that starting fails
here: so many in a row are enough. One that was killed from outside (the kernel short of memory, an administrator) says
nothing about starting, so those are never counted: the pauses grow, and only time gives up. Neither does one that could
not be forked, or has met a limit of the machine (:mod:`..limits`): others may end and make room.
"""

from __future__ import annotations

import signal
from collections import deque

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
GIVE_UP_SECONDS = 60.0
"""For so long children may be killed before they have settled, one after the other."""
SETTLED_SECONDS = 1.0
ENDS_LIMIT = 5
ENDS_SECONDS = 30.0
"""So many ends in so short a time, which nobody else has caused, show a fault that another start does not mend."""
LACK_SECONDS = 30.0
"""For so long limits of the machine may keep all from starting."""
CLOSED_EXIT_CODE = 83
"""How a Worker ends whose descriptors are closed: user code cannot do that by ``os.close``, but compiled code can."""
FAULTS = frozenset({
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS,
})  # fmt: skip
"""Signals that a process gets for what it does; others come from outside."""


def initializer_raised_on(host: str) -> str:
    """Return why Workers of a host do not start, for people; whoever hears of it first says it.

    >>> initializer_raised_on("h1")
    'the initializer raised on host h1; its traceback is in the output above'
    """
    return f"the initializer raised on host {host}; its traceback is in the output above"


def how_ended(status: str) -> str:
    """Say of a process how it has ended; `status`: what :func:`status_of` returns.

    >>> how_ended("exit code 1"), how_ended("signal SIGKILL")
    ('ended (exit code 1)', 'was killed (signal SIGKILL)')
    """
    return f"{'was killed' if status.startswith('signal') else 'ended'} ({status})"


def status_of(code: int) -> str:
    """Return how a process has ended, for people; `code`: as ``subprocess`` has it, the number of a signal below 0.

    >>> status_of(1), status_of(-9)
    ('exit code 1', 'signal SIGKILL')
    """
    if code == CLOSED_EXIT_CODE:
        return "closed descriptors, those of the Worker among them"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def is_from_outside(code: int) -> bool:
    """Whether somebody else has ended a process.

    >>> [is_from_outside(code) for code in (0, 1, -9, -15, -11)]
    [False, False, True, True, False]
    """
    return code < 0 and -code not in FAULTS


class Attempts:
    """Attempts to start that ended before the child had settled, in a row."""

    __slots__ = ("_delay", "_lacked", "_lacking", "_since", "killed", "own")

    def __init__(self) -> None:
        self.settled()

    def settled(self) -> None:
        """One has: whatever fails next is the first failure."""
        self.own = self.killed = 0
        self._since: float | None = None
        self._lacking: float | None = None  # since when
        self._lacked = 0.0  # the last time
        self._delay = FIRST_DELAY_SECONDS

    def failed(self, code: int, now: float) -> None:
        """One has ended too early."""
        if is_from_outside(code):
            self.killed += 1
            self._since = now if self._since is None else self._since
        else:
            self.own += 1

    def lacked(self, now: float) -> bool:
        """One could not start for want of what the machine limits; return whether that is news."""
        news = self._lacking is None or now - self._lacked > 2 * LONGEST_DELAY_SECONDS  # meanwhile there was enough
        self._lacking, self._lacked = now if news else self._lacking, now
        return news

    def is_hopeless(self, now: float) -> bool:
        """Whether children were killed, or could not be started, for so long that it is time to give up."""
        killed = self._since is not None and now - self._since >= GIVE_UP_SECONDS
        lacking = self._lacking is not None and now - self._lacked <= 2 * LONGEST_DELAY_SECONDS
        return killed or (lacking and now - (self._lacking or 0.0) >= LACK_SECONDS)

    def next_delay(self) -> float:
        """Return how many seconds to wait before the next attempt: twice as long each time."""
        delay, self._delay = self._delay, min(2 * self._delay, LONGEST_DELAY_SECONDS)
        return delay


class Restarts(Attempts):
    """How a Broker, or a host process, has ended that is started again each time."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        super().__init__()
        self._ends: deque[float] = deque(maxlen=ENDS_LIMIT)  # that nobody else caused

    def ended(self, code: int, lived: float, now: float) -> bool:
        """One has ended after so many seconds; return whether it had settled."""
        if not is_from_outside(code):
            self._ends.append(now)
        has_settled = lived >= SETTLED_SECONDS
        if has_settled:
            self.settled()
        else:
            self.failed(code, now)
        return has_settled

    def crashed_within(self, now: float) -> float | None:
        """Return in how many seconds it has ended too often by itself; None: it has not."""
        seconds = now - self._ends[0] if len(self._ends) == ENDS_LIMIT else ENDS_SECONDS + 1.0
        return seconds if seconds <= ENDS_SECONDS else None
