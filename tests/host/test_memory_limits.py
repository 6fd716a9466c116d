"""The memory limits that the host process keeps: when it looks, at whom, and whom it ends; with real processes."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from launching import eventually

from fedfutures.host import crash_cells
from fedfutures.host.crash_cells import CrashCells
from fedfutures.host.marks import Mark
from fedfutures.host.memory_limits import IDLE_EVERY, MemoryLimits, seen
from fedfutures.host.memory_use import LOOK_SECONDS, used_by
from fedfutures.supervision.memory_use import Overuse, Usage
from fedfutures.supervision.overruns import AloneFuture

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
MIB = 1 << 20


class Process:
    """A forked process of 64 MiB, as its host process sees it."""

    def __init__(self) -> None:
        self.slot, self.box = 0, CrashCells()
        read, write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            faulthandler.disable()  # of pytest
            kept = bytearray(os.urandom(1)) * (64 * MIB)
            os.write(write, b"x")
            signal.pause()
            os._exit(len(kept))
        os.read(read, 1)
        os.close(read)
        os.close(write)

    @property
    def cells(self) -> Any:
        return self.box

    def alone(self) -> AloneFuture | None:
        found = self.box.alone()
        return None if found is None else AloneFuture(found[0], found[1], found[2] / 1e9)

    def set(self, **values: int) -> None:
        for name, value in values.items():
            self.box.cells[getattr(crash_cells, name)] = value

    def ended(self) -> int:
        """Return the number of the signal that has ended it; 0 if it lives."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return -os.waitstatus_to_exitcode(status) if pid else 0


@pytest.fixture
def process() -> Iterator[Any]:
    made = Process()
    yield made
    try:
        os.kill(made.pid, signal.SIGKILL)
        os.waitpid(made.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    made.box.close()


def wait_for_end(process: Any) -> int:
    """Return the number of the signal that has ended it; 0: it lives."""
    found: list[int] = []
    assert eventually(lambda: bool(found.append(process.ended()) or found[-1]), 5.0)
    return found[-1]


def test_nothing_is_looked_at_while_nothing_is_limited(process: Any) -> None:
    limits = MemoryLimits(Mark())
    process.set(READY=1, PIECE=1, NUMBER=1)
    limits.look([process], 1.0)
    assert (limits.next_deadline(), process.ended(), limits.end(process)) == (None, 0, None)


def test_a_future_that_uses_more_than_it_may_is_ended(process: Any) -> None:
    limits, used = MemoryLimits(Mark()), used_by(process.pid)
    begun = used - 30 * MIB
    process.set(READY=1, ALONE_PIECE=3, ALONE_NUMBER=7, OVER_AT=1 << 60, BEGUN_BYTES=begun, MAY_USE=40 * MIB)
    limits.look([process], 1.0)
    assert (limits.next_deadline(), process.ended()) == (1.0 + LOOK_SECONDS, 0)
    process.set(MAY_USE=20 * MIB)
    limits.look([process], 1.1)
    assert wait_for_end(process) == signal.SIGABRT
    assert limits.end(process) == Overuse(3, 7, used - begun, 0)


def test_it_is_killed_if_that_does_not_help(process: Any) -> None:
    limits = MemoryLimits(Mark(), 32 * MIB)
    assert limits.next_deadline() == 0.0
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)  # from now on no other signal reaches it
    process.set(READY=1, PIECE=2, NUMBER=5)
    limits.look([process], 1.0)
    limits.look([process], 2.0)
    assert wait_for_end(process) == signal.SIGKILL
    overuse = limits.end(process)
    assert overuse is not None
    assert (overuse.piece, overuse.number, overuse.bound) == (2, 5, 32 * MIB)


def test_a_worker_that_is_not_ready_is_not_looked_at(process: Any) -> None:
    limits = MemoryLimits(Mark(), 32 * MIB)
    process.set(PIECE=2, NUMBER=5)
    limits.look([process], 1.0)
    assert process.ended() == 0


def test_the_future_that_waits_is_to_blame_where_nothing_runs(process: Any) -> None:
    limits = MemoryLimits(Mark(), 32 * MIB)
    process.set(READY=1, WAITS_PIECE=4, WAITS_NUMBER=6)
    limits.look([process], 1.0)
    assert wait_for_end(process) == signal.SIGABRT
    overuse = limits.end(process)
    assert overuse is not None
    assert (overuse.piece, overuse.number) == (4, 6)


def test_one_that_rests_is_asked_to_leave_and_looked_at_now_and_then(process: Any) -> None:
    limits = MemoryLimits(Mark(), 32 * MIB)
    process.set(READY=1, READY_BYTES=128 * MIB, PIECE=1, NUMBER=1)
    process.set(PIECE=0)
    limits.look([process], 1.0)
    assert process.ended() == 0, "it was as large when it began"
    process.set(READY_BYTES=MIB)
    for look in range(1, IDLE_EVERY):
        limits.look([process], 1.0 + look * LOOK_SECONDS)
    assert process.ended() == 0
    limits.look([process], 2.0)
    assert wait_for_end(process) == signal.SIGTERM


def test_what_is_seen_of_a_worker(process: Any) -> None:
    process.set(READY=1, READY_BYTES=5, ALONE_PIECE=3, ALONE_NUMBER=7, OVER_AT=9, BEGUN_BYTES=6, MAY_USE=8)
    assert seen(process, 11) == Usage(11, 5, None, (3, 7), 6, 8)
    process.set(OVER_AT=0, PIECE=1, NUMBER=2)
    assert seen(process, 11) == Usage(11, 5, (1, 2), None, 6, 0)
