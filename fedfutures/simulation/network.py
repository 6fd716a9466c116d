"""Links between nodes: perfect ones, and ones that do what links do.

A link is one direction between two nodes; it carries frames of encoded messages, and beside them what is published.
The perfect link delivers in order after its latency. The faulty one loses, doubles, delays and reorders frames by its
:class:`LinkFaults`, can be cut (what is sent then is lost, or comes when the cut has healed: ZeroMQ shows both, by
whether its heartbeats noticed) and clogged (nothing arrives for a while, then all at once). ``send`` never fails:
ZeroMQ's does not either when a peer is gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from .clock import Clock
from .frames import Frame

REPLAYS_REMEMBERED = 64
LATE_AT_MOST_SECONDS = 5.0


class Receiver(Protocol):
    """A node at the far end of a link."""

    __slots__ = ()

    def arrive(self, source: str, frame: Frame) -> None:
        """A frame has come over the Main link from the node that is called `source` here."""

    def hear(self, source: str, frame: Frame) -> None:
        """A frame was published by that node."""


class SimLink:
    """One direction of a perfect link."""

    __slots__ = ("clock", "latency", "source", "target")

    def __init__(self, clock: Clock, source: str, target: Receiver, latency: float) -> None:
        self.clock, self.source, self.target, self.latency = clock, source, target, latency

    def send(self, frame: Frame) -> None:
        """Carry a frame of the Main link."""
        self.clock.at(self.clock.now + self.latency, self.deliver, frame)

    def publish(self, frame: Frame) -> None:
        """Carry what was published."""
        self.clock.at(self.clock.now + self.latency, self.deliver_published, frame)

    def deliver(self, frame: Frame) -> None:
        """A frame is at the far end."""
        self.target.arrive(self.source, frame)

    def deliver_published(self, frame: Frame) -> None:
        """What was published is at the far end."""
        self.target.hear(self.source, frame)


@dataclass(slots=True)
class LinkFaults:
    """How bad the network is; all links share one, so that all heal together. The default is a good one."""

    drop: float = 0.0  # probabilities, of each frame
    duplicate: float = 0.0
    late: float = 0.0  # to be late by a time that is exponential with the mean `delay`
    delay: float = 0.0
    reorder: float = 0.0  # to overtake, and be overtaken
    drop_published: float = 0.0
    replay: float = 0.0  # that some earlier frame comes once more, be it from a connection that is long gone

    def clear(self) -> None:
        """The network is good."""
        self.drop = self.duplicate = self.late = self.reorder = self.drop_published = self.replay = 0.0


class FaultyLink(SimLink):
    """One direction of a link under some conditions; may be cut and clogged."""

    __slots__ = ("clogged_until", "conditions", "cut", "forge", "held", "last", "lost", "random", "seen")

    def __init__(
        self, clock: Clock, source: str, target: Receiver, latency: float, conditions: LinkFaults, dice: Random
    ) -> None:
        super().__init__(clock, source, target, latency)
        self.conditions, self.random = conditions, dice
        self.cut = ""  # "": not; "lose" or "keep": and what becomes of frames meanwhile
        self.held: list[Frame] = []  # frames kept by a cut
        self.clogged_until = 0.0
        self.last = 0.0  # when the frame sent last arrives
        self.lost = 0
        self.forge: Callable[[Frame], Frame | None] | None = None  # alters a frame; None: it leaves it as it is
        self.seen: deque[Frame] = deque(maxlen=REPLAYS_REMEMBERED)

    def send(self, frame: Frame) -> None:
        conditions, dice = self.conditions, self.random
        if self.forge is not None and (forged := self.forge(frame)) is not None:
            frame, self.forge = forged, None
        if conditions.drop and dice.random() < conditions.drop:
            self.lost += 1
            return
        self.clock.at(self._arrival(), self.deliver, frame)
        if conditions.duplicate and dice.random() < conditions.duplicate:
            self.clock.at(self._arrival(), self.deliver, frame)
        if conditions.replay:
            self.seen.append(frame)
            if dice.random() < conditions.replay:
                self.clock.at(self._arrival() + dice.random(), self.deliver, dice.choice(self.seen))

    def publish(self, frame: Frame) -> None:
        if not (self.conditions.drop_published and self.random.random() < self.conditions.drop_published):
            self.clock.at(self._arrival(), self.deliver_published, frame)

    def _arrival(self) -> float:
        conditions, dice = self.conditions, self.random
        time = self.clock.now + self.latency
        if conditions.late and dice.random() < conditions.late:
            time += min(dice.expovariate(1 / conditions.delay), LATE_AT_MOST_SECONDS)
        if time < self.clogged_until:
            time = self.clogged_until
        if conditions.reorder and dice.random() < conditions.reorder:
            return time + self.latency * dice.random() * 3
        self.last = max(time, self.last)
        return self.last

    def deliver(self, frame: Frame) -> None:
        if not self.cut:
            self.target.arrive(self.source, frame)
        elif self.cut == "keep":
            self.held.append(frame)
        else:
            self.lost += 1

    def deliver_published(self, frame: Frame) -> None:
        if not self.cut:
            self.target.hear(self.source, frame)

    def cut_off(self, *, keeps: bool) -> None:
        """Cut the link until :meth:`heal`; frames sent meanwhile are kept or lost."""
        self.cut = "keep" if keeps else "lose"

    def alter(self, forge: Callable[[Frame], Frame | None]) -> None:
        """Put another frame in the place of the next one for which `forge` makes one."""
        self.forge = forge

    def clog(self, until: float) -> None:
        """Let nothing arrive until then."""
        self.clogged_until = until

    def heal(self) -> None:
        """Join the link again; what was kept arrives."""
        self.cut = ""
        self.clogged_until = 0.0
        held, self.held = self.held, []
        for frame in held:
            self.send(frame)
