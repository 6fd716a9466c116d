"""Calls without a Federation: each has run when ``submit`` returns."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures import Executor, Retries, futures
from fedfutures.errors import LimitsNotKept
from fedfutures.futures.serial import Serial
from fedfutures.worker.call_terms import CallTerms, checked_terms


def test_a_call_has_run() -> None:
    node = Serial()
    future = node.submit(pow, (2, 5), {}, CallTerms(priority=-3))
    assert (future.done(), future.result(), repr(future)) == (True, 32, "<Future pow(…) returned int>")
    assert node.submit(dict, (), {"a": 1}).result() == {"a": 1}


def test_a_limit_that_is_not_kept_is_said() -> None:
    with pytest.warns(LimitsNotKept, match="python -m fedfutures"):
        assert Serial().submit(abs, (-1,), {}, checked_terms(time_limit=1.0)).result() == 1
    with pytest.warns(LimitsNotKept, match="its limits are not kept"):
        assert Serial().submit(abs, (-1,), {}, checked_terms(memory="1G")).result() == 1
    with pytest.warns(LimitsNotKept):
        assert list(futures.map(abs, [-1, 2], time_limit=1.0)) == [1, 2]


def test_what_it_raises_is_kept() -> None:
    future = Serial().submit(int, ("x",), {})
    assert isinstance(future.exception(), ValueError)
    assert isinstance(Serial().submit(exit, (3,), {}).exception(), SystemExit)


def test_an_interrupt_is_the_programs() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Serial().submit(interrupted, (), {})


def test_a_future_is_no_argument_and_a_value_no_function() -> None:
    node = Serial()
    future = node.submit(abs, (-1,), {})
    for args, kwargs in (((future,), {}), ((), {"x": future})):
        with pytest.raises(TypeError, match="cannot pickle a Future"):
            node.submit(print, args, kwargs)
    wrong: Any = 4
    with pytest.raises(TypeError, match="takes a function first"):
        node.submit(wrong, (), {})


def test_a_submitter_says_that_nothing_travels() -> None:
    submitter = Serial().submitter(abs)
    submitter.attend(lambda: True)
    future, size = submitter((-3,))
    assert (future.result(), size, submitter.digest) == (3, 0, b"")
    submitter.close()


def test_constants_are_kept() -> None:
    node = Serial()
    node.share("answer", 42)
    assert node.constants == {"answer": 42}
    assert node.cancel_all([]) == 0


def test_calls_are_tried_again_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    tried: list[int] = []

    def fails(times: int) -> int:
        tried.append(times)
        if len(tried) <= times:
            raise OSError(f"try {len(tried)}")
        return len(tried)

    with Executor(mode="serial") as executor:
        again = executor.options(retries=Retries(2, on=OSError, delay=1.0))
        assert again.submit(fails, 2).result() == 3
        assert slept == [1.0, 2.0]
        tried.clear()
        error = again.submit(fails, 9).exception()
        assert (str(error), len(tried)) == ("try 3", 3)
        assert getattr(error, "__notes__", [""])[-1].startswith("tried 3 times in ")
        tried.clear()
        assert isinstance(executor.options(retries=Retries(2, on=KeyError)).submit(fails, 9).exception(), OSError)
        assert len(tried) == 1
        tried.clear()
        found = executor.map(fails, [1, 9], retries=1, return_exceptions=True)
        assert [type(one).__name__ for one in found] == ["int", "OSError"]


def test_an_interrupt_ends_the_wait_for_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    with Executor(mode="serial") as executor, pytest.raises(KeyboardInterrupt):
        executor.options(retries=Retries(1)).submit(int, "x")
