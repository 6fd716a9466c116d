"""What the machine of a host process is told of a Worker's end, and what it wants done."""

from __future__ import annotations

from ..lazy_dataclass import dataclass
from ..limits import LIMIT_EXIT_CODE
from ..wire.control import ControlFrame
from .attempts import status_of

INITIALIZER_EXIT_CODE = 81
"""How a Worker ends whose initializer raised: trying again would not help."""


@dataclass(slots=True)
class Ended:
    """Event: a Worker has ended."""

    slot: int
    ready: bool  # it had become ready
    code: int  # its exit code, or the number of a signal below 0
    others_ready: bool = False  # other Workers of this host are
    explanation: str = ""  # what else is known of its end
    killed_for: str = ""  # why the host process has killed it: it was stopped, or stood still, for too long

    @property
    def initializer_raised(self) -> bool:
        """Whether it has ended for that reason."""
        return self.code == INITIALIZER_EXIT_CODE and not self.ready

    @property
    def status(self) -> str:
        """How it has ended, for people."""
        if self.killed_for or self.code == LIMIT_EXIT_CODE:
            return self.killed_for or self.explanation
        return status_of(self.code) + self.explanation


@dataclass(slots=True)
class Start:
    """Action: fork a Worker for this slot; `name` has not been used before."""

    slot: int
    name: str


@dataclass(slots=True)
class Withdraw:
    """Action: tell the Worker of this slot to end when it has finished what it runs; `stays`: not to end after all."""

    slot: int
    stays: bool = False


@dataclass(slots=True)
class StartBroker:
    """Action: fork this Broker; `after` is how the one before it ended, "" for the first."""

    broker: int
    after: str = ""


@dataclass(slots=True)
class Tell:
    """Action: tell a Broker this, over its control pipe."""

    broker: int
    frame: ControlFrame


@dataclass(slots=True)
class TellWorkers:
    """Action: tell all Workers this."""

    frame: ControlFrame


@dataclass(slots=True)
class Suspend:
    """Action: tell the Broker of this slot, and people, that the Worker is stopped, or stands still.

    `how` is said of it to people; ``{pid}`` stands for its number.
    """

    slot: int
    how: str


@dataclass(slots=True)
class AbortWorker:
    """Action: have a Worker write down where it is, and end: a Future of it is over its time limit."""

    slot: int


@dataclass(slots=True)
class KillWorker:
    """Action: kill a Worker that is stopped, blocked, or does not end; its end will be reported as any other."""

    slot: int


@dataclass(slots=True)
class AbandonWorker:
    """Action: a Worker that was killed does not end; it counts as ended."""

    slot: int


@dataclass(slots=True)
class KillBroker:
    """Action: kill a Broker that is stopped; its end will be reported as any other."""

    broker: int


@dataclass(slots=True)
class LoseBroker:
    """Action: end the run, as this Broker cannot be kept alive."""

    reason: str


@dataclass(slots=True)
class Say:
    """Action: tell people."""

    text: str


Action = (
    Start | Withdraw | StartBroker | Tell | TellWorkers | Suspend | AbortWorker | KillWorker | AbandonWorker
    | KillBroker | LoseBroker | Say
)  # fmt: skip
