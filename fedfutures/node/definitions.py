"""The functions of the pieces that a Worker holds: those that are here, and those to be asked for. Pure."""

from __future__ import annotations

from ..wire.messages import Batch, Function, Want
from . import events as rules
from .workload import Workload


class Definitions:
    """What has come of functions, for the pieces of a Workload."""

    __slots__ = ("_bodies", "_workload")

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._bodies: dict[bytes, Function] = {}

    def __len__(self) -> int:
        return len(self._bodies)

    def come(self, function: Function) -> list[rules.Action]:
        """A definition has come: the pieces that wait for it may run."""
        self._bodies[function.digest] = function
        pieces = self._workload.waiting_for(function.digest)
        for piece in pieces:
            piece.name = function.name
        return [rules.Run(piece.number, function.body) for piece in pieces]

    def hold(self, batch: Batch) -> rules.Run | Want:
        """Take in a piece; it may run, or its function is to be asked for."""
        piece = self._workload.hold(batch)
        function = self._bodies.get(batch.function)
        if function is None:
            self._workload.lack(piece)
            return Want(batch.function)
        piece.name = function.name
        return rules.Run(batch.piece, function.body)

    def forget(self, digest: bytes) -> None:
        """The shell has dropped a function from its cache; it is asked for when it is needed again."""
        self._bodies.pop(digest, None)
