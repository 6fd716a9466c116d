"""The launching side's end of a host process: starts it, talks to it, hears what its Workers print, ends it."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..errors import RemoteProtocolError, StartFailed
from ..program import safe_points
from ..supervision.brokers import facts_of
from ..wire.control import ControlFrame, EndRun, HostReady, HostTable, Notice, StartRefused
from ..wire.framing import FrameReader, pack
from .flags import for_another, main_command, shown
from .settings import Settings, frame_of
from .starting import starting
from .system import remove_tree

START_SECONDS = 30.0
END_SECONDS = 5.0
LOOK_SECONDS = 0.05
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_handles: weakref.WeakSet[HostHandle] = weakref.WeakSet()


def command_here(settings: Settings, python: Sequence[str] | None = None) -> list[str]:
    """Return the command of the host process of this machine; `python` is its interpreter, if it is another one."""
    if python is None or list(python) == [sys.executable]:
        return main_command(starting.host_module, [sys.executable], settings.flags, _ROOT)
    return main_command(starting.host_module, python, for_another(settings.flags))


class HostGone:
    """Stands behind the last frame that a host process has sent."""


class HostHandle:
    """One host process, started here by ``subprocess``.

    Or what stands for several: the first frame it is sent is `first`, and `command` is run instead.
    """

    what = "the host process"
    start_seconds = START_SECONDS
    end_seconds = END_SECONDS

    def __init__(
        self,
        settings: Settings,
        first: ControlFrame | None = None,
        *,
        python: Sequence[str] | None = None,
        command: Sequence[str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.settings = settings
        self.facts: dict[str, Any] = {}
        self.command = list(command or command_here(settings, python))
        self._reader = FrameReader()
        self._early: list[ControlFrame] = []
        self._thread: threading.Thread | None = None
        self._saying = threading.Lock()
        self._process = self._start(self.command, pass_fds)
        _handles.add(self)
        self.tell(first or frame_of(settings))  # if it has ended already, wait_ready says so

    def _start(self, command: Sequence[str], pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0,
                pass_fds=pass_fds,
            )  # fmt: skip
        except OSError as error:
            raise StartFailed(f"cannot start {shown(command)}: {error}") from error

    def tell(self, frame: ControlFrame) -> None:
        """Send the host process a frame, from any thread; nothing if it is gone."""
        assert self._process.stdin is not None
        data = memoryview(pack(frame))
        with self._saying, contextlib.suppress(OSError, ValueError):  # gone; closed
            while data:
                data = data[self._process.stdin.write(data) :]

    def wait_ready(self) -> dict[str, Any]:
        """Wait for the host's hello and return its facts; raise :class:`StartFailed`."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + self.start_seconds
        descriptor = self._process.stdout.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while not self.facts:
            left = deadline - time.monotonic()
            readable = left > 0 and safe_points.poll(poller, min(left, LOOK_SECONDS) * 1000)
            if self.facts:  # the handler of a signal has waited, too
                break
            if left > 0 and not readable:
                continue
            data = os.read(descriptor, 1 << 16) if readable else b""
            if not data:
                self._fail("it ended" if readable else f"no answer within {self.start_seconds:.0f} s")
            try:
                frames = self._reader.feed(data)
            except RemoteProtocolError as error:
                self._fail(f"what it says makes no sense ({error})")
            for frame in frames:
                self._on_start(frame)
        return self.facts

    def _fail(self, why: str) -> NoReturn:
        self.end()
        raise StartFailed(
            f"{self.what} on {self.settings.host} did not start: {why}. Its messages are above; "
            f"try: {shown(self.command)} </dev/null"
        )

    def _on_start(self, frame: ControlFrame) -> None:
        if isinstance(frame, HostReady) and not self.facts:
            self.facts = facts_of(frame)
        elif isinstance(frame, HostTable):
            if frame.problems or self.settings.verbosity >= 0:
                print(frame.text, file=sys.stderr)
        elif isinstance(frame, Notice):
            print(f"fedfutures: {frame.text}", file=sys.stderr)
        elif isinstance(frame, StartRefused):
            self.end()
            raise StartFailed(frame.reason, frame.exit_code, frame.hosts)
        else:
            self._early.append(frame)

    @property
    def hosts(self) -> list[str]:
        """The names of the hosts that have Workers."""
        return [self.settings.host]

    def listen(self, heard: Callable[[ControlFrame | HostGone], None]) -> None:
        """Call ``heard(frame)`` in a thread for each frame from now on, and with a HostGone when the host is gone."""
        self._thread = threading.Thread(target=self._listen, args=(heard,), name="fedfutures-output", daemon=True)
        self._thread.start()

    def _listen(self, heard: Callable[[ControlFrame | HostGone], None]) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        for frame in self._early:
            heard(frame)
        with contextlib.suppress(OSError, RemoteProtocolError):
            while data := os.read(descriptor, 1 << 18):
                for frame in self._reader.feed(data):
                    heard(frame)
        heard(HostGone())

    def hang_up(self) -> None:
        """Tell the host to end everything, without waiting."""
        assert self._process.stdin is not None
        self._end_in_words()
        with self._saying, contextlib.suppress(OSError):
            self._process.stdin.close()

    def _end_in_words(self) -> None:
        """A process that the program forked in C may hold the pipe open; no word to a host that does not read."""
        assert self._process.stdin is not None
        with self._saying, contextlib.suppress(OSError, ValueError):
            poller = select.poll()
            poller.register(self._process.stdin.fileno(), select.POLLOUT)
            if poller.poll(0):
                self._process.stdin.write(pack(EndRun()))

    def end(self) -> None:
        """End the host and everything below it, and wait until that has happened."""
        self.hang_up()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self.end_seconds)  # its end is the host's; waiting for the process itself means polling
        try:
            self._process.wait(self.end_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None and (self._thread is None or not self._thread.is_alive()):
            self._process.stdout.close()
        for key in ("run", "shared", "disk"):  # of a host process that was killed
            if key in self.facts:
                remove_tree(self.facts[key])


def _let_go() -> None:
    """In a process that the program has forked: its copies of the pipes must not keep a run alive."""
    for handle in list(_handles):
        if handle._process.stdin is not None:
            with contextlib.suppress(OSError):
                handle._process.stdin.close()


os.register_at_fork(after_in_child=_let_go)
