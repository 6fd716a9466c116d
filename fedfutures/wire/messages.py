"""Every message of the Main and Meta sockets, and nothing else.

A message is a slotted dataclass. msgpack carries its fields in this order, behind the type code, the sequence number
and the acknowledgement that :mod:`.codec` adds. The annotations are the schema: the codec checks each arriving field
against them, so a machine never sees a field of the wrong type. Three rules hold for all messages:

* Durations travel, instants never: the clocks of two hosts have nothing to do with each other.
* Payloads, outcomes and function bodies are opaque ``bytes``. Only Workers (and the Origin, which is one) open them.
* A Future is named by its submitter and the number that the submitter gave it. A *piece* is a Batch on one link:
  the giver numbers it, and results, returns and cancellations name (piece, ids), so no hop searches for a Future.
"""

from __future__ import annotations

from typing import get_args

from ..lazy_dataclass import dataclass, field

PROTOCOL = 11
"""Version of this page. Both ends name it in ``Hello`` and ``Welcome``; another number is refused by name."""

# What became of a Future: the kinds of an outcome. Bodies of VALUE and ERROR are payloads, with a seal if the run has a
# key. Those of the others are msgpack or empty: a Broker makes them, and nobody takes them for a pickle.
# WITH_OUTPUT stands for both VALUE and ERROR, of a call whose output is kept; its body is a payload, too.
# The body of LOST is a text, or a text and True: the initializer of the Workers has raised.
VALUE, ERROR, CANCELLED, POISONED, LOST, OVERRAN, BEGUN_ONCE, OUT_OF_MEMORY, WITH_OUTPUT = range(9)
KINDS = ("value", "error", "cancelled", "poisoned", "lost", "overran", "begun once", "out of memory", "with output")
"""What they are called."""
NO_FAILURES = (VALUE, CANCELLED, WITH_OUTPUT)
"""The kinds of Futures that have not failed; of those whose output is kept only who opens it knows."""
OF_WORKERS = (VALUE, ERROR, WITH_OUTPUT)
"""The kinds that Workers say, under seals if the run has a key."""

OF_FUTURE, OF_WORKER, OF_KERNEL = range(3)
"""Whose limit was passed by what is OUT_OF_MEMORY: its own, that of each Worker, or that of all processes together."""

ANY, SHARING, ALONE, NONE = range(4)
"""Which Futures a Worker starts: any; only those that may share a Worker, for Futures wait in it; of a stand-in: only
those that have a Worker to themselves, or none."""

ALONE_FLAG, ONCE_FLAG, APART_FLAG, BELOW_FLAG, CAPTURE_FLAG = 1, 2, 4, 8, 16
"""Bits of ``Batch.flags``: it has a Worker to itself; it starts once at most; all that it submits has one to itself; so
has all that those submit, however deep; what it prints is kept for its Future."""

Signed = int
"""A number that may be negative; all others may not."""


@dataclass(slots=True)
class Hello:
    """A node introduces itself to its Broker; repeated until ``Welcome`` or ``Refused`` comes."""

    protocol: int
    role: str  # "worker", "origin" or "broker"
    name: str
    incarnation: int  # drawn at each start: another incarnation under the same name is another process
    pid: int
    session: int = 0  # the one that the sender knows from an earlier Welcome, 0: none
    round: int = 0  # how often it has begun to introduce itself


@dataclass(slots=True)
class Welcome:
    """The Broker's answer to ``Hello``: the link is open."""

    protocol: int
    name: str
    incarnation: int
    session: int = 0  # names the state that both ends keep of the link: another one, and all of it begins anew
    greeter: int = 0  # incarnation plus round of the answered ``Hello``; an answer to an earlier one is ignored


@dataclass(slots=True)
class Refused:
    """The Broker's other answer to ``Hello``: why there will be no link."""

    protocol: int
    reason: str


@dataclass(slots=True)
class Stranger:
    """The Broker does not know who is speaking (it has been started again): the sender is to say ``Hello``."""


@dataclass(slots=True)
class Ping:
    """Between Brokers: are you there, and how far away? Answered at once by ``Pong`` with the same token."""

    token: int
    last: int = 0  # the last number that the sender has given out: a receiver with a lower one has lost something


@dataclass(slots=True)
class Pong:
    """The answer to ``Ping``."""

    token: int


@dataclass(slots=True)
class Ack:
    """Nothing but the acknowledgement in its header, when the sender has nothing else to say."""

    missing: bool = False  # numbers after the next one have come, so that one was lost: repeat it


