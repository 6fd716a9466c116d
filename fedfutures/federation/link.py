"""What a Broker keeps of the way to a neighbour: who dials, whether anything is heard, how far it is.

Either end sends a ``Ping`` once a second and answers the other's. A neighbour of which nothing was heard for three
beats is silent; after a minute of silence it is forgotten. The dialling end says ``Hello`` until it is welcome, and
again, the numbers of the link in hand, as long as the other is silent or says that it does not know it.
"""

from __future__ import annotations

from typing import Protocol

from ..wire.messages import PROTOCOL, Hello, Ping

BEAT_SECONDS = 1.0
SILENT_AFTER_SECONDS = 3.0
FORGET_AFTER_SECONDS = 60.0
HELLO_AGAIN_SECONDS = 0.1
HELLO_AT_MOST_SECONDS = 1.0
_PINGS_KEPT = 8


class Dice(Protocol):
    """What is used of ``random.Random``."""

    def random(self) -> float: ...
    def getrandbits(self, k: int, /) -> int: ...


class Link:
    """The way to one neighbour. `due` says what to send, `heard` and `pong` take in what comes."""

    __slots__ = (
        "_beat_at",
        "_hello_at",
        "_hello_wait",
        "_me",
        "_pings",
        "_random",
        "_round",
        "_silence",
        "_token",
        "dials",
        "heard_at",
        "incarnation",
        "linked",
        "round_trip",
        "silent",
    )

    def __init__(self, me: str, dials: bool, random: Dice, now: float) -> None:
        self._me, self.dials, self._random = me, dials, random
        self.incarnation = random.getrandbits(48)  # drawn anew with each state of the link that begins from nothing
        self.linked = False
        self.silent = False
        self.heard_at = now
        self.round_trip = 0.0  # seconds
        self._hello_at: float | None = now if dials else None
        self._hello_wait = HELLO_AGAIN_SECONDS
        self._beat_at = now
        self._token = 0
        self._pings: dict[int, float] = {}
        self._round = 0
        self._silence = False  # silence alone is why this end introduces itself

    def due(self, session: int, last: int, now: float) -> list[Hello | Ping]:
        """Return what is to be sent now, where this end knows `session` (0: none) and has given out number `last`."""
        messages: list[Hello | Ping] = []
        if self._hello_at is not None and now >= self._hello_at:
            messages.append(Hello(PROTOCOL, "broker", self._me, self.incarnation, 0, session, self._round))
            self._hello_wait = min(2 * self._hello_wait, HELLO_AT_MOST_SECONDS)
            self._hello_at = now + self._hello_wait * (0.75 + 0.5 * self._random.random())
        if self.linked and now >= self._beat_at:
            self._beat_at = now + BEAT_SECONDS
            self._token += 1
            self._pings[self._token] = now
            if len(self._pings) > _PINGS_KEPT:
                del self._pings[next(iter(self._pings))]
            messages.append(Ping(self._token, last))
        return messages

    def deadline(self) -> float | None:
        """When :meth:`due` or :meth:`falls_silent` may have something to say."""
        times = [self._hello_at] if self._hello_at is not None else []
        if self.linked:
            times += [self._beat_at, self.heard_at + (FORGET_AFTER_SECONDS if self.silent else SILENT_AFTER_SECONDS)]
        return min(times, default=None)

    def heard(self, now: float) -> bool:
        """Something came; return whether the neighbour was silent before."""
        self.heard_at = now
        was_silent, self.silent = self.silent, False
        if was_silent and self._silence:
            self._hello_at = None
        return was_silent

    def pong(self, token: int, now: float) -> None:
        """Learn the round trip: quickly when it is shorter than thought, slowly when longer (a busy neighbour)."""
        sent = self._pings.pop(token, None)
        if sent is not None:
            sample = now - sent
            weight = 1.0 if not self.round_trip else 0.5 if sample < self.round_trip else 0.125
            self.round_trip += weight * (sample - self.round_trip)

    def expects(self, greeter: int) -> bool:
        """Whether a ``Welcome`` answers what is being said now; one that was long under way does not."""
        return self._hello_at is not None and greeter == self.incarnation + self._round

    def welcomed(self, now: float) -> None:
        """Both ends know each other."""
        self.linked, self._hello_at, self._hello_wait = True, None, HELLO_AGAIN_SECONDS
        self._beat_at = now
        self.heard(now)

    def introduce(self, now: float) -> None:
        """Say ``Hello`` (again), if this end dials and does not do so already."""
        if not self.silent:
            self._silence = False
        if self.dials and self._hello_at is None:
            self._hello_at, self._hello_wait = now, HELLO_AGAIN_SECONDS
            self._round += 1

    def falls_silent(self, now: float) -> bool:
        """Whether the neighbour is to be taken for silent from now on."""
        if not self.linked or self.silent or now < self.heard_at + SILENT_AFTER_SECONDS:
            return False
        self.silent = True
        self._silence = self._hello_at is None
        self.introduce(now)
        return True

    def is_forgotten(self, now: float) -> bool:
        """Whether nothing was heard for so long that no state is kept of the neighbour."""
        return self.linked and self.silent and now >= self.heard_at + FORGET_AFTER_SECONDS

    def forget(self, now: float) -> None:
        """Begin from nothing."""
        self.linked = self.silent = False
        self.incarnation = self._random.getrandbits(48)
        self._pings.clear()
        self.round_trip = 0.0
        self.introduce(now)
