"""How many Workers a machine has room for."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.host.room import (
    WORKER_BYTES,
    WORKERS_PER_PROCESSOR,
    available_memory,
    limit_warning,
    refusal,
    warn_of_limit,
    warning,
    warnings_of,
)
from fedfutures.host.settings import Settings
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


@given(st.integers(1, 1000), st.integers(0, 1 << 34), st.integers(0, 1 << 37))
def test_workers_that_may_use_more_than_there_is_are_warned_of(workers: int, bound: int, available: int) -> None:
    text = limit_warning(bound, workers, available, "tower")
    assert (text is None) == (not available or workers * bound <= available)


def test_a_program_is_warned() -> None:
    with pytest.warns(UserWarning, match="4 Workers on here may use 512.0 TiB each .memory_per_worker=.* are there"):
        warn_of_limit(Settings("here", 4, 4, memory_per_worker=1 << 49))


def test_what_is_known_of_a_host_decides() -> None:
    settings = Settings("far", 9, 9, memory_per_worker=1 << 30)
    assert len(warnings_of(settings, {"processors": 1, "memory": 1 << 30})) == 2
    assert warnings_of(settings, {"processors": 9, "memory": None}) == []
