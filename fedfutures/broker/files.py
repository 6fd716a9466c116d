"""What the Broker's rules want done with segments, the files of this host, and what they hear of it."""

from __future__ import annotations

from ..lazy_dataclass import dataclass
from ..wire import messages


@dataclass(slots=True)
class Brought:
    """Event: a chunk of a segment has come."""

    peer: str
    chunk: messages.Chunk
    data: bytes | memoryview = b""


@dataclass(slots=True)
class Stored:
    """Event: a segment is complete and has its name."""

    name: str


@dataclass(slots=True)
class Unwritable:
    """Event: a segment cannot be stored here."""

    name: str
    why: str


@dataclass(slots=True)
class Read:
    """Action: send a neighbour this part of a segment."""

    peer: str
    name: str
    offset: int
    count: int


@dataclass(slots=True)
class Begin:
    """Action: make room for a segment."""

    name: str
    size: int


@dataclass(slots=True)
class Write:
    """Action: write a part of it."""

    name: str
    offset: int
    data: bytes | memoryview


@dataclass(slots=True)
class Finish:
    """Action: give it its name; answered by :class:`Stored`."""

    name: str


@dataclass(slots=True)
class Abandon:
    """Action: remove what has come of it."""

    name: str


@dataclass(slots=True)
class Remove:
    """Action: remove segments; with `reuse` their files may be written anew."""

    names: list[str]
    reuse: bool = False


@dataclass(slots=True)
class HandOver:
    """Action: segments of outcomes go to a peer, and from now on outlive the process that made them.

    `to` is the Worker of this host with which they end; "": a peer whose end does not come before that of the run.
    """

    names: list[str]
    to: str = ""


@dataclass(slots=True)
class Discard:
    """Action: remove segments, unless they were handed over."""

    names: list[str]


@dataclass(slots=True)
class Sweep:
    """Action: a Worker of this host is dead. Remove what it made and nobody was handed, and what it was handed."""

    worker: str


Event = Brought | Stored | Unwritable
Action = Read | Begin | Write | Finish | Abandon | Remove | HandOver | Discard | Sweep
