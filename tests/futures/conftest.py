"""Nothing in these tests may wait for ever, not even for what the main thread waits for in this process."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from fedfutures import Executor

TEST_SECONDS = 40


@pytest.fixture(autouse=True)
def _ends_in_time() -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise AssertionError(f"not done within {TEST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module", params=[1, 2], ids=["one Broker", "two Brokers"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Two Workers, under one Broker and under two."""
    with Executor(max_workers=2, brokers=request.param) as executor:
        yield executor
    gc.collect()
