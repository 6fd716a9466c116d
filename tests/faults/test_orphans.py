"""Processes that have left their Worker (two forks and a session of their own) end with it, however it ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import tasks
from launching import eventually
from started import overheard

from fedfutures import Executor

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel hands orphans to the host process"),
]
SECONDS = 20.0


def daemons_of_two(executor: Any) -> dict[int, list[int]]:
    """Have each of two Workers leave daemons; return them by Worker."""
    left: dict[int, list[int]] = {}

    def both() -> bool:
        for future in [executor.submit(tasks.leave_daemon) for _ in range(4)]:
            worker, daemon = future.result(timeout=SECONDS)
            left.setdefault(worker, []).append(daemon)
        return len(left) == 2

    assert eventually(both, SECONDS)
    assert all(alive(pid) for pids in left.values() for pid in pids)
    return left


def test_they_end_with_their_worker_and_no_others_do() -> None:
    with Executor(max_workers=2) as executor:
        left = daemons_of_two(executor)
        first, second = left
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: not any(map(alive, left[first])), SECONDS)
        assert executor.submit(tasks.square, 7).result(timeout=SECONDS) == 49
        assert all(map(alive, left[second]))


def test_they_end_with_a_worker_that_has_done_its_share() -> None:
    with Executor(max_workers=1, max_tasks_per_child=1) as executor:
        left = [executor.submit(tasks.leave_daemon).result(timeout=SECONDS)[1] for _ in range(3)]
        assert executor.submit(tasks.square, 7).result(timeout=SECONDS) == 49
        assert eventually(lambda: not any(map(alive, left)), SECONDS)


@pytest.mark.fault("C6")
def test_they_end_with_their_host_process() -> None:
    executor, handle = overheard()
    with executor:
        left = [pid for pids in daemons_of_two(executor).values() for pid in pids]
        os.kill(handle.facts["pid"], signal.SIGKILL)
        assert eventually(lambda: not any(map(alive, left)), SECONDS)


def alive(pid: int) -> bool:
    """Whether a process runs; a dead one may stay a zombie for long where nobody fetches orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
