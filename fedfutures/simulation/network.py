"""Links between nodes: perfect ones, and ones that do what links do.

A link is one direction between two nodes; it carries frames of encoded messages, and beside them what is published.
The perfect link delivers in order after its latency. The faulty one loses, doubles, delays and reorders frames by its
:class:`Weather`, can be cut (what is sent then is lost, or comes when the cut has healed: ZeroMQ shows both, by
whether its heartbeats noticed) and clogged (nothing arrives for a while, then all at once). ``send`` never fails:
ZeroMQ's does not either when a peer is gone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Protocol

from .clock import Clock

REPLAYS_REMEMBERED = 64
LATE_AT_MOST_SECONDS = 5.0


class Receiver(Protocol):
    """A node at the far end of a link."""

    def arrive(self, source: str, frame: bytes) -> None:
        """A frame has come over the Main link from the node that is called `source` here."""

    def hear(self, source: str, frame: bytes) -> None:
        """A frame was published by that node."""


class Link:
    """One direction of a perfect link."""

    __slots__ = ("clock", "latency", "source", "target")

    def __init__(self, clock: Clock, source: str, target: Receiver, latency: float) -> None:
        self.clock, self.source, self.target, self.latency = clock, source, target, latency

    def send(self, frame: bytes) -> None:
        """Carry a frame of the Main link."""
        self.clock.at(self.clock.now + self.latency, self.deliver, frame)

    def publish(self, frame: bytes) -> None:
        """Carry what was published."""
        self.clock.at(self.clock.now + self.latency, self.deliver_published, frame)

    def deliver(self, frame: bytes) -> None:
        """A frame is at the far end."""
        self.target.arrive(self.source, frame)

    def deliver_published(self, frame: bytes) -> None:
        """What was published is at the far end."""
        self.target.hear(self.source, frame)


@dataclass(slots=True)
class Weather:
    """How bad the network is; all links share one, so that all heal together. The default is good weather."""

    drop: float = 0.0  # probabilities, of each frame
    duplicate: float = 0.0
    late: float = 0.0  # to be late by a time that is exponential with the mean `delay`
    delay: float = 0.0
    reorder: float = 0.0  # to overtake, and be overtaken
    drop_published: float = 0.0
    replay: float = 0.0  # that some earlier frame comes once more, be it from a connection that is long gone

    def clear(self) -> None:
        """Good weather."""
        self.drop = self.duplicate = self.late = self.reorder = self.drop_published = self.replay = 0.0


class FaultyLink(Link):
    """One direction of a link under some weather; may be cut and clogged."""

    __slots__ = ("clogged_until", "cut", "held", "last", "lost", "random", "seen", "weather")

    def __init__(
        self, clock: Clock, source: str, target: Receiver, latency: float, weather: Weather, dice: Random
    ) -> None:
        super().__init__(clock, source, target, latency)
        self.weather, self.random = weather, dice
        self.cut = ""  # "": not; "lose" or "keep": and what becomes of frames meanwhile
        self.held: list[bytes] = []  # frames kept by a cut
        self.clogged_until = 0.0
        self.last = 0.0  # when the frame sent last arrives
        self.lost = 0
        self.seen: deque[bytes] = deque(maxlen=REPLAYS_REMEMBERED)

    def send(self, frame: bytes) -> None:
        weather, dice = self.weather, self.random
        if weather.drop and dice.random() < weather.drop:
            self.lost += 1
            return
        self.clock.at(self._arrival(), self.deliver, frame)
        if weather.duplicate and dice.random() < weather.duplicate:
            self.clock.at(self._arrival(), self.deliver, frame)
        if weather.replay:
            self.seen.append(frame)
            if dice.random() < weather.replay:
                self.clock.at(self._arrival() + dice.random(), self.deliver, dice.choice(self.seen))

    def publish(self, frame: bytes) -> None:
        if not (self.weather.drop_published and self.random.random() < self.weather.drop_published):
            self.clock.at(self._arrival(), self.deliver_published, frame)

    def _arrival(self) -> float:
        weather, dice = self.weather, self.random
        time = self.clock.now + self.latency
        if weather.late and dice.random() < weather.late:
            time += min(dice.expovariate(1 / weather.delay), LATE_AT_MOST_SECONDS)
        if time < self.clogged_until:
            time = self.clogged_until
        if weather.reorder and dice.random() < weather.reorder:
            return time + self.latency * dice.random() * 3
        self.last = max(time, self.last)
        return self.last

    def deliver(self, frame: bytes) -> None:
        if not self.cut:
            self.target.arrive(self.source, frame)
        elif self.cut == "keep":
            self.held.append(frame)
        else:
            self.lost += 1

    def deliver_published(self, frame: bytes) -> None:
        if not self.cut:
            self.target.hear(self.source, frame)

    def heal(self) -> None:
        """Join the link again; what was kept arrives."""
        self.cut = ""
        self.clogged_until = 0.0
        held, self.held = self.held, []
        for frame in held:
            self.send(frame)
