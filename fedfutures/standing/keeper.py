"""The keeper of a standing Federation: records it, serves its machine as a host server, and ends it.

It is a process of its own, in a session of its own, so it outlives the shell that has started it, and the programs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from .. import limits
from ..errors import RemoteProtocolError, StartFailed
from ..host.directories import Hold, private_directory
from ..host.frame_line import read_first
from ..host.here import host_here
from ..host.system import make_private_directory, name_process, remove_tree
from ..wire.control import (
    BeginServer,
    ControlFrame,
    EndServer,
    ServerStatus,
    StartRefused,
    StatusWanted,
)
from ..wire.framing import FrameReader, pack
from .host_server import HostServer
from .places import StandingPlace
from .recipe import Recipe, recipe_from
from .status import Status
from .visitors import DoorVisitor

LOOK_SECONDS = 1.0


class FederationKeeper:
    """The keeper that holds the lock of `place`."""

    def __init__(self, place: StandingPlace, recipe: Recipe, begin: Callable[[], object]) -> None:
        self._place, self._recipe = place, recipe
        self._hold = Hold(())
        directory = recipe.directory
        self._directory = self._hold.add(lambda: made(directory))
        self._host = host_here()
        self._server = HostServer(self._directory, recipe.slots, begin, self._on_frame)
        self._since, self._used_at = time.time(), time.monotonic()
        self._why = ""  # it is to end
        here = {"directory": self._directory, "door": self._server.door, "pid": os.getpid(), "since": self._since}
        place.write(asdict(recipe) | here)

    def status(self) -> Status:
        """Return what there is."""
        runs = [{"run": name, **run} for name, run in self._server.runs.items()]
        return Status(
            self._place.name, os.getpid(), self._host, self._since, self._server.door,
            {self._host: self._recipe.slots}, runs, self._recipe.idle,
        )  # fmt: skip

    def run(self) -> None:
        """Serve until the Federation is taken down, or was idle for too long."""
        while not self._why:
            self._server.wait(time.monotonic() + LOOK_SECONDS if self._recipe.idle else None)
            self._look()
        self._place.forget()  # before its runs end: nobody is to start it again
        self._server.end(self._why)
        remove_tree(self._directory)
        self._hold.let_go()

    def _look(self) -> None:
        now = time.monotonic()
        if self._server.is_used:
            self._used_at = now
        elif self._recipe.idle and now >= self._used_at + self._recipe.idle:
            self._why = f"no program has joined for {self._recipe.idle:g} s"
            print(f"fedfutures: {self._place.name} ends: {self._why}", file=sys.stderr, flush=True)

    def _on_frame(self, visitor: DoorVisitor, frame: ControlFrame) -> None:
        if isinstance(frame, StatusWanted):
            visitor.send(ServerStatus(asdict(self.status())))
        elif isinstance(frame, EndServer):
            self._why = frame.reason
        else:
            raise RemoteProtocolError(f"{type(frame).__name__} is not for a keeper")


def made(directory: str) -> str:
    """Return a private directory: the one that is given, made again if it is gone, or else a new one."""
    if not directory:
        return make_private_directory(lasting=True)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    try:
        return private_directory(directory)
    except PermissionError as error:
        raise StartFailed(f"{error}, so nothing is started", 2) from None


def main(begin: Callable[[], object]) -> None:
    """Run a keeper whose orders come from standard input, and say on standard output when it is ready."""
    name_process("fedfut-keeper")
    try:
        place, recipe = read_orders()
        keeper = FederationKeeper(place, recipe, begin)
        answer: ControlFrame = ServerStatus(asdict(keeper.status()))
    except (StartFailed, OSError) as error:
        text, code = (error.summary, error.exit_code) if isinstance(error, StartFailed) else (str(error), 1)
        os.write(1, pack(StartRefused(limits.reached(error) or text, code, {})))
        raise SystemExit(code) from None
    os.write(1, pack(answer))
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    os.close(null)
    keeper.run()


def read_orders() -> tuple[StandingPlace, Recipe]:
    """Return what the keeper is to keep, from standard input; it is its own from now on."""
    frames = read_first(FrameReader())
    if not frames:
        raise SystemExit(0)
    order = frames[0]
    if not isinstance(order, BeginServer):
        raise SystemExit(f"fedfutures: a keeper is not begun by {type(order).__name__}")
    place, recipe = StandingPlace(os.path.basename(order.place)), recipe_from(order.options)
    place.make()
    if not place.take():
        raise StartFailed(f"the standing Federation {place.name} has a keeper already", 2)
    return place, recipe
