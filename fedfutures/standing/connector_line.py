"""The keeper's line to its connector, which keeps the connections to the host servers of other hosts.

The keeper forks, so it has one thread and no ssh library. It starts another connector when one has died, and gives it
the notes of that one, as a program does; the notes are also recorded, for the next keeper.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any

from .. import limits
from ..errors import RemoteProtocolError, StartFailed
from ..host import starting
from ..host.flags import ROOT, main_command
from ..host.frame_line import FrameLine
from ..wire.control import BeginRun, ControlFrame, EndRun, KeepNote, RunPlanned, StartRefused
from .late_hosts import with_late_hosts

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 8.0
FACTS, SLOTS, HOST = "facts", "slots", "host "
"""Names of notes; behind the last one the name of a host follows."""


class ConnectorLine:
    """The connector of a keeper, and the one that follows it.

    request: what it is asked for (:class:`fedfutures_launcher.layout.assemble.Request`). notes: of one that was killed.
    on_note: called when there is another one. show: called with all that is for people.
    """

    def __init__(
        self, request: dict[str, Any], directory: str, notes: dict[str, Any], poller: select.poll,
        on_note: Callable[[], object], show: Callable[[ControlFrame], object],
    ) -> None:  # fmt: skip
        self._request, self._directory, self.notes = request, directory, notes
        self._poller, self._on_note, self._show = poller, on_note, show
        self._line: FrameLine | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self.due: float | None = None  # when to start the next one
        self.refused: StartRefused | None = None
        self._is_planned = False  # which hosts can take part is known
        self._start()

    # -- what it knows -----------------------------------------------------------------------------------------------

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of the hosts that can take part, by name."""
        return dict(self.notes.get(FACTS, {}))

    @property
    def slots(self) -> dict[str, int]:
        """How many Workers may live on each host that is reached, the keeper's own among them."""
        return {name: count for name, count in self.notes.get(SLOTS, {}).items() if not self._is(name, "gone", "away")}

    @property
    def away(self) -> list[str]:
        """The hosts that are not reached now, and may come back."""
        return [name for name in self.notes.get(SLOTS, {}) if self._is(name, "away") and not self._is(name, "gone")]

    @property
    def request(self) -> dict[str, Any]:
        """What a connector is asked for now, hosts that have come since the first one included."""
        return with_late_hosts(self._request, self.notes)

    def _is(self, host: str, *words: str) -> bool:
        noted = self.notes.get(HOST + host, {})
        return any(noted.get(word) for word in words)

    @property
    def is_settled(self) -> bool:
        """Whether all hosts that can take part are ready, or given up."""
        return self._is_planned and all(HOST + name in self.notes for name in self.facts)

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        command = main_command(starting.keeper_connector_module, [sys.executable], [], ROOT)
        to_it, from_it = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        try:
            ends = [(os.POSIX_SPAWN_DUP2, to_it[0], 0), (os.POSIX_SPAWN_DUP2, from_it[1], 1)]
            os.posix_spawn(command[0], command, os.environ, file_actions=ends, setsid=True)  # the host server reaps it
        except OSError as error:
            for descriptor in (to_it[1], from_it[0]):
                os.close(descriptor)
            raise StartFailed(f"the connector cannot be started: {limits.reached(error) or error}") from None
        finally:
            for descriptor in (to_it[0], from_it[1]):
                os.close(descriptor)
        self._line = FrameLine(from_it[0], to_it[1], self._poller)
        self._line.send(BeginRun(self.request | {"directory": self._directory, "notes": self.notes}))

    def send(self, frame: ControlFrame) -> bool:
        """Pass a frame on to the connector; return whether there is one."""
        if self._line is not None:
            self._line.send(frame)
        return self._line is not None

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick`."""
        return self.due

    def tick(self, now: float) -> None:
        """Start the next connector, if it is time to."""
        if self._line is None and self.due is None and self.refused is None:
            self.due, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        if self.due is not None and now >= self.due:
            self.due = None
            with contextlib.suppress(StartFailed):
                self._start()

    def serve(self, descriptor: int, events: int) -> None:
        """Read or write a descriptor that is ready, if it is one of this line."""
        line = self._line
        if line is None or descriptor not in (line.read, line.write):
            return
        if descriptor == line.write:
            line.flush()
            return
        data = line.receive()
        with contextlib.suppress(RemoteProtocolError):
            if data is None:
                return
            if data:
                for frame in line.reader.feed(data):
                    self._on_frame(frame)
                return
        self._hang_up(line)

    def _hang_up(self, line: FrameLine) -> None:
        read, write = line.read, line.write
        line.let_go()
        os.close(read)
        os.close(write)
        self._line = None

    def _on_frame(self, frame: ControlFrame) -> None:
        if isinstance(frame, KeepNote):
            self.notes[frame.name] = frame.value
            self._pause = FIRST_PAUSE_SECONDS
            self._on_note()
        elif isinstance(frame, StartRefused):
            self.refused = frame
        elif isinstance(frame, RunPlanned):
            self._is_planned = True
        else:
            self._show(frame)

    # -- the end -----------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Have all host servers end."""
        if self._line is not None:
            self._line.send(EndRun())

    def wait(self, seconds: float) -> None:
        """Wait until the connector has ended, at most so long."""
        line = self._line
        if line is None:
            return
        poller, deadline = select.poll(), time.monotonic() + seconds
        poller.register(line.read, select.POLLIN)
        while poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            if line.receive() == b"":
                break
        self._hang_up(line)
