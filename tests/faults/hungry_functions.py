"""What is called with memory limits; Workers import it."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from fedfutures import futures
from fedfutures.errors import OutOfMemory
from fedfutures.host.memory_use import used_by

MIB = 1 << 20
leaked: list[bytearray] = []


def filled(size: int) -> bytearray:
    """Return memory of so many MiB that is really there."""
    return bytearray(b"x") * (size * MIB)


def take(size: int, seconds: float = 30.0) -> int:
    """Use so many MiB for a while."""
    made = filled(size)
    time.sleep(seconds)
    return len(made) // MIB


def take_slowly(size: int) -> int:
    """Use more and more, without a moment of rest."""
    made = []
    while len(made) < size:
        made.append(filled(1))
    time.sleep(30)
    return len(made)


def take_by_a_child(size: int) -> int:
    """Have another process use so much."""
    code = f"import time; made = bytearray(b'x') * ({size} << 20); time.sleep(30)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def take_by_an_orphan(size: int) -> int:
    """Have a process use so much that has left this one's family."""
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.close(0)
            take(size)
        os._exit(0)
    os.wait()
    time.sleep(30)
    return size


def fork_with(size: int) -> int:
    """Use so much, and share it with three children."""
    made = filled(size)
    children = []
    for _ in range(3):
        if not (pid := os.fork()):
            time.sleep(0.6)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return len(made) // MIB


def take_shared(size: int) -> int:
    """Use memory and files that others may use, too."""
    shared = mmap.mmap(-1, size * MIB)
    for _ in range(size):
        shared.write(b"x" * MIB)
    with tempfile.TemporaryFile() as file:
        for _ in range(size):
            file.write(b"x" * MIB)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        total = sum(mapped[:: mmap.PAGESIZE])
    time.sleep(0.5)
    return size if total else 0


def leak(size: int) -> int:
    """Keep so much for ever."""
    leaked.append(filled(size))
    return os.getpid()


def leak_until(size: int) -> int:
    """Keep more and more for ever, until this process uses more than so many MiB; that takes a moment for the last."""
    while used_by(os.getpid()) < size * MIB:
        leaked.append(filled(1))
    return os.getpid()


def refuse() -> None:
    """Raise what Python raises where there is no memory."""
    raise MemoryError("of the program")


def pid(_: Any = None) -> int:
    """Return which process runs this."""
    return os.getpid()


def guarded(size: int, limit: str) -> str:
    """Submit a limited call, and live on whatever becomes of it."""
    try:
        return f"returned {futures.options(memory=limit).submit(take, size, 0.0).result()}"
    except OutOfMemory as error:
        return f"caught {error.call} {error.option}"


def parent(size: int) -> str:
    """Submit a call without a limit of its own, and live on whatever becomes of it."""
    try:
        return f"returned {futures.submit(take, size).result()}"
    except OutOfMemory as error:
        return f"caught {error.call} {error.option}"


def waiting(size: int) -> int:
    """Use so much, by a thread, while this waits for a Future of its own that runs elsewhere."""
    made: list[bytearray] = []
    threading.Timer(0.3, lambda: made.append(filled(size))).start()
    futures.options(time_limit=30).submit(time.sleep, 4).result()
    return len(made)
