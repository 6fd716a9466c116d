"""A program that has joined asks for fewer Workers, and for more again."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import eventually
from standing import standing

import fedfutures
from fedfutures.standing.joining import status_of

pytestmark = pytest.mark.host


def test_it_has_no_more_than_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with standing("lab", tmp_path, "-n", "4"), fedfutures.Executor(3, join="lab") as executor:

        def has(workers: int) -> bool:
            return eventually(lambda: [run["workers"] for run in status_of("lab").runs] == [workers], 10.0)

        results = executor.map(pow, range(100_000), [2] * 100_000)
        assert has(3)
        assert executor.resize(1) == 1
        assert has(1)
        assert executor.resize(3) == 3
        futures = [executor.submit(pow, number, 2) for number in range(100)]
        assert has(3)
        with pytest.raises(ValueError, match="this run has 3 Workers at most, and cannot have 4"):
            executor.resize(4)
        assert [future.result() for future in futures] == [number**2 for number in range(100)]
        assert list(results) == [number**2 for number in range(100_000)]
