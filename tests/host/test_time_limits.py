"""The time limits of Futures: read from the memory of Workers, when one wakes the host process or a time is over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.host.crash_cells import LOOK_AT
from fedfutures.host.marks import Mark
from fedfutures.host.memory_limits import MemoryLimits
from fedfutures.host.memory_use import LOOK_SECONDS
from fedfutures.host.time_limits import TimeLimits
from fedfutures.supervision.actions import AbortWorker
from fedfutures.supervision.machine import HostMachine
from fedfutures.supervision.overruns import AloneFuture


def child(slot: int, limited: AloneFuture | None) -> Any:
    cells = SimpleNamespace(cells=[0] * 24)
    cells.look_at = lambda at: cells.cells.__setitem__(LOOK_AT, at)
    cells.memory = lambda: (0, 0, 0)
    return SimpleNamespace(slot=slot, pid=0, cells=cells, alone=lambda: limited)


@pytest.fixture
def time_limits() -> TimeLimits:
    machine = HostMachine("h", 2)
    machine.begin()
    return TimeLimits(machine, MemoryLimits(Mark()))


def test_it_does_not_look_before_it_is_woken(time_limits: TimeLimits) -> None:
    workers = [child(0, AloneFuture(1, 1, 5.0))]
    assert time_limits.tick(workers, 9.0) == []
    time_limits.on_wake()
    assert time_limits.tick(workers, 9.0) == [AbortWorker(0)]


def test_workers_learn_when_it_looks_next(time_limits: TimeLimits) -> None:
    workers = [child(0, AloneFuture(1, 1, 5.0)), child(1, None)]
    time_limits.on_wake()
    assert time_limits.tick(workers, 4.5) == []
    assert time_limits.next_deadline() == 5.0
    assert [one.cells.cells[LOOK_AT] for one in workers] == [5_000_000_000] * 2
    assert time_limits.tick(workers, 4.9) == []
    assert time_limits.tick(workers, 5.0) == [AbortWorker(0)]
    assert time_limits.tick([child(0, None)], 6.0) == []
    assert time_limits.next_deadline() is None


def test_what_is_used_is_looked_at_more_often() -> None:
    machine = HostMachine("h", 2)
    time_limits = TimeLimits(machine, MemoryLimits(Mark(), 1 << 30))
    workers = [child(0, None)]
    workers[0].cells.ready = False
    assert time_limits.next_deadline() == 0.0
    time_limits.tick(workers, 4.0)
    assert time_limits.next_deadline() == 4.0 + LOOK_SECONDS
    assert workers[0].cells.cells[LOOK_AT] == int((4.0 + LOOK_SECONDS) * 1e9), "nobody need wake it before"