@dataclass(slots=True)
class Demand:
    """How many more Futures the sender can use, counted from the last message it acknowledges here.

    Demand is state: a later one replaces an earlier one. A Broker adds up what lies behind it, seen from the receiver:
    its Workers, and what its other neighbours can use.
    """

    count: int
    idle: int  # Workers behind the sender that have nothing to run; of a Worker: 1 or 0
    workers: int = 1  # Workers behind the sender; of a Worker: 0 while it starts nothing of others
    starts: int = ANY  # of a Worker: ANY, SHARING, ALONE or NONE


@dataclass(slots=True)
class Function:
    """A function's definition: sent once per link, before the first Batch that needs it, and on ``Want``.

    Modules, snapshots and values of the program's variables travel the same way, under keys that say what they are.
    """

    digest: bytes
    name: str
    body: bytes


@dataclass(slots=True)
class Want:
    """The sender lacks the definition of a function of which it holds Batches, or a module, a snapshot or a value."""

    digest: bytes


@dataclass(slots=True)
class Batch:
    """Work: Futures of one submitter that share function, attempt, crashes and conditions. It can be split anywhere."""

    piece: int
    submitter: str
    function: bytes
    attempt: int  # grows with each loss; an older attempt's result is dropped when a newer one was first
    crashes: int  # Workers that these Futures were running on when they died
    backlog: int  # how many more of them the sender still keeps: the scheduler cuts smaller pieces near the end
    spent: bool  # this uses up the receiver's Demand, which was counted for shorter Futures
    ids: list[int]
    payloads: list[bytes]
    root: str = ""  # the Origin from whose Futures these stem: Origins get equal shares while both have work
    priority: Signed = 0  # higher ones first
    limit: int = 0  # milliseconds that each may take from its start on; 0: any time
    flags: int = 0  # ALONE_FLAG and its kin
    memory: int = 0  # bytes that each may use; 0: any number
    avoid: list[str] = field(default_factory=list)  # hosts that are not to run these, as long as there are others


@dataclass(slots=True)
class Holding:
    """In a new session: the sender holds these Futures of the session before, and will send their results.

    When their submitter names them again, the Broker gives them to nobody else.
    """

    piece: int
    submitter: str
    function: bytes
    attempt: int
    crashes: int
    ids: list[int]
    proofs: list[bytes] = field(default_factory=list)
    """To another host: of each Future the end of its payload, which nobody knows who was not given it (`proof_of`)."""


@dataclass(slots=True)
class Results:
    """Outcomes of some Futures of a piece; ``odd`` lists (id, kind) of those that are not plain values."""

    piece: int
    attempt: int
    ids: list[int]
    outcomes: list[bytes]
    odd: list[tuple[int, int]] = field(default_factory=list)
    seconds: float = 0.0  # time spent on `count` of them, 0.0 when it was not measured
    count: int = 0
    facts: bytes = b""  # who has run them, and for how long (`facts.py`); no seal is over that


@dataclass(slots=True)
class Return:
    """The holder gives these Futures of a piece back, not started. Their payloads are in the giver's ledger."""

    piece: int
    ids: list[int]
    attempt: int = 0  # their attempt and crash count, where these have changed since; 0: they have not
    crashes: int = 0
    flags: int = 0  # those of their flags that they may have got since


@dataclass(slots=True)
class Cancel:
    """The giver cancels these Futures; answered by ``Results`` (CANCELLED) or ``Running``."""

    piece: int
    ids: list[int]
    running: bool = False  # also those that run: their Workers are ended; answered by ``Results`` alone


@dataclass(slots=True)
class Running:
    """These Futures have been running for a while: they can no longer be cancelled."""

    piece: int
    ids: list[int]
    kept: int = 0  # of a slice of a map that was cut: how many of its items it still runs; 0: all


@dataclass(slots=True)
class Constant:
    """A shared constant (``shared.set``). The higher version wins; the Broker hands it to every node."""

    name: str
    version: int
    body: bytes


@dataclass(slots=True)
class Bye:
    """The sender leaves on purpose: Futures that it still holds run elsewhere, and this counts as no crash."""

    reason: str


@dataclass(slots=True)
class Inquire:
    """A question for people and tests, passed on to every machine it concerns: each sends its ``Answer``."""

    number: int
    subject: str  # one of those below
    seconds: float = 1.0  # how long the answers may take
    submitter: str = ""  # of the Future; of "stack": the Worker, "" for all; of "ran": who asks
    future: int = 0


EXPLAIN, STATISTICS, GENERATORS, STATUS, STACK, RAN = (
    "explain", "statistics", "generators", "status", "stack", "ran",
)  # fmt: skip
"""Subjects: where is this Future, and why does it not run; counts; which generators Futures have drawn from; what goes
on here; where in their code Workers are; what Workers have run since this one has asked last."""
ONLY_WORKERS = (GENERATORS, RAN)
"""Subjects of which only Workers know something."""
SEEING = (STATUS, STACK)
"""Subjects that host processes know something of, too."""


