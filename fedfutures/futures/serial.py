"""The same calls without a Federation: each runs in the process, at once."""

from __future__ import annotations

import itertools
import os
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from ..errors import LimitsNotKept
from ..program.callables import not_callable
from ..program.postponing import calls_program
from ..wire.facts import facts_of
from ..wire.failures import add_lines
from ..wire.functions import Wrapper, name_of
from ..wire.payload import Payloads
from ..worker.call_terms import CallTerms
from ..worker.capture import Capture
from ..worker.future import Future, put_printed, resolved
from ..worker.retries import Tries
from ..worker.slices import LocalSubmitter
from ..worker.with_output import note_printed

calls_program(__name__)
NOT_KEPT = (
    "there are no Workers, so the call runs in this process and its limits are not kept. To have Workers: "
    "python -m fedfutures prog.py, or fedfutures.Executor()"
)


class Serial:
    """Runs what is submitted at once. Has of a node what the face needs."""

    size = 1
    runs_at_once = True
    submissions = None  # it has none that are open

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.payloads = Payloads()
        self.constants: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._host = os.uname().nodename

    def submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        terms: CallTerms | None = None,
    ) -> Future:  # fmt: skip
        """Run one call and return its Future, which is done: no priority makes it any earlier."""
        if terms is not None and (terms.conditions.limit or terms.conditions.memory):
            warnings.warn(LimitsNotKept(NOT_KEPT), stacklevel=4)
        if not callable(function):
            raise not_callable("submit", function)
        if isinstance(function, Wrapper):
            function.bind(self.payloads)
        for value in (*args, *kwargs.values()):
            if isinstance(value, Future):  # as on Workers, for a program that runs here is to run there
                value.__reduce__()
        name, number, began = name_of(function), next(self._numbers), time.monotonic()
        tries = None if terms is None or terms.retries is None else Tries(terms.retries, began)
        capture = Capture() if terms is not None and terms.conditions.is_captured else None
        value = failure = None
        try:
            if capture is not None:
                capture.begin()
            value = function(*args, **kwargs) if tries is None else tried(tries, function, args, kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failure = error
        finally:
            printed = None if capture is None else capture.end()
        facts = facts_of(number, "", self._host, time.monotonic() - began, 1 if tries is None else tries.count)
        try:
            future = resolved(None, value, failure, name, number, facts)
            if printed is not None:
                put_printed(future, printed)
                if failure is not None:
                    note_printed(failure, printed)
            return future
        finally:
            del failure  # whose traceback holds this frame

    def cancel_all(self, futures: list[Future], *, running: bool = False) -> int:
        """Cancel nothing: all that was submitted is done."""
        return 0

    def submitter(self, function: Callable[..., Any], terms: CallTerms | None = None) -> LocalSubmitter:
        """Return what submits calls of `function`."""
        return LocalSubmitter(lambda args: self.submit(function, args, {}, terms))

    def send(self) -> None:
        """Nothing has to be sent."""

    def call_soon(self, due: Any) -> bool:
        """Nobody drives this."""
        return False

    def share(self, name: str, value: Any) -> None:
        """Keep a constant."""
        self.constants[name] = value

    def wait(self, future: Future, timeout: float | None) -> None:
        """Every Future is done."""


def tried(tries: Tries, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make a call, and again, here and now, as often as it raises and its tries allow."""
    while True:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            seconds = tries.wait_after(error)
            if seconds is None:
                if told := tries.told(time.monotonic()):
                    add_lines(error, told)
                raise
        time.sleep(seconds)
