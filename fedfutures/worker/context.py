"""What a Future that runs on a Worker hands on to those that it submits, and where a call waits that came back."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..wire import functions
from ..wire.payload import Payloads


class Context(NamedTuple):
    """On behalf of what a Worker runs something: the fetched Future at the bottom, and what nested ones inherit.

    Made once for a fetched Future that submits; shared by all of the same priority that stem from it on this Worker.
    """

    piece: int
    number: int
    root: str
    priority: int
    snapshot: bytes = b""  # what they see of the program: as the root, which the Origin submitted
    flags: int = 0  # of all that is submitted, beside its own: of a Future that is apart
    once: bool = False  # whether the fetched Future starts once at most: nothing of others runs here while it waits


NOWHERE = Context(0, 0, "", 0)
"""Outside of any Future."""


class Ending:
    """Among what a Future has named: something that has to come to its end before the result of the Future is sent."""

    def end(self) -> None:
        """Come to an end, in the thread and the greenlet of the Future; raise nothing."""
        raise NotImplementedError


class Packed:
    """The call of an own Future that was given and came back: packed already, loaded only if it runs here after all."""

    __slots__ = ("_payloads", "definition", "payload")

    def __init__(self, payloads: Payloads, definition: functions.Definition, payload: bytes) -> None:
        self._payloads, self.definition, self.payload = payloads, definition, payload

    def __call__(self) -> Any:
        payloads = self._payloads
        try:
            function = functions.load(self.definition.body, payloads)
            args, kwargs = payloads.load(self.payload)
            return function(*args, **kwargs)
        finally:
            args = kwargs = None
            payloads.release(self.payload)
