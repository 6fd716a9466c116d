"""A ``map`` with a checkpoint: items whose results are there are not computed, and stand in their places."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kept_functions as kept
import pytest

from fedfutures import Executor, futures
from fedfutures.errors import NotCheckpointable

Begin = Callable[[], Executor]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Return a function that begins a run with the checkpoint, after the end of the one before."""
    monkeypatch.setenv("KEPT_CALLS", str(tmp_path / "calls"))
    runs: list[Executor] = []

    def made() -> Executor:
        end()
        runs.append(Executor(mode="serial", checkpoint=tmp_path / "c"))
        return runs[-1]

    def end() -> None:
        while runs:
            runs.pop().shutdown()

    yield made
    end()


@pytest.mark.parametrize("given", [list, iter, tuple], ids=["list", "iterator", "tuple"])
@pytest.mark.parametrize("options", [{}, {"unordered": True}, {"chunksize": 3}, {"buffersize": 2}], ids=str)
def test_only_missing_items_are_computed(begin: Begin, given: Any, options: dict[str, Any]) -> None:
    assert list(begin().map(kept.work, [1, 4, 5])) == [[1, 0], [4, 0], [5, 0]]
    assert kept.calls() == ["1", "4", "5"]
    found = list(begin().map(kept.work, given(range(8)), **options))
    assert sorted(found) == [[item, 0] for item in range(8)]
    if "unordered" not in options:
        assert found == sorted(found)
    assert kept.calls() == ["0", "2", "3", "6", "7"]
    assert sorted(begin().map(kept.work, given(range(8)), **options)) == sorted(found)
    assert kept.calls() == []


def test_equal_items_are_as_many_results(begin: Begin) -> None:
    first = list(begin().map(kept.draw, [1] * 4))
    assert len(set(first)) == 4
    assert kept.calls() == ["1"] * 4
    again = list(begin().map(kept.draw, [1] * 6))
    assert (again[:4], kept.calls()) == (first, ["1"] * 2)


def test_seeds_are_part_of_the_key(begin: Begin) -> None:
    run = begin()
    first, other = list(run.map(kept.draw, range(3), seed=1)), list(run.map(kept.draw, range(3), seed=2))
    assert first != other
    assert len(kept.calls()) == 6
    run = begin()
    more = list(run.map(kept.draw, range(5), seed=1))
    assert (more[:3], kept.calls()) == (first, ["3", "4"])
    with Executor(mode="serial") as without:
        assert list(without.map(kept.draw, range(5), seed=1)) == more
    kept.calls()
    run = begin()
    assert run.options(seed=1).submit(kept.draw, 0).result() == first[0]
    assert run.options(seed=2).submit(kept.draw, 0).result() == other[0]
    assert kept.calls() == []
    assert run.options(seed=1).submit(kept.draw, 0).result() == first[0]
    assert kept.calls() == ["0"]  # the same call a second time in this run


def test_items_that_raise_are_computed_again(begin: Begin) -> None:
    found = list(begin().map(kept.work, [1, "bad", 2], return_exceptions=True))
    assert (found[0], found[2], kept.calls()) == ([1, 0], [2, 0], ["1", "bad", "2"])
    results = begin().map(kept.work, [1, 2, "bad", 3])
    assert [next(results), next(results)] == [[1, 0], [2, 0]]
    with pytest.raises(ValueError, match="bad") as error:
        next(results)
    assert "item 2 of map" in "".join(getattr(error.value, "__notes__", ["item 2 of map"]))
    with pytest.raises(StopIteration):
        next(results)


def test_an_item_without_content_ends_the_map_behind_those_before_it(begin: Begin) -> None:
    results = begin().map(kept.work, [1, 2, (n for n in ()), 3])
    assert [next(results), next(results)] == [[1, 0], [2, 0]]
    with pytest.raises(NotCheckpointable, match=r"item 2 of map: argument 1: builtins\.generator has no content"):
        next(results)
    assert kept.calls() == ["1", "2"]


def test_columns_and_contents_of_items(begin: Begin) -> None:
    items = [(1, 2), futures.Arguments(3, y=4)]
    for expected in (["1", "3", "5", "6"], []):
        run = begin()
        assert list(run.starmap(kept.work, items)) == [[1, 2], [3, 4]]
        assert list(run.map(kept.work, [5, 6], [7, 8])) == [[5, 7], [6, 8]]
        assert kept.calls() == expected


def test_an_input_without_end(begin: Begin) -> None:
    assert list(itertools.islice(begin().map(kept.work, itertools.count()), 50))[-1] == [49, 0]
    kept.calls()
    results = begin().map(kept.work, itertools.count())
    assert list(itertools.islice(results, 50))[-1] == [49, 0]
    results.close()  # type: ignore[attr-defined]
    assert len(kept.calls()) <= 10


def test_an_endless_input_of_known_items_is_not_read_without_end(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedfutures.futures.kept.AHEAD_AT_MOST", 5)
    list(begin().map(kept.work, range(20)))
    read: list[int] = []
    results = begin().map(kept.work, (read.append(item) or item for item in range(20)))  # type: ignore[func-returns-value]
    assert len(read) == 5
    assert list(results) == [[item, 0] for item in range(20)]
    monkeypatch.setattr("fedfutures.futures.kept.AHEAD_AT_MOST", 5)
    begin().map(kept.work, (item for item in range(25)))
    begin()
    assert kept.calls() == [str(item) for item in range(25)]  # of which the last five at the end, unread


def test_calls_are_made_though_nobody_reads(begin: Begin) -> None:
    begin().map(kept.work, range(9))
    begin()
    assert kept.calls() == [str(item) for item in range(9)]
    assert list(begin().map(kept.work, range(9))) == [[item, 0] for item in range(9)]
    assert kept.calls() == []


def test_one_map_alone_may_have_a_checkpoint(tmp_path: Path, begin: Begin) -> None:
    place = str(tmp_path / "other")
    begin()
    for expected in (["1", "2"], []):
        assert list(futures.map(kept.work, [1, 2], checkpoint=place)) == [[1, 0], [2, 0]]
        assert kept.calls() == expected
    assert list(futures.options(priority=1).map(kept.work, [1, 2, 3], checkpoint=place))[-1] == [3, 0]
    assert kept.calls() == ["3"]
