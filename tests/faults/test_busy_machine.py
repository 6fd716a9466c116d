"""A machine with far more to do than it can: everything takes longer, and nobody counts as dead."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import tasks
from started import overheard

from fedfutures.federation.link import SILENT_AFTER_SECONDS
from fedfutures.wire.control import BrokerRestarted, Notice, WorkerEnded

pytestmark = pytest.mark.host
HOGS_PER_PROCESSOR = 10
SECONDS = 120.0


@contextlib.contextmanager
def hogs() -> Iterator[None]:
    """Keep all processors busy many times over."""
    count = HOGS_PER_PROCESSOR * len(os.sched_getaffinity(0))
    running = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in running:
            hog.kill()
        for hog in running:
            hog.wait()


@pytest.mark.fault("B7")
def test_a_machine_that_is_overloaded_kills_nobody() -> None:
    """For longer than any silence that counts, with Brokers that are each other's neighbours."""
    said: list[Any] = []
    executor, _ = overheard(said.append, 2, brokers=2)
    with executor:
        assert executor.submit(tasks.square, 2).result(timeout=SECONDS) == 4
        with hogs():
            end = time.monotonic() + SILENT_AFTER_SECONDS + 0.5
            while time.monotonic() < end:
                futures = [executor.submit(tasks.square, number) for number in range(20)]
                assert [future.result(timeout=SECONDS) for future in futures] == [number**2 for number in range(20)]
    assert [frame for frame in said if isinstance(frame, (WorkerEnded, BrokerRestarted, Notice))] == []
