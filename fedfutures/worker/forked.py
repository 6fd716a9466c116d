"""A process that a Future forks has a copy of the Worker, and must not act as one.

It may do what it likes until the Future's function returns to the Worker's loop, or raises: there it ends, as a forked
process ends that has come to the end of its program. One item of a ``map`` counts as such a function. It cannot submit,
for the Worker's sockets and threads stayed behind. After a fork a :class:`ForkedNode` stands in the place of the
Worker, and its parts become what ends the process when the loop uses them; a Worker itself pays nothing for that.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, NoReturn

from ..errors import FederationLost
from ..wire.payload import Payloads
from . import current
from .calls import Calls
from .surroundings import Surroundings
from .worker import Worker

_LOST = "this process was forked by a Future; only the Worker itself submits and waits"


def attend(worker: Worker) -> None:
    """See to what this Worker's Futures fork."""

    def in_child() -> None:
        if current.node is worker:
            current.become(ForkedNode(worker))
            worker.driver.abandon()
            worker.submissions.forbid(FederationLost(_LOST), _refuse)
            worker.payloads.__class__ = _End
            worker.surroundings.__class__ = _EndingSurroundings
            worker.calls.__class__ = _EndingCalls
            worker.isolation.end_by(end)  # another item would begin
            column = worker.state.swap_column(None)
            if column is not None:
                column.clear()

    os.register_at_fork(after_in_child=in_child)


def end(error: BaseException | None = None) -> NoReturn:
    """End this process, as ``python`` ends."""
    code: Any = 0
    if isinstance(error, SystemExit):
        code = error.code
        if code is not None and not isinstance(code, int):
            with contextlib.suppress(Exception):
                print(code, file=sys.stderr)
            code = 1
    elif error is not None:
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_globals.get("__name__", "").startswith("fedfutures."):
            traceback = traceback.tb_next
        with contextlib.suppress(Exception):
            sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit((code or 0) & 0xFF)


def _error_in(frame: Any) -> BaseException | None:
    """Return what a function has raised, which our frames that deal with that have at hand."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("fedfutures."):
        for name in ("failure", "error"):
            if isinstance(error := frame.f_locals.get(name), BaseException):
                return error
        frame = frame.f_back
    return None


class _End(Payloads):
    """What is used when a function has returned, or raised; that is the end."""

    def __getattribute__(self, name: str) -> NoReturn:
        end(_error_in(sys._getframe(1)))


class _EndingSurroundings(Surroundings):
    """The loop looks for what a Future has named when it has ended, and so this process ends."""

    __slots__ = ()

    @property
    def scopes(self) -> NoReturn:  # type: ignore[override]
        """What Futures have named."""
        end(_error_in(sys._getframe(1)))


class _EndingCalls(Calls):
    """A function has raised."""

    __slots__ = ()

    def _failure(self, error: BaseException, *context: Any) -> bytes:
        end(error)


def _refuse(*arguments: Any, **more: Any) -> NoReturn:
    raise FederationLost(_LOST)


class ForkedNode:
    """A copy of a Worker in a process that one of its Futures has forked."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker, name)

    submit = submitter = wait = ask = share = scope = staticmethod(_refuse)

    def service(self) -> None:
        """The sockets belong to the Worker."""

    wake = service
