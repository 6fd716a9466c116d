"""One end of a link: numbers what goes out, acknowledges what comes in, repeats what was lost.

ZeroMQ loses what ``send`` accepted when a peer dies or is cut off. All that is not acknowledged in time is repeated
(go-back-N: a local link loses nothing, and a far one is cut rarely). Above a Channel every message arrives exactly once
and in order, as long as both ends live; when one does not, the other begins a new session with a new Channel, and what
is lost is found by comparing ledgers (docs/federation.rst, "When links fail").

A session's numbers begin at a base that was drawn with it (as TCP's initial sequence numbers are, RFC 9293, 3.4.1), so
a frame of an earlier session that was under way for long is not in turn; :meth:`Channel.is_foreign` tells.
"""

from __future__ import annotations

from ..errors import LocalProtocolError
from ..wire.messages import UNSEQUENCED, Batch, Message

ACK_DELAY_SECONDS = 0.05
ACK_EVERY_MESSAGES = 16
REPEAT_AFTER_SECONDS = 3.0
REPEAT_AT_MOST_SECONDS = 6.0
REPEAT_AT_LEAST_SECONDS = 0.25
"""However often the peer says that it misses something, it is not told again within this time."""
FIRST_BASE = 1 << 31
SPREAD = 0x9E3779B1
"""Sessions that one Broker begins have numbers in a row; their bases are to lie far apart (Knuth 6.4)."""
WINDOW = 1 << 20


class Channel:
    """The state of one end of a link. `number` and `accept` stamp and check; `repeat` says what to send again."""

    __slots__ = (
        "_ack_due", "_given", "_repeat_at", "_repeated_at", "_wait", "_waiting_acks", "acknowledged",
        "last", "missing", "room", "unacknowledged",
    )  # fmt: skip

    def __init__(self, session: int = 0) -> None:
        base = session * SPREAD % FIRST_BASE
        self.last = base  # the last number given out
        self.acknowledged = base  # the last number taken in: what an outgoing header acknowledges
        self.missing = False  # something that the peer has sent is known to be lost: what an ``Ack`` says
        self._repeated_at = float("-inf")
        self.unacknowledged: list[tuple[int, Message]] = []  # what may be lost, with its numbers
        self._ack_due: float | None = None
        self._waiting_acks = 0
        self._repeat_at: float | None = None
        self._wait = REPEAT_AFTER_SECONDS
        self.room = 0  # Futures that may still be sent: the peer's Demand less what was sent since it was counted
        self._given: list[tuple[int, int]] = []  # (number, Futures) of Batches the Demand does not know of

    def number(self, message: Message, now: float) -> tuple[int, int]:
        """Return ``(sequence, acknowledged)`` for the header of a message about to be sent."""
        self._ack_due = None
        self._waiting_acks = 0
        if type(message) in UNSEQUENCED:
            return 0, self.acknowledged
        self.last += 1
        self.unacknowledged.append((self.last, message))
        if self._repeat_at is None:
            self._repeat_at = now + self._wait
        if type(message) is Batch:
            self._given.append((self.last, len(message.ids)))
            self.room -= len(message.ids)
        return self.last, self.acknowledged

    def accept(self, sequence: int, acknowledged: int, now: float) -> bool:
        """Take in an arrived header; return whether its message is new and is to be acted on."""
        if acknowledged:
            self._acknowledge(acknowledged, now)
        if sequence == 0:
            return True
        self._waiting_acks += 1
        if self._ack_due is None:
            self._ack_due = now + ACK_DELAY_SECONDS
        if self._waiting_acks >= ACK_EVERY_MESSAGES:
            self._ack_due = now
        if sequence != self.acknowledged + 1:
            if sequence > self.acknowledged:
                self.missing, self._ack_due = True, now
            return False
        self.acknowledged = sequence
        self.missing = False
        return True

    def is_foreign(self, sequence: int, acknowledged: int) -> bool:
        """Whether a header is of another session: its numbers are far from all that this one has used."""
        number, mine = (sequence, self.acknowledged) if sequence else (acknowledged, self.last)
        return bool(number) and abs(number - mine) > WINDOW

    def heard_last(self, last: int, now: float) -> None:
        """The peer says which number it gave out last; what is not here was lost, for a socket keeps the order."""
        if self.acknowledged < last <= self.acknowledged + WINDOW:
            self.missing, self._ack_due = True, now

    def _acknowledge(self, acknowledged: int, now: float) -> None:
        unacked = self.unacknowledged
        if not unacked or not unacked[0][0] <= acknowledged <= self.last:
            return
        del unacked[: acknowledged - unacked[0][0] + 1]
        if self._given and self._given[0][0] <= acknowledged:
            self._given = [given for given in self._given if given[0] > acknowledged]
        self._wait = REPEAT_AFTER_SECONDS
        self._repeat_at = now + self._wait if unacked else None

    def demand(self, count: int) -> None:
        """Take in the peer's Demand, right after the header that it came with."""
        self.room = count - sum(futures for _, futures in self._given)

    def deadline(self) -> float | None:
        """When :meth:`ack_is_due` or :meth:`repeat` may have something to say."""
        if self._ack_due is None or self._repeat_at is None:
            return self._repeat_at if self._ack_due is None else self._ack_due
        return min(self._ack_due, self._repeat_at)

    def ack_is_due(self, now: float) -> bool:
        """Whether an ``Ack`` should go out by itself."""
        return self._ack_due is not None and now >= self._ack_due

    def repeat(self, now: float) -> list[tuple[int, Message]]:
        """Return the numbered messages to send again, and wait longer before the next time."""
        if self._repeat_at is None or now < self._repeat_at:
            return []
        self._wait = min(2 * self._wait, REPEAT_AT_MOST_SECONDS)
        self._repeat_at = now + self._wait
        self._repeated_at = now
        return list(self.unacknowledged)

    def hasten(self, now: float) -> None:
        """The peer says that it misses something: repeat as soon as that is not too often."""
        if self._repeat_at is not None:
            self._repeat_at = min(self._repeat_at, max(now, self._repeated_at + REPEAT_AT_LEAST_SECONDS))

    def check(self) -> None:
        """Assert what must hold of the state."""
        if self.unacknowledged:
            numbers = [number for number, _ in self.unacknowledged]
            if numbers != list(range(self.last - len(numbers) + 1, self.last + 1)):
                raise LocalProtocolError(f"unacknowledged numbers have gaps: {numbers}")
        if (self._repeat_at is None) == bool(self.unacknowledged):
            raise LocalProtocolError("the repetition timer does not match what is unacknowledged")
