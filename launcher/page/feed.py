"""Keeps the state of a page up to date: two threads ask the run every second, a third one hears what happens."""

from __future__ import annotations

import contextlib
import os
import threading
import time

from fedfutures.errors import StartFailed
from fedfutures.seeing.picture import SUBJECT, picture_of
from fedfutures.seeing.runs import ask, stacks
from fedfutures.seeing.watching import news
from fedfutures.wire.messages import RAN, STACK

from .state import PageState

EVERY_SECONDS = 1.0
AGAIN_SECONDS = 0.5
GIVES_UP_SECONDS = 10.0
"""A host process that was killed is started again within this time, and then answers."""


class PageFeed:
    """Of the run behind this socket ``ask``; `lock` is held while somebody uses `state`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.state, self.lock = PageState(), threading.Lock()
        self._over = threading.Event()

    def start(self) -> None:
        """Begin."""
        for run in (self._look, self._hear, self._ask_what_ran):
            threading.Thread(target=run, daemon=True).start()

    def _look(self) -> None:
        looked_at, answered = 0.0, time.monotonic()
        while not self._over.is_set():
            try:
                picture = picture_of(ask(self.path, SUBJECT))
            except (StartFailed, OSError) as error:  # OSError: this process has no descriptor left, for a while
                if not os.path.exists(self.path) or time.monotonic() - answered > GIVES_UP_SECONDS:
                    self._end(error.summary if isinstance(error, StartFailed) else str(error))
                time.sleep(AGAIN_SECONDS)
                continue
            now = answered = time.monotonic()
            with self.lock:
                self.state.on_picture(picture, now - looked_at if looked_at else 0.0)
            looked_at = now
            self._over.wait(EVERY_SECONDS)

    def _hear(self) -> None:
        while not self._over.is_set():
            try:
                for one in news(self.path):
                    with self.lock:
                        self.state.on_news(one, time.monotonic())
                    if self._over.is_set():
                        return
            except (OSError, LookupError, TypeError, ValueError):
                pass  # the program is busy, has ended (then the run does not answer either), or is of another mind
            with self.lock:
                self.state.begin_stream()
            self._over.wait(AGAIN_SECONDS)

    def _ask_what_ran(self) -> None:
        name = f"page-{os.getpid()}-{os.urandom(3).hex()}"
        while not self._over.wait(EVERY_SECONDS):
            asked = time.monotonic()
            with contextlib.suppress(StartFailed, OSError, LookupError, TypeError, ValueError):  # as in `_hear`
                answers = [(worker, time.monotonic(), said) for worker, said in ask(self.path, RAN, name)]
                with self.lock:
                    self.state.on_ran(asked, answers)

    def _end(self, why: str) -> None:
        with self.lock:
            self.state.end(why)
        self._over.set()

    def stack_of(self, number: int) -> str:
        """Return where a Future of the program is in its code; "" if it does not run, or that cannot be known."""
        with self.lock:
            call = self.state.call_of(number)
        if call is None:
            return ""
        try:
            return stacks(ask(self.path, STACK, call.worker)).get(call.worker, "")
        except (StartFailed, OSError):
            return ""
