"""What is known of the Futures of a run, and what is raised when a law does not hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import FedfuturesError
from .world import NEVER, World

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
    priority: int = 0
    kind: int | None = None  # of its outcome
    cancel_asked: bool = False
    end_asked: bool = False  # even if it runs
    settled_at: float = NEVER  # when it has got its outcome
    cancelled_at: float = NEVER  # when its submitter asked for that first
    executions: int = 0
    runners: set[str] = field(default_factory=set)  # Workers that have begun it
    blamed: int = 0  # Workers that ended while running it, and it was to blame
    was_late: bool = False  # a Worker was ended because it was over its time limit
    has_grown: bool = False  # a Worker was ended because it used too much memory

    def start(self, worker: str = "") -> None:
        """A Worker begins to run it."""
        self.executions += 1
        self.runners.add(worker)

    def resolve(self, kind: int, now: float = 0.0) -> None:
        """It has an outcome."""
        self.kind, self.settled_at = kind, now

    def ask_cancel(self, now: float = 0.0, *, running: bool = False) -> None:
        """Its submitter wants it back, with `running` even if it runs."""
        self.cancel_asked = True
        self.end_asked = self.end_asked or running
        self.cancelled_at = min(self.cancelled_at, now)

    def be_late(self) -> None:
        """It is over its time limit."""
        self.was_late = True

    def grow(self) -> None:
        """It uses more memory than it may."""
        self.has_grown = True

    def blame(self) -> None:
        """It has killed a Worker."""
        self.blamed += 1


@dataclass(slots=True)
class Records:
    """What laws share. The checker writes, laws read."""

    loses_frames: bool  # whether links lose, double, delay or reorder frames
    futures: dict[Key, FutureRecord] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)  # submitters that have ended, and when
    disturbances: int = 0
    disturbed_at: float = 0.0  # the last time
    kinds: set[str] = field(default_factory=set)  # of disturbances: "worker", "broker", "cut", "pause"
    healed_at: float = NEVER  # since when links are good and all nodes there
    has_forgers: bool = False  # whether somebody forges outcomes
    has_given_up: bool = False  # whether the hosts will start no Worker any more

    def disturb(self, kind: str, now: float = 0.0) -> None:
        """Something has happened that may lose work."""
        self.disturbances += 1
        self.disturbed_at = now
        self.kinds.add(kind)

    def heal(self, now: float) -> None:
        """From now on links are good, and all nodes are there."""
        self.healed_at = now

    @property
    def links_good_since(self) -> float:
        """Since when messages arrive at once; NEVER: they do not."""
        return 0.0 if self.has_only("worker") else self.healed_at

    def leave(self, submitter: str, now: float = 0.0) -> None:
        """A submitter has ended."""
        self.gone[submitter] = now

    def give_up(self) -> None:
        """From now on what no Worker can run is lost."""
        self.has_given_up = True

    def forge(self) -> None:
        """From now on some outcomes are forged on their way."""
        self.has_forgers = True

    def has_only(self, *kinds: str) -> bool:
        """Whether nothing but disturbances of these kinds has happened, and links keep what they carry."""
        return not self.loses_frames and self.kinds.issubset(kinds)

    @property
    def is_calm(self) -> bool:
        """Whether nothing has happened that may lose work."""
        return not (self.disturbances or self.loses_frames)

    def unresolved(self) -> list[Key]:
        """Return Futures that are open and whose submitter is there."""
        return [key for key, record in self.futures.items() if record.kind is None and key[0] not in self.gone]
