"""The far end of a link, for tests."""

from __future__ import annotations

from fedfutures.simulation.clock import Clock


class Ear:
    """Notes what arrives, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.frames: list[tuple[float, bytes]] = []
        self.published: list[bytes] = []

    def arrive(self, source: str, frame: bytes) -> None:
        self.frames.append((self.clock.now, frame))

    def hear(self, source: str, frame: bytes) -> None:
        self.published.append(frame)

    @property
    def numbers(self) -> list[int]:
        return [frame[0] for _, frame in self.frames]
