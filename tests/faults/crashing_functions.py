"""Futures that crash, and parents that guard them; Workers import it."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from fedfutures import futures
from fedfutures.errors import PoisonedFuture


def note(path: str, what: str) -> None:
    """Say in a file that something starts."""
    with open(path, "a") as file:
        file.write(f"{what}\n")


def crash(path: str) -> None:
    """Kill the process."""
    note(path, "child")
    os.kill(os.getpid(), signal.SIGKILL)


def guarded(path: str) -> str:
    """Submit one that crashes, and live on."""
    note(path, "parent")
    try:
        futures.submit(crash, path).result()
    except PoisonedFuture as error:
        return f"caught {error.function}, {error.attempts}"
    return "nothing happened"


def guarded_map(path: str) -> list[str]:
    """Let some of many crash."""
    note(path, "parent")
    return [type(one).__name__ for one in futures.map(crash_or_square, [path, 2], return_exceptions=True, chunksize=1)]


def crash_or_square(what: Any) -> Any:
    """Crash where it is a path."""
    return crash(what) if isinstance(what, str) else what * what


def guarded_below(path: str) -> str:
    """Submit one that waits for one that crashes, and guards nothing; live on."""
    note(path, "grandparent")
    try:
        futures.submit(unguarded, path).result()
    except PoisonedFuture as error:
        return f"caught {error.function}, {error.attempts}"
    return "nothing happened"


def unguarded(path: str) -> None:
    """Submit one that crashes."""
    note(path, "parent")
    futures.submit(crash, path).result()


def guarded_in_a_thread(path: str) -> str:
    """Wait in a thread for one that crashes."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(guarded(path)))
    thread.start()
    thread.join()
    return said[0]


def crash_after_a_child(path: str) -> None:
    """Wait for one, and crash."""
    futures.submit(note, path, "child").result()
    note(path, "parent")
    os.kill(os.getpid(), signal.SIGKILL)
