"""Control frames (:mod:`.control`) by which somebody asks what goes on in a run, and the answers on their way back.

Who asks comes to the socket in the private directory of the run's host process. That passes the question to a Broker,
for a Broker reaches every machine, and never computes; each Broker asks its own host process, too.
"""

from __future__ import annotations

from ..lazy_dataclass import dataclass
from .door import Text


@dataclass(slots=True)
class AskRun:
    """Who asks to host process to Broker: what goes on in this run? Answered by ``RunSays``, once by each machine."""

    number: int  # the asker's
    subject: str  # "status" or "stack", as in ``Inquire``
    seconds: float  # how long the answers may take
    worker: str = ""  # of "stack": whose; "": all


@dataclass(slots=True)
class RunSays:
    """Broker to host process to who has asked: what one machine says."""

    number: int
    name: Text
    report: bytes  # msgpack; empty when there was no answer in time
    last: bool


@dataclass(slots=True)
class CancelFuture:
    """Who asks to host process to Origin: cancel this Future of the program, also if it runs. It is not answered."""

    number: int


@dataclass(slots=True)
class WatchRun:
    """Who asks to host process to Origin: open the socket ``watch``, for somebody wants to hear what happens."""


@dataclass(slots=True)
class RunNews:
    """Origin to who watches, at its socket ``watch``: what has happened since the last one. Some four in a second."""

    seconds: float  # since the run began
    dropped: int  # Futures with an outcome that this one and those before it do not tell: there were too many
    report: bytes  # msgpack


@dataclass(slots=True)
class AskHostProcess:
    """A Broker to its host process: what do you know of your Workers? Answered by ``HostProcessSays``."""

    number: int
    subject: str
    worker: str


@dataclass(slots=True)
class HostProcessSays:
    """Host process to its Broker: that."""

    number: int
    report: bytes  # msgpack
