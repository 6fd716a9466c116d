"""``submit`` gives a Future of what its function returns, and takes what its function takes."""

from __future__ import annotations

import functools
from typing import Any

from typing_extensions import assert_type

from fedfutures import Executor, Future, futures


def price(strike: float, *, rate: float = 0.0) -> float:
    return strike * rate


class Model:
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, steps: int) -> list[int]:
        return [steps]


assert_type(futures.submit(price, 1.0, rate=0.5), Future[float])
assert_type(futures.submit(Model, "a"), Future[Model])
assert_type(futures.submit(Model("a").run, 3).result(timeout=1.0), list[int])
assert_type(futures.submit(functools.partial(price, rate=0.1), 2.0).result(), float)
assert_type(futures.submit(lambda: "text").result(), str)
assert_type(futures.submit(price, 1.0).exception(), BaseException | None)

executor = Executor(max_workers=2)
assert_type(executor.submit(price, 1.0), Future[float])
assert_type(executor.submit(sum, [1.5, 2.5], 0.0).result(), float)

futures.submit(price, "x")  # type: ignore[arg-type]
futures.submit(price, 1.0, rat=0.5)  # type: ignore[call-arg]
futures.submit(4)  # type: ignore[arg-type]
executor.submit(price)  # type: ignore[call-arg]


def ask(any_function: Any) -> None:
    assert_type(futures.submit(any_function, 1, x=2), Future[Any])
