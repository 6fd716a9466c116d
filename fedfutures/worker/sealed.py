"""The seals of the tasks that a node has given, by which it knows the outcomes that belong to them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import SealBroken
from ..node.events import Resolve
from ..wire.facts import kept
from ..wire.messages import OF_WORKERS, VALUE
from ..wire.seal import OutcomeSeal, proof_of

NOT_OF_THIS_CALL = (
    "its seal is wrong, so no Worker of this run has made it for this call; a Broker on the way has altered the task "
    "or its outcome"
)


class SealedFutures:
    """The seal of each task that was given and has no outcome; none in a run without a key."""

    __slots__ = ("_seals",)

    def __init__(self) -> None:
        self._seals: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._seals)

    def give(self, number: int, sealed: bytes) -> bytes:
        """A task is given: remember the seal behind its payload; return the payload as it is."""
        self._seals[number] = proof_of(sealed)
        return sealed

    def forget(self, ids: Iterable[int]) -> None:
        """These Futures are not given any more."""
        if self._seals:
            for number in ids:
                self._seals.pop(number, None)

    def clear(self) -> None:
        """Nothing will come any more."""
        self._seals.clear()

    def opened(self, stamp: OutcomeSeal, action: Resolve) -> tuple[Resolve, list[tuple[int, bytes]]]:
        """Outcomes have come: return those that are right, without seals, and the Futures and outcomes that are not.

        An outcome that is neither a value nor an exception is the word of a Broker, and has no seal. One for a Future
        that is not given any more is left out.
        """
        odd = dict(action.odd)
        flags: list[bool] = []
        ids: list[int] = []
        outcomes: list[bytes] = []
        broken: list[tuple[int, bytes]] = []
        for number, outcome in zip(action.ids, action.outcomes):
            task, kind = self._seals.pop(number, None), odd.get(number, VALUE)
            opened = None
            if task is not None:
                opened = stamp.open(task, kind, outcome) if kind in OF_WORKERS else outcome
            flags.append(opened is not None)
            if task is None:
                continue
            if opened is None:
                broken.append((number, outcome))
            else:
                ids.append(number)
                outcomes.append(opened)
        facts = action.facts if all(flags) else kept(action.facts, flags)
        return Resolve(ids, outcomes, action.odd, facts), broken


def broken_seal(call: Any, number: int, why: str = NOT_OF_THIS_CALL) -> SealBroken:
    """Return what a Future raises whose outcome has a wrong seal; `call`: what its node has sent, or None."""
    name = "a function" if call is None else call[0].name
    return SealBroken(
        f"the outcome of {name}(), Future {number}, was not opened: {why}. Somebody else may control the host of that "
        f"Broker. Leave out the hosts that you are not sure of, and run the program again."
    )


def named(error: BaseException, call: Any, number: int) -> BaseException:
    """Return what a Future raises whose outcome cannot be opened: of a broken seal with its name, else the error."""
    return broken_seal(call, number, str(error)) if isinstance(error, SealBroken) else error
