"""The ends of a program, of an Executor and of a Future: all that was submitted is run, read or not.

Maps whose calls have not all been made stand in a register: those of an Origin, or of a program without Federation, by
node; those of a Future with what it has named. At an end their inputs are read on, in the thread that ends. An input
that does not come to its end within :data:`ITEMS_AT_MOST` items and :data:`SECONDS_AT_MOST` is given up, and that is
said, unless it is known to have an end.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from ..program.postponing import is_by_signal
from ..worker.context import Ending
from ..worker.future import Future
from .inputs import AHEAD_BYTES

Feeder = Any
"""What feeds a map (:mod:`.feeding`)."""

ITEMS_AT_MOST = 1_000_000
SECONDS_AT_MOST = 60.0
"""For how long an input of unknown length is read at the end."""
SECONDS_AFTER_READING = 10.0
"""The same, where the program has read some of the results and then stopped."""
NOTICE_SECONDS = 10.0
BUSY_SECONDS = 60.0
"""For how long an end waits for another thread that reads the input of a map."""
MAPS = "\0maps"  # among the names of a Future; no group is called so

_open: weakref.WeakKeyDictionary[Any, set[Feeder]] = weakref.WeakKeyDictionary()
_begun: Callable[[Feeder], object] | None = None  # who is told of maps that begin
_told: weakref.WeakSet[Feeder] = weakref.WeakSet()  # maps whose endless inputs were reported
_failed: weakref.WeakKeyDictionary[Any, weakref.WeakSet[Feeder]] = weakref.WeakKeyDictionary()


class Maps(set["Feeder"], Ending):
    """The maps of a Future whose calls have not all been made: they are before its result is sent."""

    def end(self) -> None:
        """Have all calls made."""
        while self:
            feeders = list(self)
            complete(feeders)
            self.difference_update(feeders)


def is_worker(node: Any) -> bool:
    """Whether maps at this node are those of Futures."""
    return hasattr(node, "scope")


def register(feeder: Feeder) -> set[Feeder]:
    """Put a map into the register of its node or Future; return that, for the map leaves it when all calls are made."""
    node = feeder.node
    if is_worker(node):
        scope = node.scope()
        maps: set[Feeder] = scope.get(MAPS) or scope.setdefault(MAPS, Maps())
    else:
        maps = _open.setdefault(node, set())
    maps.add(feeder)
    if _begun is not None:
        _begun(feeder)
    return maps


def listen(begun: Callable[[Feeder], object]) -> None:
    """Tell this function of each map that begins, from now on."""
    global _begun
    _begun = begun


def has_failed(feeder: Feeder) -> None:
    """Note that calls of a map have failed: the end says so unless somebody reads that."""
    with contextlib.suppress(TypeError):
        _failed.setdefault(feeder.node, weakref.WeakSet()).add(feeder)


def open_maps(node: Any) -> list[Feeder]:
    """Return the maps of an Origin, or of the process, whose calls have not all been made."""
    return [] if node is None else list(_open.get(node, ()))


def forget(node: Any) -> None:
    """Forget the maps of a node that is closed."""
    _open.pop(node, None)


def cancel(feeders: list[Feeder]) -> None:
    """Cancel the rest of these maps."""
    for feeder in feeders:
        feeder.cancel()


def read_on(feeders: list[Feeder]) -> None:
    """Read all that is left of the inputs of these maps, and do not wait for the calls."""
    for feeder in feeders:
        try:
            press_on(feeder, float("inf"))
        except Exception as error:
            if is_by_signal(error):
                raise


def complete(feeders: list[Feeder]) -> None:
    """Have the calls of these maps made, and wait for that."""
    for feeder in feeders:
        try:
            _complete(feeder)
        except Exception as error:
            if is_by_signal(error):
                raise
            say(f"the rest of map({feeder.name}) was not run: {type(error).__name__}: {error}")


def wait_for(node: Any, futures: Iterable[Future]) -> None:
    """Wait until these Futures of a node are done."""
    for future in futures:
        if not future.done():
            node.wait(future, None)


def shut(node: Any, wait: bool, cancel_futures: bool) -> None:
    """Cancel the maps of a node that takes no more calls, or have their calls made."""
    maps = list(node.scope().get(MAPS, ())) if is_worker(node) else open_maps(node)
    if cancel_futures:
        cancel(maps)
    elif wait:
        complete(maps)
    else:
        read_on(maps)


def end_of_process(node: Any) -> None:
    """Make the remaining calls of a program without Federation at its end, unless an error has ended it."""
    if getattr(sys, "last_type", None) is None or hasattr(sys, "ps1"):
        complete(open_maps(node))
    elif left := what_is_open(node):
        say(f"the program failed: {left} cut off")


def give_up(feeders: list[Feeder]) -> None:
    """Stop maps whose inputs another thread is still reading."""
    for feeder in feeders:
        say(
            f"the input of map({feeder.name}) is still being read by another thread after {BUSY_SECONDS:.0f} s; the "
            f"calls for the rest of it are not made"
        )
        feeder.stop()


def what_is_open(node: Any) -> str:
    """Return what is not done, for a sentence that ends in "cut off"; an empty string when all is done."""
    maps = open_maps(node)
    count = 0
    if not node.runs_at_once:
        node.service()
        slices = {future for feeder in maps for future in feeder.window.away()}
        mine = {*node.open_futures()} - slices
        count = sum(not future.done() for future in mine)
    parts = [f"{count:,} Future{'s' * (count != 1)}"] if count else []
    if len(maps) == 1:
        parts.append(f"the rest of map({maps[0].name})")
    elif maps:
        parts.append(f"the rest of {len(maps)} maps")
    if not parts:
        return ""
    return " and ".join(parts) + (" was" if count + len(maps) == 1 else " were")


def note_unread(node: Any) -> None:
    """Count the failures that nobody can read any more, since the program ends."""
    for feeder in list(_failed.pop(node, ())):
        feeder.note_unread()


@atexit.register
def _note_all() -> None:
    for node in list(_failed):
        note_unread(node)


# -- reading on ------------------------------------------------------------------------------------------------------


def press_on(feeder: Feeder, most_bytes: float = AHEAD_BYTES) -> bool:
    """Read the rest of a map's input in the thread that ends the program, so that all calls are made.

    Return False while another thread is reading.
    """
    if not feeder.is_done():  # else an interrupt may have ended it
        feeder.hurry()
        given = feeder.input
        if not (given.by_any_thread or given.over):
            if not feeder.begin_filling():
                return False
            try:
                _read_rest(feeder, most_bytes)
            finally:
                feeder.end_filling()
        feeder.fill()
    feeder.close_if_done()
    return True


def _complete(feeder: Feeder) -> None:
    busy_until = time.monotonic() + BUSY_SECONDS
    while not feeder.is_done():
        if press_on(feeder):
            busy_until = time.monotonic() + BUSY_SECONDS
            feeder.wait_for_one()
        elif time.monotonic() > busy_until:
            raise TimeoutError("another thread has not come to an end with reading its input")


def _read_rest(feeder: Feeder, most_bytes: float) -> None:
    """Read a map's input on; give it up when it does not come to an end."""
    given = feeder.input
    items, seconds = float(ITEMS_AT_MOST), SECONDS_AFTER_READING if feeder.is_read else SECONDS_AT_MOST
    if given.is_bounded:
        items = seconds = float("inf")
    began = time.monotonic()
    with _Notice(feeder.name):
        if given.read_ahead(items, seconds, most_bytes):
            if not (given.over or given.is_bounded or feeder in _told):
                _told.add(feeder)
                say(
                    f"{given.count:,} items of the input of map({feeder.name}) have been read, and it goes on: their "
                    f"calls are made before the next are read. Ctrl-C ends it"
                )
            return
    is_slow = given.count < items
    after = f" and {time.monotonic() - began:.0f} s" if is_slow else ""
    reason = feeder.give_up(
        f"the input of map({feeder.name}) had not come to its end after {given.count:,} items{after}"
    )
    if not feeder.is_read or is_slow:  # else it was read as far as somebody wanted
        say(f"{reason}. Give it an end, or read from its results what you want")


class _Notice:
    """Says what the program waits for when that takes long."""

    def __init__(self, name: str) -> None:
        text = f"the rest of the input of map({name}) is being read, for its calls are made before the end"
        self._timer = threading.Timer(NOTICE_SECONDS, say, [text])
        self._timer.daemon = True

    def __enter__(self) -> None:
        with contextlib.suppress(RuntimeError):  # no thread can be started any more
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def say(text: str) -> None:
    """Say something at the end of a program, where standard error may be closed."""
    with contextlib.suppress(Exception):
        print(f"fedfutures: {text}", file=sys.stderr, flush=True)
