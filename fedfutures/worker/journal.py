"""The journal: what the nodes of a test run write down beside the product's messages, for a checker from outside.

It is on where the environment variable ``FEDFUTURES_JOURNAL`` names a directory when a process starts. Each process
then appends a line for each event to a file of its own there, with one ``write``, so whoever is killed leaves whole
lines. ``tests/journal.py`` merges the files and checks laws. Where the journal is off, the decorators of this module
return their function as it is: nothing is called and nothing looked up later.

A line has the time in nanoseconds, the event and its fields, with tabs between them:

=======  ===================================  =================================================================
event    fields                               who writes it, and when
=======  ===================================  =================================================================
submit   node, number                         a node that takes a number for a new Future
run      node, number                         the same node, when it runs this Future itself
start    node, number, attempt                a Worker that is about to run a Future of another node
result   node, number, attempt, kind, digest  that Worker, when it sends the outcome
arrive   node, number, kind, digest           the node, when its rules let an outcome through
state    node, number, state                  the node, when a Future begins to run elsewhere, or waits again
resolve  node, number, how                    the node, when the Future ends: as "value", "error" or "cancelled"
close    node                                 the node, when it closes in order
=======  ===================================  =================================================================
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..wire.manifest import segments_of
from ..wire.messages import ERROR, VALUE
from ..wire.segments import Segments

F = TypeVar("F", bound=Callable[..., Any])
Rows = Callable[..., Iterable[tuple[object, ...]]]
"""From the arguments of a call the fields of each line that it makes."""
UNKNOWN = "?"
"""The digest of what cannot be read any more."""
DIRECTORY = os.environ.get("FEDFUTURES_JOURNAL", "")
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


def before(event: str, rows: Rows) -> Callable[[F], F]:
    """Have lines written before each call; `rows` gets the arguments of the call."""
    if not DIRECTORY:
        return _as_it_is

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def noted(*args: Any, **kwargs: Any) -> Any:
            write(event, rows(*args, **kwargs))
            return function(*args, **kwargs)

        return noted  # type: ignore[return-value]

    return decorate


def after(event: str, rows: Rows) -> Callable[[F], F]:
    """Have lines written after each call; `rows` gets what it returned, and its arguments."""
    if not DIRECTORY:
        return _as_it_is

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def noted(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            write(event, rows(result, *args, **kwargs))
            return result

        return noted  # type: ignore[return-value]

    return decorate


def _as_it_is(function: F) -> F:
    return function


def numbers(node: str) -> Iterator[int]:
    """Return the numbers of a node's Futures; each one that is taken is a line."""
    if not DIRECTORY:
        return itertools.count(1)
    return map(functools.partial(_taken, node), itertools.count(1))  # no generator: threads may ask at once


def _taken(node: str, number: int) -> int:
    write("submit", [(node, number)])
    return number


def write(event: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Write lines, all at once. The file is not kept open: a Future may close all that its process has open."""
    now = time.time_ns()
    text = "".join("\t".join(map(str, (now, event, *fields))) + "\n" for fields in rows)
    if text:
        file = os.open(f"{DIRECTORY}/{_process(os.getpid())}", _APPEND, 0o600)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


@functools.lru_cache(1)
def _process(pid: int) -> str:
    """Return the name of this process, which no other has: a host that was started again counts pids anew."""
    return f"{os.uname().nodename}-{pid}-{os.urandom(4).hex()}"


def of_outcomes(ids: Iterable[int], outcomes: Iterable[bytes], odd: Any, segments: Segments | None) -> Iterator[Any]:
    """Return number, kind and digest of each outcome; only a Future's own word has a digest."""
    kinds = dict(odd or ())
    for number, outcome in zip(ids, outcomes):
        kind = kinds.get(number, VALUE)
        yield number, kind, digest(outcome, segments) if kind in (VALUE, ERROR) else UNKNOWN


def digest(outcome: bytes, segments: Segments | None) -> str:
    """Return the digest of an outcome and of what is in its segments."""
    made = hashlib.blake2b(outcome, digest_size=8)
    try:
        for name in segments_of(outcome) if segments is not None else ():
            descriptor = segments.open(name)  # type: ignore[union-attr]
            with open(descriptor, "rb") as file:
                made.update(file.read())
    except OSError:
        return UNKNOWN
    return made.hexdigest()
