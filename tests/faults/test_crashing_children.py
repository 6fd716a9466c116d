"""Futures that crash their Workers, and those that have submitted them, which live on; real Workers are killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import crashing_functions as crashing
import pytest
from launching import launch

from fedfutures import Executor
from fedfutures.errors import PoisonedFuture

pytestmark = [pytest.mark.host, pytest.mark.once]

SECONDS = 20.0


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(2) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "started")


def started(path: str) -> Counter[str]:
    return Counter(Path(path).read_text().split())


@pytest.mark.parametrize(
    "function", [crashing.guarded, crashing.guarded_in_a_thread], ids=lambda function: str(function.__name__)
)
def test_a_parent_catches_the_crash_of_its_child(executor: Executor, path: str, function: Callable[..., str]) -> None:
    assert executor.submit(function, path).result(SECONDS) == "caught crash, 3"
    counts = started(path)
    assert counts["parent"] <= 2, "it runs again once, and not because of each crash"
    assert counts["child"] <= 4


def test_where_there_is_one_worker_only(path: str) -> None:
    with Executor(1) as executor:
        assert executor.submit(crashing.guarded, path).result(SECONDS) == "caught crash, 3"
    assert started(path) == {"parent": 2, "child": 4}


def test_other_items_of_its_map_are_right(executor: Executor, path: str) -> None:
    assert executor.submit(crashing.guarded_map, path).result(SECONDS) == ["PoisonedFuture", "int"]
    assert started(path)["parent"] <= 2


def test_a_grandchild(executor: Executor, path: str) -> None:
    assert executor.submit(crashing.guarded_below, path).result(SECONDS) == "caught crash, 3"
    assert started(path)["grandparent"] <= 3, "the grandchild may go to where it waits, and take it along once"


def test_a_parent_that_crashes_itself_is_counted(executor: Executor, path: str) -> None:
    with pytest.raises(PoisonedFuture, match="was running on 3 Workers"):
        executor.submit(crashing.crash_after_a_child, path).result(SECONDS)
    assert started(path)["parent"] == 3


LAUNCHED = """
import crashing_functions as crashing
from fedfutures import futures

if __name__ == "__main__":
    print(futures.submit(crashing.guarded, "started").result())
"""


def test_a_launched_program(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(LAUNCHED)
    (tmp_path / "crashing_functions.py").write_text(Path(crashing.__file__).read_text())
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.out.splitlines(), ended.code) == (["caught crash, 3"], 0), ended.err
    assert started(str(tmp_path / "started"))["parent"] <= 2
