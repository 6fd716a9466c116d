"""``options()`` gives what submits and maps, typed as the functions of ``futures``."""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import assert_type

from fedfutures import Executor, Future, futures
from fedfutures.futures import CallOptions


def length(text: str) -> int:
    return len(text)


urgent = futures.options(priority=1, seed=42)
assert_type(urgent, CallOptions)
assert_type(urgent.submit(length, "a"), Future[int])
assert_type(urgent.map(length, ["a"], chunksize=1), Iterator[int])
assert_type(urgent.starmap(length, [("a",)]), Iterator[int])
assert_type(urgent.options(seed=[4, 2]), CallOptions)
assert_type(Executor(mode="serial").options(priority=2).submit(length, "a"), Future[int])

urgent.submit(length, 4)  # type: ignore[arg-type]
urgent.options(chunksize=3)  # type: ignore[call-arg]
futures.options(priority="high")  # type: ignore[arg-type]
