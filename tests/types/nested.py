"""A Future that submits: its own type and that of what it waits for."""

from __future__ import annotations

from typing_extensions import assert_type

from fedfutures import Executor, Future, futures


def fib(n: int) -> int:
    if n < 2:
        return n
    left, right = futures.submit(fib, n - 1), futures.submit(fib, n - 2)
    assert_type(left, Future[int])
    return left.result() + right.result()


def total(executor: Executor, parts: list[Future[int]]) -> Future[int]:
    return executor.submit(sum, [part.result() for part in parts])


assert_type(futures.submit(fib, 5), Future[int])
holder: dict[str, Future[int]] = {"five": futures.submit(fib, 5)}
alias = Future[int]
