"""What one Future changes in its process is undone before the next one runs.

Working directory, environment, umask and signal handlers: the functions that change them are wrapped to note that
something *may* have changed, so a Future that touches none of them pays nothing. The descriptors that the Worker
itself lives on cannot be closed by user code at all: ``os.close`` says EBADF, ``os.closerange`` leaves them out.
Changes by C extensions go unnoticed.

What an import sets belongs to the process, not to the Future in which it happens to be made: the module is not imported
again. So what is changed while :attr:`Guard.importing` counts becomes part of the state that is restored.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
from collections.abc import Callable
from typing import Any

State = tuple[str | None, dict[str, str], int, dict[int, Any]]


class Guard:
    """Watches this process; ``dirty`` says that :meth:`restore` has something to do."""

    def __init__(self) -> None:
        self.dirty = False
        self.importing = 0  # how many imports are under way in the main thread
        self._pid = os.getpid()
        self._reserved: dict[int, tuple[int, int]] = {}  # device and inode: a number may come to name something else
        self._set_handler = signal.signal
        self._real_umask, self._real_chdir = os.umask, os.chdir
        self._baseline: State | None = None

    def begin(self) -> None:
        """Take the present state as the one to restore, reserve the open descriptors, and watch from now on."""
        self._reserved = {fd: identity for fd in _open_descriptors() if (identity := _identity(fd)) is not None}
        self._baseline = self._state()
        for name in ("chdir", "fchdir", "umask", "putenv", "unsetenv"):
            setattr(os, name, self._noting(getattr(os, name)))
        signal.signal = self._noting(signal.signal)
        setattr(os, "close", self._guarded_close(os.close))  # noqa: B010
        setattr(os, "closerange", self._guarded_closerange(os.closerange))  # noqa: B010

    def _noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **kwargs: Any) -> Any:
            if not self.importing:
                self.dirty = True
                return function(*args, **kwargs)
            value = function(*args, **kwargs)
            self._keep(function.__name__, args)
            return value

        noting.__name__ = noting.__qualname__ = function.__name__
        noting.__doc__ = function.__doc__
        return noting

    def _keep(self, name: str, args: tuple[Any, ...]) -> None:
        """Make a change part of the state that is restored."""
        assert self._baseline is not None
        directory, environment, umask, handlers = self._baseline
        if name in ("chdir", "fchdir"):
            directory = os.getcwd()
        elif name == "umask":
            umask = args[0]
        elif name == "putenv":
            environment[os.fsdecode(args[0])] = os.fsdecode(args[1])
        elif name == "unsetenv":
            environment.pop(os.fsdecode(args[0]), None)
        else:
            handlers[int(args[0])] = args[1]
        self._baseline = directory, environment, umask, handlers

    @property
    def watches(self) -> bool:
        """Whether it has begun."""
        return self._baseline is not None

    def present(self) -> State:
        """Return the present state."""
        return self._state()

    def baseline(self) -> State:
        """Return the state that is restored."""
        assert self._baseline is not None
        directory, environment, umask, handlers = self._baseline
        return directory, environment.copy(), umask, handlers.copy()

    def rebase(self, state: State) -> None:
        """Make this the present state, and the one that is restored from now on."""
        directory, environment, umask, handlers = state
        if self._baseline is not None:
            self._baseline = directory, environment.copy(), umask, handlers.copy()
        self._apply(state)

    def _is_reserved(self, fd: int) -> bool:
        """Whether the Worker needs this descriptor: it was there at the beginning, or is its way to the Broker."""
        identity = _identity(fd)
        return identity is not None and (self._reserved.get(fd) == identity or _leads_to_broker(fd))

    def _guarded_close(self, close: Callable[[int], None]) -> Callable[[int], None]:
        def guarded(fd: int) -> None:
            if self._is_reserved(fd) and os.getpid() == self._pid:
                raise OSError(errno.EBADF, "this descriptor belongs to the Worker")
            close(fd)

        return guarded

    def _guarded_closerange(self, closerange: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def guarded(fd_low: int, fd_high: int, /) -> None:
            if os.getpid() == self._pid:
                for reserved in filter(self._is_reserved, sorted(_open_descriptors())):
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


def _open_descriptors() -> list[int]:
    """Return the descriptors that are open; the one that the listing itself takes is among them."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return []


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except (OSError, OverflowError):
        return None
    return status.st_dev, status.st_ino


def _leads_to_broker(fd: int) -> bool:
    """Whether this is a connection that ZeroMQ has made since: they come and go with the Broker."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    try:
        with socket.socket(fileno=os.dup(fd)) as connection:
            peer = connection.getpeername()
    except OSError:
        return False
    return isinstance(peer, str) and os.path.basename(os.path.dirname(peer)).startswith("fedfutures-")
