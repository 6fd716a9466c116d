"""Tells who watches a run what happens in it, as it happens: a page, for instance.

What runs where comes to the program's process anyway, with the outcomes. It is passed on over a socket of its own,
``watch`` in the private directory, which is there for as long as somebody wants to hear: who watches asks for it by
``WatchRun`` at the socket ``ask``. A thread sends what was put aside, four times a second. A run that nobody watches
has neither the thread nor the socket. Who reads too slowly misses something, and is told how much.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from typing import Any

from ..errors import RemoteTraceback
from ..host.greeting import line
from ..host.handle import Heard, HostEnded
from ..host.inherited import close_in_children
from ..node import events as rules
from ..seeing.watching import SOCKET
from ..wire.codec import pack_plain
from ..wire.control import BrokerRestarted, RunNews, WorkerEnded
from ..wire.framing import pack
from ..wire.messages import NO_FAILURES
from ..worker.future_fields import failure_of, is_finished

EVERY_SECONDS = 0.25
LONELY_SECONDS = 5.0
"""So long it waits for somebody who watches before it closes."""
WATCHERS_AT_MOST = 8
FUTURES_AT_ONCE = 100_000
FAILURES_AT_ONCE = 50
UNREAD_AT_MOST_BYTES = 16 << 20
NAME_CHARACTERS = 200
TRACEBACK_CHARACTERS = 4_000


class Watcher:
    """A connection of somebody who watches."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.dropped = 0  # Futures that it was not told of
        self._unsent = bytearray(line())
        connection.setblocking(False)

    def is_gone(self) -> bool:
        """Whether it has hung up; it never says anything."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send(self, seconds: float, futures: int, report: bytes) -> None:
        """Tell it something about so many Futures; raise OSError if it is gone."""
        if len(self._unsent) > UNREAD_AT_MOST_BYTES:
            self.dropped += futures
        else:
            self._unsent += pack(RunNews(seconds, self.dropped, report))
        with contextlib.suppress(BlockingIOError):
            while self._unsent:  # no SIGPIPE: the program may have no handler for that
                del self._unsent[: self.connection.send(self._unsent, socket.MSG_NOSIGNAL)]


class RunStream:
    """Of one `federation`, whose run began then, by the monotonic clock."""

    def __init__(self, federation: Any, began: float) -> None:
        self._origin, self._directory, self._began = federation.origin, federation.run_directory, began
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._watched = False
        self._aside: deque[tuple[Any, ...]] = deque()
        self._events: deque[tuple[float, str, str, str]] = deque(maxlen=1000)
        self._failed: deque[Any] = deque(maxlen=FAILURES_AT_ONCE)
        self._put_aside = self._taken = self._dropped = 0  # Futures; each is written by one thread
        self._dropped_told = 0
        self._sockets: list[socket.socket] = []
        close_in_children(self)
        federation.counting.watch(self._on_outcomes)
        federation.listeners.append(self._on_heard)
        federation.at_close(self._end)

    def open(self) -> None:
        """Open the socket, unless it is open. Does nothing where the private directory is that of another machine."""
        with self._lock:
            if (self._thread is not None and self._thread.is_alive()) or self._over.is_set():
                return
            with contextlib.suppress(OSError):
                door = _opened(self._directory)
                self._watched = True
                self._thread = threading.Thread(target=self._serve, args=(door,), name="fedfutures-watch", daemon=True)
                self._thread.start()

    # -- for those who take something in -----------------------------------------------------------------------------

    def _on_outcomes(self, action: rules.Resolve, function: str) -> None:
        """Futures of one function have outcomes. The lock of the node is held."""
        if not self._watched:
            return
        futures = len(action.ids)
        if self._put_aside - self._taken >= FUTURES_AT_ONCE:
            self._dropped += futures
            return
        self._put_aside += futures
        now = time.monotonic() - self._began
        self._aside.append((now, function[:NAME_CHARACTERS], list(action.ids), list(action.odd), action.facts))
        for number, kind in action.odd:
            if kind not in NO_FAILURES and (future := self._origin.futures.get(number)) is not None:
                self._failed.append((number, function[:NAME_CHARACTERS], future))

    def _on_heard(self, frame: Heard) -> None:
        if not self._watched:
            return
        now = time.monotonic() - self._began
        if isinstance(frame, WorkerEnded):
            self._events.append((now, f"Worker ended: {frame.status}", frame.worker, frame.host))
        elif isinstance(frame, BrokerRestarted):
            self._events.append((now, f"Broker {frame.broker} ended: {frame.status}; it was started again", "", ""))
        elif isinstance(frame, HostEnded):
            self._events.append((now, f"a host process ended: {frame.status}", "", ""))

    # -- the thread that sends ---------------------------------------------------------------------------------------

    def _serve(self, door: socket.socket) -> None:
        watchers: list[Watcher] = []
        heard = time.monotonic()  # when somebody was last there
        poller = select.poll()
        poller.register(door.fileno(), select.POLLIN)
        while not self._over.is_set():
            if poller.poll(EVERY_SECONDS * 1000):
                with contextlib.suppress(OSError):
                    while True:
                        watchers.append(Watcher(door.accept()[0]))
                self._over.wait(EVERY_SECONDS)
            self._tell(watchers)
            self._sockets = [door, *(watcher.connection for watcher in watchers)]
            now = time.monotonic()
            heard = now if watchers else heard
            with self._lock:
                if now - heard > LONELY_SECONDS:
                    self._watched = False
                    break
        self._tell(watchers)
        with contextlib.suppress(OSError):
            os.unlink(door.getsockname())
        self._sockets = []
        for one in (door, *(watcher.connection for watcher in watchers)):
            one.close()
        self._forget()

    def _tell(self, watchers: list[Watcher]) -> None:
        there = [watcher for watcher in watchers if not watcher.is_gone()][:WATCHERS_AT_MOST]
        for watcher in watchers:
            if watcher not in there:
                watcher.connection.close()
        watchers[:] = there
        if not watchers:  # what is put aside is for who comes next
            return
        futures, report = self._report()
        seconds, dropped = time.monotonic() - self._began, self._dropped
        for watcher in there:
            watcher.dropped += dropped - self._dropped_told
            try:
                watcher.send(seconds, futures, report)
            except OSError:  # it has gone
                watcher.connection.close()
                watchers.remove(watcher)
        self._dropped_told = dropped

    def _report(self) -> tuple[int, bytes]:
        """Return what was put aside, and how many Futures that is about."""
        messages = [self._aside.popleft() for _ in range(len(self._aside))]
        futures = sum(len(ids) for _, _, ids, _, _ in messages)
        self._taken += futures
        failed = [self._failed.popleft() for _ in range(len(self._failed))]
        self._failed.extend(one for one in failed if not one[2].done())  # they are about to be
        return futures, pack_plain({
            "messages": messages,
            "events": [self._events.popleft() for _ in range(len(self._events))],
            "failures": [(number, function, text_of(future)) for number, function, future in failed if future.done()],
            "wanted": max(0, self._origin.machine.wanted()),
        })  # fmt: skip

    def _forget(self) -> None:
        for kept in (self._aside, self._events, self._failed):
            kept.clear()
        self._taken, self._dropped_told = self._put_aside, self._dropped

    def let_go(self) -> None:
        """Close the sockets in a process that the program has forked, so that who watches sees the program's end."""
        for one in self._sockets:
            one.close()

    def _end(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(2 * EVERY_SECONDS)


def text_of(future: Any) -> str:
    """Return what is known of a failure, for people, without running code of the program; its end if it is long."""
    error = failure_of(future) if is_finished(future) else None
    if error is None:
        return ""
    cause = error.__cause__
    notes = [note for note in vars(error).get("__notes__", ()) if isinstance(note, str)]
    text = str(cause) if type(cause) is RemoteTraceback else f"{type(error).__module__}.{type(error).__qualname__}"
    return "\n".join([text.strip("\n")[-TRACEBACK_CHARACTERS:], *(note[:NAME_CHARACTERS] for note in notes[:10])])


def _opened(directory: str) -> socket.socket:
    """Return the socket, which is in its place only when somebody may come."""
    path = os.path.join(directory, SOCKET)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):  # of one that was not closed
            os.unlink(path)
        door.bind(path)
        door.listen(WATCHERS_AT_MOST)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door
