"""Questions about the Federation, and its errors."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from fedfutures import errors, explain, futures, statistics

future = futures.submit(len, "abc")
assert_type(explain(future, timeout=1.0), str)
assert_type(statistics(), dict[str, dict[str, Any] | None])

try:
    future.result()
except errors.PoisonedFuture as error:
    assert_type(error.attempts, int)
    assert_type(error.call, str)
except errors.NoRoom as error:
    assert_type(error.places, list[tuple[str, int, str]])
except errors.StartFailed as error:
    assert_type(error.hosts, dict[str, str])

explain(3)  # type: ignore[arg-type]
