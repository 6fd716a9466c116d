"""The sockets of lanes: what a node's machine says about lanes is done here, and what comes over them goes there.

A lane is a ``SOCK_SEQPACKET`` socket of the Unix domain: it keeps messages apart and in order, loses none while both
ends live, and says at once when the other end is gone (unix(7)). A submitter listens in the private directory of its
Broker's sockets; a Worker that is lent connects. Whoever waits for a lane may look for a moment before it sleeps
(:mod:`.spinning`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import weakref
import zlib
from time import monotonic

from ..errors import MalformedMessage, RemoteProtocolError
from ..node import events as rules
from ..wire import codec
from ..wire.manifest import HAS_SEGMENTS
from ..wire.messages import Lend, Results
from ..wire.segments import Segments
from .driver import Driver, logger
from .spinning import Spinning

BYTES_AT_MOST = 1 << 20
"""What is received at a time: bodies of a quarter of a megabyte and more travel in segments."""
WAITING_LANES = 4
DRAIN_EVERY_SECONDS = 0.005
"""Lone calls that go over a lane look so often at what else has come."""


def lane_path(main: str, submitter: str) -> str:
    """Return where a submitter listens whose Broker has this Main address; "" where there are no lanes.

    >>> lane_path("ipc:///run/d/main", "origin-7-ab@tower")
    '/run/d/lane-92968244'
    >>> lane_path("tcp://10.0.0.1:7", "origin-7-ab@tower")
    ''
    """
    if not main.startswith("ipc://"):
        return ""
    return os.path.join(os.path.dirname(main[len("ipc://") :]), f"lane-{zlib.crc32(submitter.encode()):08x}")


class LaneSockets:
    """The lanes of one node: a submitter has one, or more while old ones end; so has a Worker."""

    __slots__ = (
        "__weakref__", "_drain_at", "_driver", "_lanes", "_listener", "_main", "_path", "_segments", "_sockets",
        "spinning",
    )  # fmt: skip

    def __init__(self, driver: Driver, main: str, segments: Segments | None) -> None:
        self._driver, self._segments = driver, segments
        self._main = "" if os.environ.get("FEDFUTURES_LANES") == "0" else main
        self._sockets: dict[int, socket.socket] = {}  # by lease
        self._listener: socket.socket | None = None
        self._path = ""
        self._lanes = driver.machine.lanes
        self._drain_at = 0.0  # when :meth:`awaited` has all else looked at
        self.spinning = Spinning()
        for action, handler in (
            (rules.OpenLane, self._open), (rules.LaneSend, self.send), (rules.CloseLane, self._close),
        ):  # fmt: skip
            driver.handle(action, handler)
        _of_this_process.add(self)

    def decline(self) -> None:
        """From now on open no lane."""
        self._main = ""

    # -- opening and closing; the lock of the node is held -----------------------------------------------------------

    def listen(self) -> None:
        """Let Workers connect that are lent to this node. Without a directory, or such sockets, none does."""
        path = lane_path(self._main, self._driver.name)
        if path and (listener := _made(path, listens=True)) is not None:
            self._listener, self._path = listener, path
            self._driver.watch(listener.fileno(), self._accept)

    def _accept(self) -> None:
        """A Worker has connected: what it says first names the lease."""
        with self._driver.lock:
            if self._listener is None:
                return
            with contextlib.suppress(BlockingIOError):
                lane, _ = self._listener.accept()
                self._greet(lane)

    def _greet(self, lane: socket.socket) -> None:
        lane.settimeout(1.0)  # a Worker says it as soon as it has connected
        try:
            message = codec.decode(lane.recv(BYTES_AT_MOST))[2]
        except (OSError, MalformedMessage):
            lane.close()
            return
        if not isinstance(message, Lend):
            lane.close()
            return
        self._add(message.number, lane)
        self._driver.step(rules.LaneOpened(message.number, message.peer))

    def _open(self, action: rules.OpenLane) -> None:
        """Connect to a submitter. Where that fails, it is as if the lane was closed at once."""
        path = lane_path(self._main, action.submitter)
        lane = _made(path, listens=False) if path else None
        if lane is None:
            self._driver.step(rules.LaneClosed(action.number))
        else:
            self._add(action.number, lane)

    def _add(self, number: int, lane: socket.socket) -> None:
        lane.setblocking(False)
        lane.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BYTES_AT_MOST)
        self._sockets[number] = lane
        self._driver.watch(lane.fileno(), functools.partial(self.read, number))
        self._driver.wake_other()

    def _close(self, action: rules.CloseLane) -> None:
        """Take in what has come, and close the lane."""
        self.read(action.number)
        self._lose(action.number)

    def _lose(self, number: int) -> None:
        lane = self._sockets.pop(number, None)
        if lane is not None:
            self._driver.unwatch(lane.fileno())
            lane.close()
            self._driver.step(rules.LaneClosed(number))

    def close_copies(self) -> None:
        """Close all of them; those of another process stay as they are."""
        for lane in (*self._sockets.values(), *([] if self._listener is None else [self._listener])):
            with contextlib.suppress(OSError):
                lane.close()
        self._sockets.clear()
        self._listener = None

    def close(self) -> None:
        """Close all of them; the node is closed."""
        self.close_copies()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    # -- what goes over them -----------------------------------------------------------------------------------------

    def send(self, action: rules.LaneSend) -> None:
        """Send a message over a lane; one that has ended takes nothing, and says so to who reads it."""
        lane = self._sockets.get(action.number)
        if lane is None:
            return
        if type(action.message) is Results and self._segments is not None:
            for outcome in action.message.outcomes:
                if outcome[:1] in HAS_SEGMENTS:
                    self._segments.hand_over(outcome)
        try:
            lane.send(codec.encode(action.message))
        except (BrokenPipeError, ConnectionResetError):
            pass  # whoever reads it will find its end
        except OSError:  # no room, or too large for this system: then the Broker's way is taken again
            self._lose(action.number)

    def read(self, number: int) -> None:
        """Take in what has come over a lane."""
        with self._driver.lock:
            while (lane := self._sockets.get(number)) is not None:
                try:
                    frame = lane.recv(BYTES_AT_MOST, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    return
                except OSError:
                    frame = b""
                self._take_in(number, frame)

    def _take_in(self, number: int, frame: bytes) -> None:
        if not frame:
            self._lose(number)
            return
        try:
            self._driver.step(rules.LaneArrived(number, codec.decode(frame)[2]))
        except (MalformedMessage, RemoteProtocolError) as error:
            logger.warning("%s: dropped a message of a lane: %s", self._driver.name, error)

    def awaited(self) -> int:
        """Return the lane that a lone call of this node is on; 0: on none, or it is time to look at what else came."""
        lane = self._lanes.usable
        if lane is None or not lane.future:
            return 0
        now = monotonic()
        if now < self._drain_at:
            return lane.number
        self._drain_at = now + DRAIN_EVERY_SECONDS
        return 0

    def look(self, number: int) -> bool:
        """Look at a lane until something comes, for a moment at most; return whether something has come."""
        lane = self._sockets.get(number)
        if lane is None:
            return False
        recv, began = lane.recv, monotonic()
        until, now = began + self.spinning.seconds(began), began
        while now < until:
            try:
                frame = recv(BYTES_AT_MOST, socket.MSG_DONTWAIT)
            except BlockingIOError:
                now = monotonic()
                continue
            except OSError:
                frame = b""
            self.spinning.came(monotonic() - began)
            with self._driver.lock:
                self._take_in(number, frame)
                self._driver.flush()
            return True
        return False

    def slept(self, seconds: float) -> None:
        """Something has come over a lane that was not looked at until then."""
        self.spinning.came(seconds)


def _made(path: str, *, listens: bool) -> socket.socket | None:
    """Return a socket that listens at a path, or is connected to it; None where that cannot be done at once.

    Not all systems have sockets of the Unix domain that keep messages apart.
    """
    try:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return None
    try:
        made.setblocking(False)
        if listens:
            made.bind(path)
            made.listen(WAITING_LANES)
        else:
            made.connect(path)
    except OSError:
        made.close()
        return None
    return made


_of_this_process: weakref.WeakSet[LaneSockets] = weakref.WeakSet()


def _close_in_fork() -> None:
    """A fork holds no end of a lane: else the other end would not hear when this process has ended."""
    for lanes in list(_of_this_process):
        lanes.close_copies()


os.register_at_fork(after_in_child=_close_in_fork)
