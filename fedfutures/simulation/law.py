"""What a law is: a small class that hears what happens, and stops the run when what it requires does not hold."""

from __future__ import annotations

from ..federation.channel import Channel
from ..wire.facts import Fact
from ..wire.messages import Batch, Message
from .records import FutureRecord, Key, Records, broken
from .system import System


class Law:
    """One law; it overrides what it wants to hear of, and says what it requires."""

    code = ""
    says_of: tuple[type, ...] = ()
    hears_of: tuple[type, ...] = ()

    def __init__(self, system: System, records: Records) -> None:
        self.system, self.records = system, records

    def require(self, holds: bool, detail: str) -> None:
        """Raise LawBroken unless it holds."""
        if not holds:
            raise broken(self.system.world, f"{self.code} {type(self).__name__}", detail)

    def started(self, worker: str, key: Key, attempt: int) -> None:
        """A Worker begins to run a Future."""

    def resolves(self, key: Key, record: FutureRecord, kind: int, outcome: bytes) -> None:
        """An outcome has come; the record is as it was before."""

    def knows(self, key: Key, record: FutureRecord, kind: int, fact: Fact | None) -> None:
        """A submitter hears who has run a Future, or None, before it hears of its outcome."""

    def cancels(self, key: Key) -> None:
        """A program cancels a Future, even if it runs."""

    def ends_worker(self, worker: str, key: Key) -> None:
        """A Worker is about to be ended, for this Future was cancelled."""

    def gives(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        """A node gives Futures to another, under this number."""

    def asks(self, sender: str, peer: str, count: int, acknowledged: int) -> None:
        """A node says for how many Futures it has room; it has taken in what has a number up to `acknowledged`."""

    def says(self, sender: str, peer: str, message: Message, channel: Channel | None) -> None:
        """A node says a message of the kinds `says_of` for the first time, in the session of this Channel."""

    def comes(self, node: str, peer: str, message: Message) -> None:
        """A message of the kinds `hears_of` has come to a node, which takes it in next."""

    def takes_in(self, node: str, peer: str, message: Message, *, is_new: bool) -> None:
        """It has done so; `is_new`: the message had the next number of the session, so the node has acted on it."""

    def sampled(self, healed: bool) -> None:
        """Some time has passed."""

    def ends(self) -> None:
        """All is over: everything resolved, everything quiet."""


class LawOfTheEnd(Law):
    """What has come to an end some time after all has resolved."""

    def leftovers(self) -> str:
        """Say what has not, and where; "" if all has."""
        raise NotImplementedError

    def ends(self) -> None:
        found = self.leftovers()
        self.require(not found, found)
