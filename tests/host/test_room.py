"""How many Workers a machine has room for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fedfutures.host.room import (
    WORKER_BYTES,
    WORKERS_PER_PROCESSOR,
    available_memory,
    refusal,
    warning,
)
from fedfutures.host.system import memory


@given(st.integers(1, 10_000), st.integers(0, 1 << 37))
def test_what_is_said_to_fit_is_not_refused(workers: int, available: int) -> None:
    why = refusal(workers, available, "tower")
    assert (why is None) == (not available or workers * WORKER_BYTES <= available)
    if why is not None:
        most = int(why.rpartition("at most ")[2].removesuffix(" fit").replace(",", ""))
        assert most == 1 or refusal(most, available, "tower") is None
        assert most < workers or workers == 1


def test_many_workers_are_warned_of() -> None:
    assert warning(WORKERS_PER_PROCESSOR, 1, "tower") is None
    assert "has 1 processor for 5 Workers" in str(warning(WORKERS_PER_PROCESSOR + 1, 1, "tower"))


def test_some_memory_is_available() -> None:
    assert 0 < available_memory() <= memory()
