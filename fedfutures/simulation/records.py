"""What is known of the Futures of a run, and what is raised when a law does not hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import FedfuturesError
from .world import World

Key = tuple[str, int]
"""A Future: its submitter and number."""


class LawBroken(FedfuturesError):
    """A law does not hold: which, when, and in which run."""

    def __init__(self, law: str, detail: str, seed: int = -1, time: float = 0.0) -> None:
        self.law, self.detail, self.seed, self.time = law, detail, seed, time
        super().__init__(law, detail, seed, time)

    def __str__(self) -> str:
        return f"seed {self.seed}, t = {self.time:.6f}: {self.law}: {self.detail}"


def broken(world: World, law: str, detail: str) -> LawBroken:
    """Return what to raise."""
    return LawBroken(law, detail, world.seed, world.clock.now)


@dataclass(slots=True)
class FutureRecord:
    """What is known of a Future."""

    payload: bytes
    kind: int | None = None  # of its outcome
    cancel_asked: bool = False
    executions: int = 0
    blamed: int = 0  # Workers that ended while running it, and it was to blame

    def start(self) -> None:
        """A Worker begins to run it."""
        self.executions += 1

    def resolve(self, kind: int) -> None:
        """It has an outcome."""
        self.kind = kind

    def ask_cancel(self) -> None:
        """Its submitter wants it back."""
        self.cancel_asked = True

    def blame(self) -> None:
        """It has killed a Worker."""
        self.blamed += 1


@dataclass(slots=True)
class Records:
    """What laws share. The checker writes, laws read."""

    loses_frames: bool  # whether links lose, double, delay or reorder frames
    futures: dict[Key, FutureRecord] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)  # submitters that have ended
    disturbances: int = 0

    def disturb(self) -> None:
        """Something has happened that may lose work."""
        self.disturbances += 1

    @property
    def is_calm(self) -> bool:
        """Whether nothing has happened that may lose work."""
        return not (self.disturbances or self.loses_frames)

    def unresolved(self) -> list[Key]:
        """Return Futures that are open and whose submitter is there."""
        return [key for key, record in self.futures.items() if record.kind is None and key[0] not in self.gone]
