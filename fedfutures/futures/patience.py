"""An end that takes long says whom it waits for: after two seconds, and then at intervals that grow fivefold.

It asks the Federation where the first Future is that is known to run. That is done by a thread of its own, for the one
that ends waits in the node.
"""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType
from typing import Any

from ..wire.codec import unpack_plain
from ..worker import lost_calls
from ..worker.future_fields import call_of, number_of
from . import ends

FIRST_SECONDS = 2.0
GROWTH = 5.0
ANSWER_SECONDS = 0.5
LOOKED_AT = 1000
"""Among so many Futures one is looked for that runs."""

quiet = False
"""Whether nothing is to be said: the launcher's ``-q``."""


def be_quiet(wanted: bool) -> None:
    """From now on say nothing, if so wanted."""
    global quiet
    quiet = wanted


class Patience:
    """Says what the end of a program, or of an Executor, waits for: `node` has it."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._over = threading.Event()

    def __enter__(self) -> None:
        if quiet or self._node.runs_at_once or ends.is_worker(self._node):
            return
        with contextlib.suppress(RuntimeError):  # no thread can be started any more
            threading.Thread(target=self._watch, name="fedfutures-patience", daemon=True).start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self._over.set()

    def _watch(self) -> None:
        began, due = time.monotonic(), FIRST_SECONDS
        while not self._over.wait(began + due - time.monotonic()):
            with contextlib.suppress(Exception):  # closed meanwhile
                text = waited_for(self._node)
                if text and not self._over.is_set():
                    ends.say(f"waiting for {text} since {time.monotonic() - began:.0f} s. Ctrl-C ends the wait")
            due *= GROWTH


def waited_for(node: Any) -> str:
    """Return what is not done at a node, with one of it that runs; an empty string when all is done."""
    futures = [future for future in node.open_futures() if not future.done()]
    maps = ends.open_maps(node)
    of_maps = {future for feeder in maps for future in feeder.window.away()}
    count = sum(future not in of_maps for future in futures)
    parts = [f"{count:,} Future{'s' * (count != 1)}"] if count else []
    parts += [f"the calls of map({feeder.name})" for feeder in maps[:3]]
    if not parts:
        return ""
    return " and ".join(parts) + _one_that_runs(node, futures)


def _one_that_runs(node: Any, futures: list[Any]) -> str:
    running = next((future for future in futures[:LOOKED_AT] if future.running()), None)
    if running is None:
        return f" ({call_text(futures[0])} is the first)" if futures else ""
    call = call_text(running)
    answers, _ = node.submissions.ask("explain", node.name, number_of(running), ANSWER_SECONDS)
    for name, report in answers:
        with contextlib.suppress(ValueError):
            if report and isinstance(unpack_plain(report), int):  # the attempt that a Worker has
                return f" ({call} runs on {name})"
    return f" ({call} runs)"


def call_text(future: Any) -> str:
    """Return the call of a Future for people: ``slow(3)``; ``slow(...)`` where its arguments are more than numbers."""
    call = call_of(future)
    return "one" if call is None else lost_calls.text_of_call(call[0], call[1], only_plain=True)
