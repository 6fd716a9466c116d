"""The ends of maps that nobody read: their inputs are read on, within bounds, and what is left out is said."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from fedfutures.futures import ends
from fedfutures.futures.mapping import MapOptions, mapped
from fedfutures.futures.serial import Serial


def begun(node: Serial, made: list[int], items: Any, **options: Any) -> Any:
    """Begin a map, and hold its iterator: it is read later."""
    return mapped(node, made.append, (items,), MapOptions(chunksize=1, **options))


def test_an_end_makes_all_calls() -> None:
    node, made = Serial(), list[int]()
    results = begun(node, made, iter(range(5)))
    assert len(made) < 5
    [feeder] = ends.open_maps(node)
    assert ends.what_is_open(node) == "the rest of map(list.append) was"
    ends.shut(node, wait=True, cancel_futures=False)
    assert made == list(range(5))
    assert (ends.open_maps(node), feeder.is_done()) == ([], True)
    assert len(list(results)) == 5


def test_an_end_that_cancels_makes_no_more() -> None:
    node, made = Serial(), list[int]()
    results = begun(node, made, iter(range(5)))
    count = len(made)
    ends.shut(node, wait=True, cancel_futures=True)
    assert len(made) == count
    with pytest.raises(BaseException, match=r"^$") as caught:
        list(results)
    assert type(caught.value).__name__ == "CancelledError"


def test_an_input_without_end_is_given_up_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ends, "SECONDS_AT_MOST", 0.05)
    node, made = Serial(), list[int]()
    results = begun(node, made, iter(lambda: 1, None))
    ends.shut(node, wait=True, cancel_futures=False)
    said = capsys.readouterr().err
    assert said.startswith("fedfutures: the input of map(list.append) had not come to its end after ")
    assert "are made, the others are left out. Give it an end" in said
    with pytest.raises(RuntimeError, match="had not come to its end"):
        list(results)
    assert ends.open_maps(node) == []


def test_an_input_that_raises_ends_its_map_alone(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Any:
        yield 1
        raise OSError("disk")

    node, made = Serial(), list[int]()
    others = [begun(node, made, broken()), begun(node, made, itertools.chain([2, 3, 4]))]
    assert ends.what_is_open(node) == "the rest of 2 maps were"
    ends.shut(node, wait=True, cancel_futures=False)
    assert sorted(made) == [1, 2, 3, 4]
    assert len(list(others[1])) == 3
    with pytest.raises(OSError, match="disk"):
        list(others[0])


def test_maps_of_a_node_that_is_forgotten() -> None:
    node = Serial()
    results = begun(node, [], iter(range(5)))
    ends.forget(node)
    assert ends.open_maps(node) == ends.open_maps(None) == []
    assert ends.what_is_open(node) == ""
    results.close()
