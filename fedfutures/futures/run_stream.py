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
from ..host.frame_line import UnsentFrames
from ..host.greeting import line
from ..host.handle import Heard, HostEnded
from ..node import events as rules
from ..wire.codec import pack_plain
from ..wire.control import BrokerRestarted, RunNews, WorkerEnded
from ..wire.messages import CANCELLED, VALUE, WITH_OUTPUT
from ..worker.future_fields import failure_of, is_finished

SOCKET = "watch"
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
        self.unsent = UnsentFrames()
        self.dropped = 0  # Futures that it was not told of
        connection.setblocking(False)
        self.unsent.add_bytes(line())

    def send(self, seconds: float, futures: int, report: bytes) -> None:
        """Tell it something about so many Futures; raise OSError if it is gone."""
        if self.unsent.size > UNREAD_AT_MOST_BYTES:
            self.dropped += futures
        else:
            self.unsent.add(RunNews(seconds, self.dropped, report))
        self.unsent.write(self.connection.fileno())


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
        self._waiting = self._dropped = 0  # Futures that were put aside, and that were not
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
        if self._waiting >= FUTURES_AT_ONCE:
            self._dropped += len(action.ids)
            return
        self._waiting += len(action.ids)
        now = time.monotonic() - self._began
        self._aside.append((now, function[:NAME_CHARACTERS], list(action.ids), list(action.odd), action.facts))
        for number, kind in action.odd:
            if kind not in (VALUE, WITH_OUTPUT, CANCELLED) and (future := self._origin.futures.get(number)) is not None:
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
                    watchers.append(Watcher(door.accept()[0]))
                self._over.wait(EVERY_SECONDS)
            self._tell(watchers)
            now = time.monotonic()
            heard = now if watchers else heard
            with self._lock:
                if now - heard > LONELY_SECONDS:
                    self._watched = False
                    break
        self._tell(watchers)
        for watcher in watchers:
            watcher.connection.close()
        with contextlib.suppress(OSError):
            os.unlink(door.getsockname())
        door.close()
        self._forget()

    def _tell(self, watchers: list[Watcher]) -> None:
        for watcher in watchers[WATCHERS_AT_MOST:]:
            watcher.connection.close()
        del watchers[WATCHERS_AT_MOST:]
        futures, report = self._report()
        seconds = time.monotonic() - self._began
        for watcher in list(watchers):
            watcher.dropped += self._dropped
            try:
                watcher.send(seconds, futures, report)
            except OSError:  # it has gone
                watcher.connection.close()
                watchers.remove(watcher)
        self._dropped = 0

    def _report(self) -> tuple[int, bytes]:
        """Return what was put aside, and how many Futures that is about."""
        messages = [self._aside.popleft() for _ in range(len(self._aside))]
        futures = sum(len(ids) for _, _, ids, _, _ in messages)
        self._waiting -= futures
        failed = [self._failed.popleft() for _ in range(len(self._failed))]
        self._failed.extend(one for one in failed if not one[2].done())  # they are about to be
        origin = self._origin
        return futures, pack_plain({
            "messages": messages,
            "events": [self._events.popleft() for _ in range(len(self._events))],
            "failures": [(number, function, text_of(future)) for number, function, future in failed if future.done()],
            "waits": len(origin.own), "given": len(origin.futures), "wanted": max(0, origin.machine.wanted()),
        })  # fmt: skip

    def _forget(self) -> None:
        for kept in (self._aside, self._events, self._failed):
            kept.clear()
        self._waiting = self._dropped = 0

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
    except OSError:
        door.close()
        raise
    return door
