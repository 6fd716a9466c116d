"""What a Broker keeps of the way to a neighbour: who dials, whether anything is heard, how far it is.

Either end sends a ``Ping`` once a second and answers the other's. A neighbour that said nothing for three
heartbeats is silent; after a minute of silence it is forgotten. The dialling end says ``Hello`` until it is
welcome, and again, the numbers of the link in hand, while the other is silent or says that it does not know it.
"""

from __future__ import annotations

from ..wire.messages import Hello, Ping
from .session import HEARTBEAT_SECONDS, Dice, Introduction

SILENT_AFTER_SECONDS = 3.0
FORGET_AFTER_SECONDS = 60.0
HELLO_AGAIN_SECONDS = 0.1
HELLO_AT_MOST_SECONDS = 1.0
_PINGS_KEPT = 8


class Link:
    """The way to one neighbour. `due` says what to send, `heard` and `pong` take in what comes."""

    __slots__ = (
        "_heartbeat_at", "_pings", "_random", "_silence", "_token", "dials", "heard_at", "introduction", "linked",
        "round_trip", "silent",
    )  # fmt: skip

    def __init__(self, me: str, dials: bool, random: Dice, now: float) -> None:
        self.dials, self._random = dials, random
        incarnation = random.getrandbits(48)  # drawn anew with each state of the link that begins from nothing
        self.introduction = Introduction(
            "broker", me, incarnation, 0, now if dials else None,
            pause=HELLO_AGAIN_SECONDS, longest=HELLO_AT_MOST_SECONDS, dice=random,
        )  # fmt: skip
        self.linked = False
        self.silent = False
        self.heard_at = now
        self.round_trip = 0.0  # seconds
        self._heartbeat_at = now
        self._token = 0
        self._pings: dict[int, float] = {}
        self._silence = False  # silence alone is why this end introduces itself

    def due(self, session: int, last: int, now: float) -> list[Hello | Ping]:
        """Return what is to be sent now, where this end knows `session` (0: none) and has given out number `last`."""
        hello = self.introduction.hello(session, now)
        messages: list[Hello | Ping] = [] if hello is None else [hello]
        if self.linked and now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_SECONDS
            self._token += 1
            self._pings[self._token] = now
            if len(self._pings) > _PINGS_KEPT:
                del self._pings[next(iter(self._pings))]
            messages.append(Ping(self._token, last))
        return messages

    def deadline(self) -> float | None:
        """When :meth:`due`, :meth:`falls_silent` or :meth:`is_forgotten` may have something to say."""
        hello_at = self.introduction.due_at
        if not self.linked:
            return hello_at
        due = self.heard_at + (FORGET_AFTER_SECONDS if self.silent else SILENT_AFTER_SECONDS)
        if self._heartbeat_at < due:
            due = self._heartbeat_at
        return due if hello_at is None or due < hello_at else hello_at

    def heard(self, now: float) -> bool:
        """Something came; return whether the neighbour was silent before."""
        self.heard_at = now
        was_silent, self.silent = self.silent, False
        if was_silent and self._silence:
            self.introduction.end()
        return was_silent

    def pong(self, token: int, now: float) -> None:
        """Learn the round trip: quickly when it is shorter than thought, slowly when longer (a busy neighbour)."""
        sent = self._pings.pop(token, None)
        if sent is not None:
            sample = now - sent
            weight = 1.0 if not self.round_trip else 0.5 if sample < self.round_trip else 0.125
            self.round_trip += weight * (sample - self.round_trip)

    def welcomed(self, now: float) -> None:
        """Both ends know each other."""
        self.linked = True
        self.introduction.end()
        self._heartbeat_at = now
        self.heard(now)

    def introduce(self, now: float) -> None:
        """Say ``Hello`` (again), if this end dials and does not do so already."""
        if not self.silent:
            self._silence = False
        if self.dials:
            self.introduction.begin(now)

    def falls_silent(self, now: float) -> bool:
        """Whether the neighbour is to be taken for silent from now on."""
        if not self.linked or self.silent or now < self.heard_at + SILENT_AFTER_SECONDS:
            return False
        self.silent = True
        self._silence = self.introduction.due_at is None
        self.introduce(now)
        return True

    def is_forgotten(self, now: float) -> bool:
        """Whether nothing was heard for so long that no state is kept of the neighbour."""
        return self.linked and self.silent and now >= self.heard_at + FORGET_AFTER_SECONDS

    def forget(self, now: float) -> None:
        """Begin from nothing."""
        self.linked = self.silent = False
        self.introduction.renew(self._random.getrandbits(48))
        self._pings.clear()
        self.round_trip = 0.0
        self.introduce(now)
