"""``starmap`` takes the arguments of calls: as tuples, and as ``futures.Arguments``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typing_extensions import assert_type

from fedfutures import Executor, futures
from fedfutures.futures import Arguments

executor = Executor(mode="serial")


def power(base: int, exponent: int = 2) -> int:
    return int(base**exponent)


assert_type(futures.starmap(power, [(2, 3), (3,)]), Iterator[int])
assert_type(futures.starmap(power, [(2,), Arguments(3, exponent=4)], chunksize=1), Iterator[int])
assert_type(executor.starmap(power, zip([1], [2])), Iterator[int])
assert_type(Arguments(1, x=2).kwargs, dict[str, Any])

futures.starmap(power, [1, 2])  # type: ignore[list-item]