@dataclass(slots=True)
class Answer:
    """One machine answers an ``Inquire``; `last` when no further answer will come over this link."""

    number: int
    name: str
    report: bytes  # msgpack: a text, a Worker's attempt, or statistics by name; empty when there was no answer in time
    last: bool


@dataclass(slots=True)
class Get:
    """Between Brokers of two hosts: send this part of a segment. Asked again until an answer comes."""

    name: str
    offset: int
    count: int  # bytes


GONE, LATER = -1, -2
"""Sizes in a ``Chunk`` that brings nothing."""


@dataclass(slots=True)
class Chunk:
    """The answer to ``Get``; the bytes themselves follow it in a frame of their own."""

    name: str
    offset: int
    size: Signed  # bytes of the whole segment; GONE: it is not to be had; LATER: ask again, it may still come here


@dataclass(slots=True)
class Drop:
    """The sender has fetched these segments of results: nobody needs the receiver's copies any more."""

    names: list[str]


@dataclass(slots=True)
class Fetch:
    """The sender needs this segment on its host; a Broker that lacks it asks the neighbour that dials it."""

    name: str


@dataclass(slots=True)
class Fetched:
    """The answer to ``Fetch``: the segment is here."""

    name: str
    size: Signed  # bytes; -1: nobody has it


@dataclass(slots=True)
class Lend:
    """A Worker is lent to a submitter of its host: the Broker says so to the Worker, which is to open a lane, and the
    Worker says so over that lane. What travels over lanes has no numbers and is not repeated."""

    number: int  # of the lease
    peer: str  # to the Worker: whom it is lent to; over the lane: who is lent


@dataclass(slots=True)
class TakeBack:
    """The Broker wants a Worker back that it has lent; answered by ``LeaseEnded``."""

    number: int


@dataclass(slots=True)
class LeaseEnded:
    """A lease is over. A Worker says so over its lane and to its Broker, and takes no more Futures from the lane.

    When a Worker is lost or stopped that was lent, the Broker says so to whom it was lent to, and what that does to the
    Future that ran.
    """

    number: int
    taken: int = 0  # over the lane: the last piece that was taken from it; to the Broker: how many were
    crashes: int = 0  # what comes on top of the crashes of the Future
    flags: int = 0  # flags that it gets
    kind: int = VALUE  # of its outcome, if that is known: CANCELLED or OUT_OF_MEMORY
    outcome: bytes = b""


@dataclass(slots=True)
class State:
    """The one Meta message: the Broker's load, a numbered snapshot. It is repeated, so losing one does no harm.

    To its Workers a Broker tells all that it knows, to a neighbour what lies on this side of their link.
    """

    incarnation: int
    number: int
    unmet: int  # Futures that idle Workers could run now and nobody has offered
    spare: int  # Futures that could be given away or back: queued here or behind this Broker, kept by submitters
    size: int  # Workers


Message = (
    Hello | Welcome | Refused | Ack | Demand | Function | Want | Batch | Results | Return | Cancel | Running | Constant
    | Bye | State | Stranger | Ping | Pong | Holding | Inquire | Answer | Get | Chunk | Drop | Fetch | Fetched
    | Lend | TakeBack | LeaseEnded
)  # fmt: skip
UNSEQUENCED = frozenset({Hello, Welcome, Refused, Stranger, Ack, Ping, Pong, State, Get, Chunk})
"""Outside the link's numbering: they open a link, carry nothing to lose, or (``Get``, ``Chunk``) are asked for again.

All others are numbered, acknowledged and repeated (:mod:`..federation.channel`).
"""

CODES: dict[int, type[Message]] = dict(enumerate(get_args(Message), 1))
"""Type codes on the wire: the places in ``Message``. A new one goes to the end, and no place is ever used again."""

# Limits, checked on arrival. Bodies of a quarter of a megabyte and more do not travel in messages (wire.segments).
MAX_MESSAGE_BYTES = 64 << 20
MAX_BATCH_FUTURES = 1 << 16
MAX_NAME_CHARACTERS = 512
MAX_COUNT = (1 << 63) - 1
"""The largest number. Who adds to a number that has come stops here, since others refuse a larger one."""
MAX_PIECE = (1 << 40) - 1
LANE_PIECES = 1 << 39
"""Pieces that travel over lanes have numbers from here on, so that a Worker tells them from those of its Broker."""
MAX_CHUNK_BYTES = 1 << 20
