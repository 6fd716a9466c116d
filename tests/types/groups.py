"""A group submits and maps as ``futures`` does, and takes any Future."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator

from typing_extensions import assert_type

from fedfutures import Executor, Future, futures
from fedfutures.futures import Group, GroupStatistics


def length(text: str) -> int:
    return len(text)


with futures.group("words", priority=2) as words:
    assert_type(words, Group)
    assert_type(words.submit(length, "a"), Future[int])
    assert_type(words.map(length, ["a"]), Iterator[int])
    assert_type(words.options(priority=3).submit(length, "b"), Future[int])
    words.add(concurrent.futures.Future[str]())

assert_type(words.statistics(), GroupStatistics)
assert_type(words.statistics().seconds, float)
assert_type(words.cancel(), int)
assert_type(Executor(mode="serial").group("words").submit(length, "c").result(), int)
for each in words:
    each.done()

words.add(length)  # type: ignore[arg-type]
