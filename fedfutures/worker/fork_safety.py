"""Whether Workers may be forked from a process that has imported the program: what a fork loses, or shares by mistake.

A thread is lost, but for those of OpenBLAS, which knows about forks. An open file, socket or pipe would have one
position, one connection, for all Workers, and so would memory that a program has mapped as shared; where Workers import
the program themselves, each has its own. Timers and children stay behind.
Libraries that drive GPUs, and JAX, do not survive a fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from typing import NamedTuple

_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")
_WORDS = {"socket:": "a socket", "pipe:": "a pipe", "anon_inode:": "an event queue"}


class Footprint(NamedTuple):
    """What this process has in the system."""

    threads: int
    descriptors: dict[str, str]  # what each is, by number
    mappings: frozenset[str]  # shared, writable memory
    children: int
    timers: tuple[float, ...]


def footprint() -> Footprint:
    """Return that of this process (Linux)."""
    descriptors = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing is closed again
            descriptors[number] = os.readlink(f"/proc/self/fd/{number}")
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        lines = [line.split(maxsplit=5) for line in file]
    mappings = frozenset(f"{parts[0]} {parts[-1].strip()}" for parts in lines if parts[1].startswith("rw-s"))
    timers = tuple(signal.getitimer(which)[0] for which in (signal.ITIMER_REAL, signal.ITIMER_PROF))
    return Footprint(_count_threads(), descriptors, mappings, _count_children(), timers)


def unsafe(before: Footprint, after: Footprint) -> str:
    """Return why no Worker may be forked from a process, by what an import has changed; "": they may.

    >>> clean = Footprint(1, {"0": "/dev/null"}, frozenset(), 0, (0.0, 0.0))
    >>> unsafe(clean, clean), unsafe(clean, clean._replace(threads=3))
    ('', 'importing the program has started threads: 2')
    """
    if after.threads > 1:
        return f"importing the program has started threads: {after.threads - 1}"
    for number, what in after.descriptors.items():
        if before.descriptors.get(number) != what and not what.startswith(_HARMLESS):
            kind = next((word for start, word in _WORDS.items() if what.startswith(start)), what)
            return f"importing the program has left {kind} open"
    if after.mappings - before.mappings:
        return "importing the program has made memory that processes share"
    if after.children:
        return f"importing the program has started processes: {after.children}"
    if any(after.timers):
        return "importing the program has set a timer"
    return _unsafe_library()


def _unsafe_library() -> str:
    if "jax" in sys.modules:
        return "the program imports jax, which does not survive a fork"
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and getattr(cuda, "is_initialized", bool)():
        return "importing the program has started CUDA"
    return ""


def _count_threads() -> int:
    """Return how many threads there are. OpenBLAS ends its own before a fork, and starts others when it needs them."""
    count = len(os.listdir("/proc/self/task"))
    if count > 1 and threading.active_count() == 1:
        pid = ctypes.PyDLL(None).fork()  # of C: nothing of Python runs in the other process
        if pid == 0:
            os._exit(0)
        if pid > 0:
            os.waitpid(pid, 0)
        count = len(os.listdir("/proc/self/task"))
    return count


def _count_children() -> int:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:
            return len(listing.read().split())
    except OSError:
        return 0
