"""Every message of the Main and Meta sockets, and nothing else.

A message is a slotted dataclass; its fields, in this order, are what msgpack carries (:mod:`.codec` adds the type
code, the sequence number and the acknowledgement in front). The annotations are the schema: the codec checks each
arriving field against them, so a machine never sees a field of the wrong type.

Three rules hold for all of them:

* Instants never travel, only durations: the clocks of two hosts have nothing to do with each other.
* Payloads, outcomes and function bodies are opaque ``bytes``. Only Workers (and the Origin, which is one) open them.
* A Future is named by its submitter and the number that the submitter gave it. A *piece* is a Batch on one link:
  the giver numbers it, and results, returns and cancellations speak of (piece, ids), so no hop searches for a Future.

Not sequenced, because they open a link or carry nothing to lose: ``Hello``, ``Welcome``, ``Refused``, ``Stranger``,
``Ack``, ``Ping``, ``Pong`` and ``State``; nor are ``Get`` and ``Chunk``, which are asked for again.
"""

from __future__ import annotations

from ..lazy_dataclass import dataclass, field

PROTOCOL = 4
"""Version of this page. Both ends name it in ``Hello`` and ``Welcome``; another number is refused by name."""

# What became of a Future: the kinds of an outcome. VALUE and ERROR bodies are payloads, the others msgpack or empty.
# That of LOST is a text, or a text and True: the initializer of the Workers has raised.
VALUE, ERROR, CANCELLED, POISONED, LOST = range(5)

Signed = int
"""A number that may be negative; all others may not."""


@dataclass(slots=True)
class Hello:
    """A node introduces itself to its Broker; repeated until ``Welcome`` or ``Refused`` comes."""

    protocol: int
    role: str  # "worker", "origin" or "broker"
    name: str
    boot: int  # drawn at each start: another boot under the same name is another process
    pid: int
    session: int = 0  # the one that the sender knows from an earlier Welcome, 0: none
    round: int = 0  # how often it has begun to introduce itself


@dataclass(slots=True)
class Welcome:
    """The Broker's answer to ``Hello``: the link is open."""

    protocol: int
    name: str
    boot: int
    size: int  # Workers of the Federation, for fedfutures.SIZE
    session: int = 0  # names the state that both ends keep of the link: another one, and all of it begins anew
    greeter: int = 0  # boot plus round of the ``Hello`` that this answers: an answer to an earlier one says nothing


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
    last: int = 0  # the last number that the sender has given out: who has taken in less has lost something


@dataclass(slots=True)
class Pong:
    """The answer to ``Ping``."""

    token: int


@dataclass(slots=True)
class Ack:
    """Nothing but its header's acknowledgement, when no other message had to go that way."""

    missing: bool = False  # numbers after the acknowledged one have come, so it was lost: repeat it


@dataclass(slots=True)
class Demand:
    """How many more Futures the sender can use, counted from the last message it acknowledges here.

    Demand is state: a later one replaces an earlier one. A Broker speaks for all that lies behind it, seen from the
    receiver: its Workers, and what its other neighbours can use.
    """

    count: int
    idle: int  # Workers behind the sender that have nothing to run; of a Worker: 1 or 0
    workers: int = 1  # Workers behind the sender; of a Worker: 0 while it starts nothing of others


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
    """The sender holds Batches of this function and does not have (or no longer has) its definition.

    Or it needs a module, a snapshot or a value: that is asked for towards the Origin.
    """

    digest: bytes


@dataclass(slots=True)
class Batch:
    """Work: Futures of one submitter that share function, attempt and crash count. It can be split anywhere."""

    piece: int
    submitter: str
    function: bytes
    attempt: int  # grows with each loss; an older attempt's result is dropped when a newer one was first
    crashes: int  # Workers that these Futures were running on when they died
    backlog: int  # how many more of them the sender still keeps: the scheduler cuts smaller pieces near the end
    spent: bool  # the receiver's Demand is used up by this: it was counted for shorter Futures
    ids: list[int]
    payloads: list[bytes]
    root: str = ""  # the Origin from whose Futures these stem: Origins have equal shares while both have work
    priority: Signed = 0  # higher ones first


