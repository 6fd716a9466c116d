"""What a node sees of itself when somebody asks what goes on: which calls run, for how long, and where in their code.

Nothing is written down for that while Futures run. Whoever drives the node when the question comes, mostly the helper
thread, looks at the stack of the main thread: the frames of :mod:`.calls` have the call as their variables. What a call
is given is shown as in error messages (:mod:`..wire.calls`): briefly, and without running code of the program.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ..node import events
from ..node.workload import Workload
from ..wire.calls import call_text, short_name
from ..wire.functions import Wrapper, name_of
from ..wire.messages import STACK, STATUS
from .calls import RUN_CALL, RUN_FETCHED
from .driver import Driver
from .runners import Runners
from .slices import Slice

_HERE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_OURS = ("fedfutures", "fedfutures_launcher")
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_PACKAGES = f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}"
STACK_FRAMES_AT_MOST = 60
LATER_SECONDS = 0.004
"""So much later a Worker looks that hears the question between two Futures."""


class Sights:
    """Answers by subject; a subject that nobody has an answer to is answered by an empty report."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._subjects: dict[str, Callable[[str], Any]] = {}
        self._runs_futures = 0
        driver.handle(events.Look, self._tell)

    def show(self, subject: str, report: Callable[[str], Any]) -> None:
        """From now on answer this subject by what the function returns for an asker; the node's lock is held then."""
        self._subjects[subject] = report

    def report(self, subject: str, asker: str = "") -> Any:
        """Return the answer."""
        with self._driver.lock:
            try:
                return self._subjects[subject](asker) if subject in self._subjects else {}
            except Exception as error:  # what is looked at changes meanwhile
                return {"problem": repr(error)}

    def tell_later_from(self, thread: int) -> None:
        """Look a moment later where a question is heard by this thread, which runs Futures: then the next one runs."""
        self._runs_futures = thread

    def _tell(self, action: events.Look) -> None:
        if threading.get_ident() == self._runs_futures and action.subject == STATUS:
            later = threading.Timer(LATER_SECONDS, self._tell_now, (action,))
            later.daemon, later.name = True, "fedfutures-sight"
            with contextlib.suppress(RuntimeError):  # no thread can be started any more
                later.start()
                return
        self._driver.step(events.Looked(action.number, self.report(action.subject, action.asker)))

    def _tell_now(self, action: events.Look) -> None:
        """In a thread of its own. It runs no callbacks: one may load a value, and wait for who waits for the lock."""
        driver = self._driver
        with driver.lock:
            if driver.closed:
                return
            driver.step(events.Looked(action.number, self.report(action.subject, action.asker)))
            driver.flush()
        driver.wake()  # who drives looks again: sending may have eaten the sign of an arrival


class WorkerSights:
    """What a Worker says of itself."""

    def __init__(self, sights: Sights, workload: Workload, runners: Runners) -> None:
        self._workload, self._runners = workload, runners
        sights.show(STATUS, lambda asker: self.status())
        sights.tell_later_from(runners.thread)

    def status(self) -> dict[str, Any]:
        """Return what runs, the outermost call first, and how much waits."""
        frame, queue = sys._current_frames().get(self._runners.thread), self._workload.queue.copy()
        return {
            "role": "worker", "running": [] if frame is None else list(self._calls(frame))[::-1],
            "suspended": self._runners.suspended, "queued": sum(len(piece.todo) for piece in queue),
        }  # fmt: skip

    def _calls(self, frame: FrameType) -> Iterator[dict[str, Any]]:
        """Yield the calls on a stack, the innermost first."""
        place: dict[str, Any] | None = None
        found: FrameType | None = frame
        while found is not None:
            if found.f_code in (RUN_FETCHED, RUN_CALL):
                call = _call_in(found)
                if call is not None:
                    yield {**call, **(place or {})}
                place = None
            elif place is None and is_of_program(found):
                place = place_of(found)
            found = found.f_back


def _call_in(frame: FrameType) -> dict[str, Any] | None:
    """Return what a frame of :mod:`.calls` runs; between two calls of a piece, which function that is.

    A Worker whose calls are short answers between two of them, so it would never show any.
    """
    values = frame.f_locals
    try:
        function, args, kwargs = values.get("function"), values.get("args"), values.get("kwargs")
        if function is None:
            return None
        found: dict[str, Any] = {"function": short_name(name_of(_innermost(function)))}
        if args is None:
            return {**found, "call": call_text(function, None)} if frame.f_code is RUN_FETCHED else None
        if frame.f_code is RUN_FETCHED:
            piece, number = values["piece"], values["number"]
            found |= {
                "seconds": time.monotonic() - values["began"], "digest": piece.terms.function.hex(),
                "submitter": piece.terms.submitter, "future": number, "attempt": piece.terms.attempt,
            }  # fmt: skip
            if isinstance(function, Slice):
                found["slice"] = len(args[0])
            if (running := Slice.running) is not None and running.place == (piece.number, number):
                taken = running.taken()
                found["items"] = [taken, running.count]
                args = tuple(column[max(0, taken - 1) : max(1, taken)] for column in args)
        found["call"] = call_text(function, args, kwargs)
        return found
    finally:
        if type(values) is dict:  # before Python 3.13 a copy, which would hold the arguments as long as the frame
            values.clear()


def _innermost(function: Any) -> Any:
    while isinstance(function, Wrapper):
        function = function.function()
    return function


def is_of_program(frame: FrameType) -> bool:
    """Whether a frame's code is neither of fedfutures, nor of Python's library or an installed package."""
    file = frame.f_code.co_filename
    return not (_is_ours(frame) or file.startswith(_LIBRARY) or any(place in file for place in _PACKAGES))


def _is_ours(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package in _OURS or frame.f_code.co_filename.startswith(("<frozen ", _HERE))


def place_of(frame: FrameType) -> dict[str, Any]:
    """Return where a frame is."""
    return {"file": frame.f_code.co_filename, "line": frame.f_lineno, "inside": frame.f_code.co_name}


def _frames_of_main() -> Iterator[FrameType]:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        yield frame
        frame = frame.f_back


def place_of_main() -> dict[str, Any]:
    """Return where the main thread is in the program; nothing where that is not known."""
    return next((place_of(frame) for frame in _frames_of_main() if is_of_program(frame)), {})


def stack_of_main() -> str:
    """Return where the main thread is, the innermost call first, as faulthandler writes it."""
    frames = itertools.islice((frame for frame in _frames_of_main() if not _is_ours(frame)), STACK_FRAMES_AT_MOST)
    return "".join(
        f'File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}\n' for frame in frames
    )


def show_stack(sights: Sights) -> None:
    """Have an Origin say where its program is."""
    sights.show(STACK, lambda asker: {"role": "origin", "stack": stack_of_main()})
