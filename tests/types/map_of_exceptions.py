"""``return_exceptions`` decides whether exceptions are among the values."""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import assert_type

from fedfutures import Executor, futures

numbers = [1, 2]
executor = Executor(mode="serial")


def halved(number: int) -> float:
    return number / 2


assert_type(futures.map(halved, numbers, return_exceptions=False), Iterator[float])
assert_type(futures.map(halved, numbers, return_exceptions=True), Iterator[float | BaseException])
assert_type(executor.map(halved, numbers, return_exceptions=True), Iterator[float | BaseException])
assert_type(executor.starmap(halved, [(1,)], return_exceptions=True), Iterator[float | BaseException])
assert_type(futures.starmap(halved, [(1,)], return_exceptions=False), Iterator[float])


def asked(keep: bool) -> None:
    assert_type(futures.map(halved, numbers, return_exceptions=keep), Iterator[float | BaseException])
