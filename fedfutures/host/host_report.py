"""What a host process says of its host when somebody asks what goes on in the run: processes, memory, stacks.

It reads what the kernel says of its processes, and the crash cells of the Workers. A stack is written by the Worker's
faulthandler, upon a signal, in whatever it is: it needs neither the interpreter's lock nor the Worker's main thread.
Sources: proc_pid_stat(5), proc_meminfo(5); Python's documentation, ``faulthandler.register``.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

from ..lazy_dataclass import dataclass
from .child import Child
from .dumps import stacks
from .memory_use import used_by
from .room import available_memory
from .system import memory, processors, words_in

STACK_SIGNAL = signal.SIGRTMIN + 9 if hasattr(signal, "SIGRTMIN") else None
"""Upon which a Worker writes down where it is; None: the system has none to spare."""
WRITE_SECONDS = 0.15
"""How long a Worker may take to write."""
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def write_stack_to(dump: int) -> None:
    """Have this process write down where its threads are, whenever it gets :data:`STACK_SIGNAL`."""
    if STACK_SIGNAL is not None:
        faulthandler.register(STACK_SIGNAL, dump, all_threads=True)


def status_of(host: str, children: Iterable[Child]) -> dict[str, Any]:
    """Return what is known of a host: its memory and load, and its Workers and Brokers."""
    return {
        "role": "host", "host": host, "pid": os.getpid(), "processors": processors(),
        "load": list(os.getloadavg()), "memory": memory(), "available": available_memory(),
        "processes": {child.name: _of_process(child) for child in children},
    }  # fmt: skip


def _of_process(child: Child) -> dict[str, Any]:
    state, seconds = _state_and_seconds(child.pid)
    running = child.cells.running()
    if child.role != "worker":
        doing = child.role
    elif state in ("T", "t"):
        doing = "stopped"
    elif not child.cells.ready:
        doing = "starting"
    else:
        doing = "idle" if running is None else "running"
    return {
        "role": child.role, "pid": child.pid, "doing": doing, "memory": used_by(child.pid), "cpu": seconds,
    }  # fmt: skip


def _state_and_seconds(pid: int) -> tuple[str, float]:
    """Return the state of a process, as the kernel names it, and how many seconds of processor time it has used."""
    words = words_in(f"/proc/{pid}/stat", behind=")")
    return (words[0], (int(words[11]) + int(words[12])) / _TICKS) if len(words) > 12 else ("", 0.0)


@dataclass(slots=True)
class WantedStacks:
    """Stacks that are being written, and whom to tell."""

    due: float
    workers: list[Child]
    tell: Callable[[dict[str, Any]], object]


class Stacks:
    """Has Workers write down where they are, and reads that a little later."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._wanted: list[WantedStacks] = []

    def want(self, workers: list[Child], now: float, tell: Callable[[dict[str, Any]], object]) -> None:
        """Have these Workers write, and tell somebody what they have written."""
        ready = [child for child in workers if child.cells.ready]
        for child in ready:
            if STACK_SIGNAL is not None:
                child.empty_dump()
                os.kill(child.pid, STACK_SIGNAL)
        self._wanted.append(WantedStacks(now + WRITE_SECONDS, ready, tell))

    def next_deadline(self) -> float | None:
        """Return when to call :meth:`tick`."""
        return min((one.due for one in self._wanted), default=None)

    def tick(self, now: float, living: Callable[[str], Child | None]) -> None:
        """Read what has been written by now of Workers that are still there."""
        due = [one for one in self._wanted if now >= one.due]
        self._wanted = [one for one in self._wanted if now < one.due]
        for one in due:
            found: dict[str, Any] = {}
            for child in one.workers:
                if living(child.name) is child:
                    state, _ = _state_and_seconds(child.pid)
                    found[child.name] = "" if state in ("T", "t") else stacks(child.read_dump())
                    child.empty_dump()  # it is for the dump of a crash
            one.tell({"role": "host", "host": self._host, "stacks": found})
