"""The far end of a link, for tests."""

from __future__ import annotations

from fedfutures.simulation.clock import Clock
from fedfutures.simulation.frames import Frame
from fedfutures.wire.messages import Ack


def numbered(number: int) -> Frame:
    """A frame that is known by its number."""
    return [(number, 0, Ack())]


class Listener:
    """Notes what arrives, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.frames: list[tuple[float, Frame]] = []
        self.published: list[Frame] = []

    def arrive(self, source: str, frame: Frame) -> None:
        self.frames.append((self.clock.now, frame))

    def hear(self, source: str, frame: Frame) -> None:
        self.published.append(frame)

    @property
    def numbers(self) -> list[int]:
        return [frame[0][0] for _, frame in self.frames]
