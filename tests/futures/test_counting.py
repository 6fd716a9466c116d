"""Outcomes are counted as they come, and those who watch are told of each message."""

from __future__ import annotations

from typing import Any

import pytest
from nodes import node_of

import fedfutures
from fedfutures import Executor


def square(number: int) -> int:
    return number * number


def fail(number: int) -> None:
    raise ValueError(number)


def test_statistics_say_what_was_computed() -> None:
    with Executor(2) as executor:
        assert [executor.submit(square, number).result() for number in range(12)] == [n * n for n in range(12)]
        with pytest.raises(ValueError, match="7"):
            executor.submit(fail, 7).result()
        node = node_of(executor)
        computed = fedfutures.statistics()[node.name]["computed"]  # type: ignore[index]
    functions = computed["functions"]
    assert {name: (it["futures"], it["failed"]) for name, it in functions.items() if name != "int"} == {
        "square": (12, 0), "fail": (1, 1),
    }  # fmt: skip
    assert functions["square"]["p50"] <= functions["square"]["p99"]
    assert sum(it["futures"] for it in computed["workers"].values()) == computed["futures"]
    for worker in (*computed["workers"].values(), *computed["hosts"].values()):
        assert worker["p50"] <= worker["p99"]
    assert computed["per_second"] > 0.0
    assert computed["lost"] == computed["retries"] == 0


def test_who_watches_is_told_before_the_future_is_done() -> None:
    seen: list[tuple[str, int, list[bool]]] = []
    with Executor(1) as executor:
        node = node_of(executor)
        executor.submit(square, 2).result()  # what came before has come
        report: dict[str, Any] = {}

        def watch(action: Any, function: str) -> None:
            done = [node.futures[number].done() for number in action.ids]
            seen.append((function, len(action.ids), done))
            report.update(node.sights.report("status"))

        federation = vars(executor)["_federation"]
        federation.counting.watch(watch)
        executor.submit(square, 3).result()
    assert seen == [("square", 1, [False])]
    assert report["given"] == 1
