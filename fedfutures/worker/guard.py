"""What one Future changes in its process is undone before the next one runs.

Working directory, environment, umask and signal handlers: the functions that change them are wrapped to note that
something *may* have changed, so a Future that touches none of them pays nothing. The descriptors that the Worker
itself lives on cannot be closed by user code at all: ``os.close`` says EBADF, ``os.closerange`` leaves them out.
Changes by C extensions go unnoticed.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import Any

State = tuple[str | None, dict[str, str], int, dict[int, Any]]


class Guard:
    """Watches this process; ``dirty`` says that :meth:`restore` has something to do."""

    def __init__(self) -> None:
        self.dirty = False
        self._pid = os.getpid()
        self._reserved: frozenset[int] = frozenset()
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._handlers: dict[int, Any] = {}
        self._set_handler = signal.signal
        self._real_umask, self._real_chdir = os.umask, os.chdir
        self._baseline: State | None = None

    def begin(self) -> None:
        """Take the present state as the one to restore, reserve the open descriptors, and watch from now on."""
        self._reserved = _open_descriptors()
        self._baseline = self._state()
        for name in ("chdir", "fchdir", "umask", "putenv", "unsetenv"):
            setattr(os, name, self._noting(getattr(os, name)))
        signal.signal = self._noting(signal.signal)
        setattr(os, "close", self._guarded_close(os.close))  # noqa: B010
        setattr(os, "closerange", self._guarded_closerange(os.closerange))  # noqa: B010

    def _noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **kwargs: Any) -> Any:
            self.dirty = True
            return function(*args, **kwargs)

        noting.__name__ = noting.__qualname__ = function.__name__
        noting.__doc__ = function.__doc__
        return noting

    def _guarded_close(self, close: Callable[[int], None]) -> Callable[[int], None]:
        def guarded(fd: int) -> None:
            if fd in self._reserved and os.getpid() == self._pid:
                raise OSError(errno.EBADF, "this descriptor belongs to the Worker")
            close(fd)

        return guarded

    def _guarded_closerange(self, closerange: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def guarded(fd_low: int, fd_high: int, /) -> None:
            if os.getpid() == self._pid:
                for reserved in sorted(self._reserved):
                    if fd_low <= reserved < fd_high:
                        closerange(fd_low, reserved)
                        fd_low = reserved + 1
            closerange(fd_low, fd_high)

        return guarded

    def _state(self) -> State:
        try:
            directory: str | None = os.getcwd()
        except OSError:
            directory = None
        umask = self._real_umask(0o077)
        self._real_umask(umask)
        handlers: dict[int, Any] = {int(number): signal.getsignal(number) for number in signal.valid_signals()}
        return directory, dict(os.environ), umask, handlers

    def _apply(self, state: State) -> None:
        directory, environment, umask, handlers = state
        if directory is not None:
            try:
                self._real_chdir(directory)
            except OSError:
                pass  # it was removed
        if dict(os.environ) != environment:
            for name in set(os.environ) - set(environment):
                del os.environ[name]
            os.environ.update(environment)
        self._real_umask(umask)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                try:
                    self._set_handler(number, handler)
                except (OSError, ValueError):
                    pass
        self.dirty = False

    def restore(self) -> None:
        """Undo what the Future that has just finished changed."""
        if self._baseline is not None:
            self._apply(self._baseline)

    def suspend(self) -> State:
        """Undo what a Future that is about to wait has changed; :meth:`resume` does it again."""
        state = self._state()
        self.restore()
        return state

    def resume(self, state: State) -> None:
        """Give a Future that goes on what it had changed."""
        self._apply(state)
        self.dirty = True


def _open_descriptors() -> frozenset[int]:
    """The descriptors of this process (Linux), without the one that listing them takes."""
    if not os.path.isdir("/proc/self/fd"):
        return frozenset()
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:
            continue
        found.add(int(name))
    return frozenset(found)
