"""Objects of ``multiprocessing`` that only pass from a process to one that it starts: locks, queues, values, pipes.

The host process starts Workers, so these travel as the arguments of an initializer, pickled as if the host process were
being spawned: it inherits the descriptors under the same numbers, and Workers have them from there. Those of a *fork*
context have no name, and belong to forked processes alone.
"""

from __future__ import annotations

import contextlib
import copyreg
import os
import sys
from collections.abc import Iterator
from multiprocessing import context, reduction
from typing import Any

HINT = (
    "Such objects pass only to processes that are being started: give them to Workers as "
    "Executor(initializer=..., initargs=...), made by multiprocessing.get_context('spawn'), or use a "
    "multiprocessing.Manager"
)
_ONLY_INHERITED = "only be shared between processes through inheritance"
_OF_FORK = "created in a fork context"
_given: set[int] = set()


class Heirs:
    """Stands for the process that is being spawned, while what it is given is pickled."""

    def __init__(self) -> None:
        self.descriptors: list[int] = []

    def duplicate_for_child(self, descriptor: int) -> int:
        if descriptor not in self.descriptors:
            self.descriptors.append(descriptor)
        return descriptor

    def DupFd(self, descriptor: int) -> Inherited:  # noqa: N802
        return Inherited(descriptor)


class Inherited:
    """A descriptor that Workers have, too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def detach(self) -> int:
        """Return it; for whoever comes second, a duplicate."""
        if self._descriptor in _given:
            return os.dup(self._descriptor)
        _given.add(self._descriptor)
        os.set_inheritable(self._descriptor, False)
        return self._descriptor


@contextlib.contextmanager
def spawning() -> Iterator[Heirs]:
    """Within this, what passes only to new processes is pickled for Workers that are about to be started."""
    heirs = Heirs()
    registered: dict[Any, Any] = getattr(reduction.ForkingPickler, "_extra_reducers", {})
    added = {kind: reduce for kind, reduce in registered.items() if kind not in copyreg.dispatch_table}
    added |= dict.fromkeys(_semaphores(), _reduce_semaphore)
    before: Any = context.get_spawning_popen()
    context.set_spawning_popen(heirs)  # type: ignore[arg-type]
    copyreg.dispatch_table.update(added)
    try:
        yield heirs
    finally:
        context.set_spawning_popen(before)
        for kind in added:
            del copyreg.dispatch_table[kind]


def _semaphores() -> tuple[type, ...]:
    module = sys.modules.get("multiprocessing.synchronize")
    if module is None:
        return ()
    return module.Lock, module.RLock, module.Semaphore, module.BoundedSemaphore


def _reduce_semaphore(lock: Any) -> Any:
    """As its own way, but before Python 3.11 a lock of a fork context does not know that it is one: it has no name."""
    reduced = lock.__reduce_ex__(2)
    if reduced[2][-1] is None:
        raise RuntimeError(f"it was {_OF_FORK}")
    return reduced


def advice(error: BaseException) -> str:
    """Return what to do about an object of this kind that was not pickled; "" for any other error."""
    text = str(error)
    if _OF_FORK in text:
        return "It was made in a fork context, which other processes cannot join. " + HINT
    return HINT if _ONLY_INHERITED in text else ""


def attend() -> None:
    """Have ends of pipes sent as ``multiprocessing`` sends them, with the descriptor; a plain pickle has its number."""
    connection = sys.modules.get("multiprocessing.connection")
    if connection is not None:
        copyreg.pickle(connection.Connection, connection.reduce_connection)
        return
    plain: Any = reduction.register

    def register(kind: Any, reduce: Any) -> None:
        plain(kind, reduce)
        if kind.__name__ == "Connection":
            copyreg.pickle(kind, reduce)

    reduction.register = register  # type: ignore[assignment]
