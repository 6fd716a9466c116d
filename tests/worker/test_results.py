"""Values on their way: small ones by plain pickle, slices without the items that cannot travel."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from fedfutures.errors import ResultNotPicklable
from fedfutures.wire.failures import load_failure
from fedfutures.wire.payload import Payloads
from fedfutures.worker.results import dump_result
from fedfutures.worker.slices import Slice


def work(item: int) -> Any:
    return threading.Lock() if item % 2 else item


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("not written by this")


@pytest.mark.parametrize("value", [None, True, 1.5, 2j, "a" * 999, -(1 << 63) + 1, (1 << 63) - 1])
def test_small_values_are_written_by_pickle_itself(value: Any) -> None:
    assert pickle.loads(dump_result(value, Payloads(), work, dump=refuse)) == value


@pytest.mark.parametrize("value", ["a" * 1000, 1 << 63, -(1 << 63), [], b""])
def test_other_values_are_written_by_the_payloads_alone_on_their_way(value: Any) -> None:
    written: list[tuple[Any, dict[str, Any]]] = []

    def dump(given: Any, **options: Any) -> bytes:
        written.append((given, options))
        return b"written"

    assert dump_result(value, Payloads(), work, dump=dump) == b"written"
    assert written == [(value, {"alone": True})]


def test_a_value_that_cannot_travel_is_named_with_its_function() -> None:
    with pytest.raises(ResultNotPicklable, match="work"):
        dump_result(threading.Lock(), Payloads(), work)


def test_of_a_slice_only_the_items_that_cannot_travel_fail() -> None:
    payloads = Payloads()
    wrapper: Any = Slice(work).bind(payloads)
    columns = ([2, 3, 4, 5],)
    result = ([2, work(3), None, work(5)], [(2, b"failed before")], 0.5)
    values, failures, seconds = payloads.load(dump_result(result, payloads, wrapper, columns))
    assert (values, seconds) == ([2, None, None, None], 0.5)
    assert [place for place, _ in failures] == [1, 2, 3]
    assert failures[1][1] == b"failed before"
    error = load_failure(failures[2][1], payloads)
    assert isinstance(error, ResultNotPicklable)
    assert "work" in str(error)
