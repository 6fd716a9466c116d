"""A process that the Origin starts and speaks with in frames over two pipes, and that it may start again."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .. import failpoints, limits
from ..errors import RemoteProtocolError, StartFailed
from ..program import safe_points
from ..wire.control import ControlFrame, EndRun
from ..wire.framing import FrameReader, pack
from .flags import shown
from .lives import Lives
from .system import write_all

LOOK_SECONDS = 0.05
READ_BYTES = failpoints.size("program.read", 1 << 18)
BAD_INPUT = 2
"""The exit code of a start that fails the next time, too."""


class KeptProcess:
    """One process after the other, at the same place; `is_kept`: whether it is started again.

    `what` names it in texts; `ready_seconds`: so much time has each one until :meth:`note_ready`. `start`
    starts one, if `command` is not to be run here.
    """

    def __init__(
        self, what: str, command: Sequence[str], ready_seconds: float, *, pass_fds: Sequence[int] = (), is_kept: bool,
        start: Callable[..., subprocess.Popen[bytes]] | None = None,
    ) -> None:  # fmt: skip
        self.what, self.command = what, list(command)
        self._start = start or self._start_here
        self._ready_seconds = ready_seconds
        self._reader = FrameReader()
        self._saying = threading.Lock()
        self._ending = threading.Event()
        self._lives = Lives(pass_fds) if is_kept else None
        self._process = self._start(pass_fds=pass_fds)

    def _start_here(self, **options: Any) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0,
                **options,
            )  # fmt: skip
        except (OSError, RuntimeError) as error:  # RuntimeError: the interpreter is ending
            raise StartFailed(f"cannot start {shown(self.command)}: {limits.reached(error) or error}") from error

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end."""
        return self._ending.is_set()

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return 0 if self._lives is None else self._lives.rules.lives

    @failpoints.delayed("program.tell")
    def tell(self, frame: ControlFrame) -> None:
        """Send a frame, from any thread; do nothing when the process is gone."""
        with self._saying:
            self._write(pack(frame))

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # gone; closed
            assert self._process.stdin is not None
            write_all(self._process.stdin.fileno(), memoryview(data))

    def wait_for(self, is_there: Callable[[], bool], take: Callable[[ControlFrame], None]) -> str:
        """Have `take` called with each frame until it `is_there`; return "", or why that does not come.

        The handler of a signal may wait, too.
        """
        deadline = time.monotonic() + self._ready_seconds
        while not is_there():
            process, left = self._process, deadline - time.monotonic()
            assert process.stdout is not None
            descriptor, poller = process.stdout.fileno(), select.poll()
            poller.register(descriptor, select.POLLIN)
            readable = left > 0 and safe_points.poll(poller, min(left, LOOK_SECONDS) * 1000)
            if is_there():  # the handler of a signal has waited, too
                break
            if (left > 0 and not readable) or process is not self._process:
                continue
            data = os.read(descriptor, 1 << 16) if readable else b""
            if not data:
                return "it ended" if readable else f"no answer within {self._ready_seconds:.0f} s"
            try:
                frames = self._reader.feed(data)
            except RemoteProtocolError as error:
                return f"it sent a malformed frame ({error})"
            for frame in frames:
                take(frame)
        return ""

    def revive(self, first: Callable[[], Sequence[ControlFrame]]) -> bool:
        """Start another process in place of one that somebody has killed before it was ready; return whether it was."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LOOK_SECONDS)  # it closes its pipe a moment before it has ended
        if self._lives is None or self._process.returncode != -signal.SIGKILL:
            return False
        end = self._lives.bury(self._process, 0)
        if end.why is not None or self._ending.wait(end.pause):
            return False
        return not self._start_again(self._lives, first)

    def note_ready(self) -> None:
        """The process does its work now."""
        if self._lives is not None:
            self._lives.rules.on_ready(time.monotonic())

    def note_given_up(self) -> None:
        """The process ends the run itself, and has said why."""
        if self._lives is not None:
            self._lives.rules.on_given_up()

    def serve(
        self, take: Callable[[ControlFrame], None], on_ended: Callable[[str], None],
        first: Callable[[], Sequence[ControlFrame]], mark: Callable[[], int],
    ) -> str:  # fmt: skip
        """In a thread: take in all frames, of each process that follows, too; return why none follows, "": told to end.

        ``on_ended(status)`` comes between two processes, `first` makes what the next one is told first, and `mark` says
        what the descendants of the last one carry (:mod:`.marks`).
        """
        self._read_frames(take)
        while self._lives is not None and not self._ending.is_set():
            end = self._lives.bury(self._process, mark())
            if end.why is not None:
                return end.why
            on_ended(end.status)
            if not self._ending.wait(end.pause):
                if why := self._start_again(self._lives, first):
                    return why
                self._read_frames(take)
        return ""

    def _read_frames(self, take: Callable[[ControlFrame], None]) -> None:
        """Take in what the process sends, until it ends, or is not ready in time."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + self._ready_seconds
        with contextlib.suppress(OSError, ValueError, RemoteProtocolError):  # ValueError: it could not be started
            descriptor = self._process.stdout.fileno()
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            while True:
                is_ready = self._lives is None or self._lives.rules.is_ready
                if not is_ready and not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    return
                if not (data := os.read(descriptor, READ_BYTES)):
                    return
                for frame in self._reader.feed(data):
                    take(frame)

    @failpoints.delayed("program.start_again")
    def _start_again(self, lives: Lives, first: Callable[[], Sequence[ControlFrame]]) -> str:
        """Start the next process. Where that fails the last one stays, which has ended, and is buried again.

        Return why it will never start: its Federation stands no more, for instance. "": it may.
        """
        with self._saying:
            if self._ending.is_set():
                return ""
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            try:
                self._process = self._start(**lives.options())
            except StartFailed as error:
                if error.exit_code == BAD_INPUT:
                    return error.summary
            self._reader = FrameReader()
            self._write(b"".join(map(pack, first())))  # under the lock: nobody may tell it anything before
        return ""

    def start_last(self, frames: Sequence[ControlFrame], take: Callable[[ControlFrame], None]) -> None:
        """If the process was killed as it was told to end, start one more, tell it these frames, and await its end."""
        if self._lives is None or self._process.wait() >= 0:
            return
        with self._saying, contextlib.suppress(StartFailed):
            self.close_output()
            self._process = self._start(**self._lives.options())
            self._reader = FrameReader()
            self._write(b"".join(map(pack, frames)))
            self.close_input()
        self._lives.rules.on_ready(time.monotonic())
        self._read_frames(take)

    def hang_up(self) -> None:
        """Tell the process to end the run, without waiting."""
        self._ending.set()
        self._send_end()
        with self._saying:
            self.close_input()

    def close_input(self) -> None:
        """Close the pipe to the process. In one that the program has forked, its copy would keep the run alive."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _send_end(self) -> None:
        """Send EndRun if the pipe takes it: a process that the program forked in C may hold the pipe open."""
        with self._saying, contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            poller = select.poll()
            poller.register(self._process.stdin.fileno(), select.POLLOUT)
            if poller.poll(0):
                self._process.stdin.write(pack(EndRun()))

    def wait(self, seconds: float) -> None:
        """Wait for the end of the process; kill it if that takes longer."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close_output(self) -> None:
        """Close the pipe from the process: nobody reads it any more."""
        if self._process.stdout is not None:
            self._process.stdout.close()
