"""ezpool's JobManager."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedfutures.compat.ezpool import BaseWorker, EchoWorker, JobManager

pytestmark = pytest.mark.host
FIRST, SECOND = "PYRO:worker@localhost:21000", "PYRO:worker@localhost:21001"


class Adds(BaseWorker):
    def run(self, first: int, second: int) -> int:
        return first + second


class Fails(BaseWorker):
    def run(self, item: int) -> float:
        return 1 / item


def sleeps(item: float) -> float:
    time.sleep(item)
    return item


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def manager(request: pytest.FixtureRequest) -> Iterator[JobManager]:
    found = JobManager(request.param)
    yield found
    found.shutdown()


@pytest.mark.parametrize("manager", [EchoWorker], indirect=True)
def test_workers_come_and_go(manager: JobManager, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="No workers available"):
        manager.map([1])
    for uri in (FIRST, SECOND, FIRST):
        manager.add_worker(uri)
    assert (len(manager), FIRST in manager, manager.workers) == (2, True, {FIRST, SECOND})
    manager.close_worker(FIRST)
    manager.close_worker(FIRST)
    assert manager.map([(1, 2), "a", 3]) == {(1, 2): (1, 2), "a": "a", 3: 3}
    manager.shutdown()
    assert capsys.readouterr().out.splitlines() == [
        f"Worker {FIRST} is available", f"Worker {SECOND} is available", f"Worker {FIRST} has been closed",
        f"Worker {FIRST} is not present in the pool", f"Worker {SECOND} has been closed",
    ]  # fmt: skip


@pytest.mark.parametrize("manager", [Adds], indirect=True)
def test_a_tuple_is_several_arguments(manager: JobManager) -> None:
    manager.add_worker(FIRST)
    found: dict[Any, Any] = manager.map([(1, 2), (3, 4)])
    assert found == {(1, 2): 3, (3, 4): 7}


@pytest.mark.parametrize("manager", [Fails], indirect=True)
def test_an_error_is_a_value(manager: JobManager) -> None:
    manager.add_worker(FIRST)
    found = manager.map([0, 2])
    assert (type(found[0]), found[2]) == (ZeroDivisionError, 0.5)


@pytest.mark.parametrize("manager", [sleeps], indirect=True)
def test_a_function_will_do_and_several_run_at_once(manager: JobManager) -> None:
    for uri in (FIRST, SECOND):
        manager.add_worker(uri)
    assert manager.map([0.01, 0.02, 0.03]) == {0.01: 0.01, 0.02: 0.02, 0.03: 0.03}


@pytest.mark.parametrize("manager", [None], indirect=True)
def test_without_a_class_there_is_nothing_to_run(manager: JobManager) -> None:
    manager.add_worker(FIRST)
    with pytest.raises(TypeError, match="give fun="):
        manager.map([1])