@dataclass(slots=True)
class Holding:
    """After a new session began: the sender holds these Futures, given to it in the session before.

    Their results will come. When their submitter names them again, they are not given to anybody else.
    """

    piece: int
    submitter: str
    function: bytes
    attempt: int
    crashes: int
    ids: list[int]


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


@dataclass(slots=True)
class Return:
    """The holder gives these Futures of a piece back, not started. Their payloads are in the giver's ledger."""

    piece: int
    ids: list[int]
    attempt: int = 0  # what became of the attempts and the crash count meanwhile; 0: nothing
    crashes: int = 0


@dataclass(slots=True)
class Cancel:
    """The giver asks for these Futures back for good; answered by ``Results`` (CANCELLED) or ``Running``."""

    piece: int
    ids: list[int]


@dataclass(slots=True)
class Running:
    """These Futures have been running for a while: they can no longer be cancelled."""

    piece: int
    ids: list[int]
    kept: int = 0  # of one that is a slice of a map, and was cut: how many of its items it still runs; 0: all


@dataclass(slots=True)
class Constant:
    """A shared constant (``shared.set``). The higher version wins; the Broker hands it to every node."""

    name: str
    version: int
    body: bytes


@dataclass(slots=True)
class Bye:
    """The sender leaves on purpose: what it still holds is to run elsewhere, and counts as no crash."""

    reason: str


@dataclass(slots=True)
class Inquire:
    """A question for people and tests, passed on to every machine it concerns: each sends its ``Answer``."""

    number: int
    subject: str  # "explain" (where is this Future, why does it not run?), "statistics", or "generators" (drawn from)
    seconds: float = 1.0  # how long the answers may take
    submitter: str = ""
    future: int = 0


@dataclass(slots=True)
class Answer:
    """What one machine has to say to an ``Inquire``; `last` when nothing more will come over this link."""

    number: int
    name: str
    report: bytes  # msgpack: a text, a Worker's attempt, or statistics by name; empty when there was no answer in time
    last: bool


@dataclass(slots=True)
class Get:
    """Between Brokers of two hosts: send this part of a segment. Asked again when no answer comes."""

    name: str
    offset: int
    count: int  # bytes


@dataclass(slots=True)
class Chunk:
    """The answer to ``Get``; the bytes themselves follow it in a frame of their own."""

    name: str
    offset: int
    size: Signed  # bytes of the whole segment; -1: it is not here any more


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
    size: Signed  # bytes; -1: it is not to be had


@dataclass(slots=True)
class State:
    """The one Meta message: the Broker's load, as a numbered snapshot that is repeated, so losing one is no loss.

    To its Workers a Broker speaks of all that it knows, to a neighbour of what lies on this side of their link.
    """

    boot: int
    number: int
    hunger: int  # Futures that idle Workers could run now and nobody has offered
    spare: int  # Futures that could be given away or given back: queued here or behind, kept by submitters
    size: int  # Workers


Message = (
    Hello | Welcome | Refused | Ack | Demand | Function | Want | Batch | Results | Return
    | Cancel | Running | Constant | Bye | State | Stranger | Ping | Pong | Holding | Inquire | Answer
    | Get | Chunk | Drop | Fetch | Fetched
)  # fmt: skip

UNSEQUENCED = frozenset({Hello, Welcome, Refused, Stranger, Ack, Ping, Pong, State, Get, Chunk})
"""Outside the link's numbering; all others are numbered, acknowledged and repeated (federation.channel)."""

CODES: dict[int, type[Message]] = {
    1: Hello,
    2: Welcome,
    3: Refused,
    4: Ack,
    5: Demand,
    6: Function,
    7: Want,
    8: Batch,
    9: Results,
    10: Return,
    11: Cancel,
    12: Running,
    13: Constant,
    14: Bye,
    15: State,
    16: Stranger,
    17: Ping,
    18: Pong,
    19: Holding,
    20: Inquire,
    21: Answer,
    22: Get,
    23: Chunk,
    24: Drop,
    25: Fetch,
    26: Fetched,
}
"""Type codes on the wire; a code is never used again for another message."""

# Limits, checked on arrival. Bodies of a quarter of a megabyte and more do not travel in messages (wire.segments).
MAX_MESSAGE_BYTES = 64 << 20
MAX_BATCH_FUTURES = 1 << 16
MAX_NAME_CHARACTERS = 512
MAX_CHUNK_BYTES = 1 << 20
