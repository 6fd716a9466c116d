"""What cannot travel is named in one sentence: the part that is to blame, what it is, and what to do instead."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fedfutures.wire import culprits, functions
from fedfutures.wire.culprits import culprit, of_arguments, of_function, of_result
from fedfutures.wire.functions import FunctionCache
from fedfutures.wire.payload import Payloads


class Holder:
    """Holds something in an attribute."""

    def __init__(self, lock: Any) -> None:
        self.lock = lock

    def method(self) -> Any:
        return self.lock


class Slotted:
    __slots__ = ("lock",)

    def __init__(self, lock: Any) -> None:
        self.lock = lock


class Unpicklable:
    """No instance of it can be pickled."""

    def __reduce__(self) -> Any:
        raise ValueError("never")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([threading.Lock()], "args[0]"),
        ((1, 2, {"key": [threading.Lock()]}), "args[2]['key'][0]"),
        ([Holder(1), Holder(threading.Lock())], "args[1].lock"),
        ([Slotted(threading.Lock())], "args[0].lock"),
        (Unpicklable(), "args"),
        ([1, 2], "args"),
        ([Holder], "args"),
        ([concurrent.futures.Future()], "args[0]"),
    ],
)
def test_culprit(value: Any, path: str) -> None:
    assert culprit(value, "args")[0] == path


def test_culprit_of_something_endless() -> None:
    holder = Holder(None)
    holder.lock = [holder, threading.Lock()]
    assert culprit(holder, "args")[0].startswith("args.lock[0].lock[0].lock")


def test_a_class_has_no_parts() -> None:
    """Its dictionary is full of things that cannot be pickled alone."""
    assert culprits.parts_of(Holder) == []


def captured(lock: Any) -> Callable[..., Any]:
    return lambda: lock


def with_default(lock: Any) -> Callable[..., Any]:
    def reads(number: int, lock: Any = lock) -> Any:
        return number, lock

    return reads


async def nothing() -> None:
    pass


def refused(dump: Callable[[], object]) -> Exception:
    with pytest.raises((pickle.PicklingError, TypeError, ValueError)) as raised:
        dump()
    return raised.value


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (captured, r"the lambda at test_culprits.py:75 uses 'lock' (a _thread.lock), which cannot travel. "
                   r"Make it inside the function, or pass its data."),
        (with_default, r"with_default.reads at test_culprits.py:79 uses 'lock' (a _thread.lock), which cannot travel. "
                       r"Make it inside the function, or pass its data."),
        (lambda lock: captured([lock]), "uses 'lock[0]' (a _thread.lock)"),
        (lambda lock: captured(captured(lock)), "uses 'lock' (a _thread.lock)"),
        (lambda lock: Holder(lock).method, "Holder.method at test_culprits.py:28 uses 'self.lock' (a _thread.lock)"),
        (lambda lock: functools.partial(print, lock), "print uses 'args[0]' (a _thread.lock)"),
        (lambda lock: captured(Unpicklable()), "(a test_culprits.Unpicklable), which cannot travel: never."),
    ],
)  # fmt: skip
def test_functions(make: Callable[[Any], Any], text: str) -> None:
    function = make(threading.Lock())
    error = refused(lambda: FunctionCache(Payloads()).define(function))
    assert text in of_function(function, error).replace("tests.wire.", "").replace("wire.", "")


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((1, threading.Lock()), {}, "pow() is given args[1] (a _thread.lock), which cannot travel. Make it inside"),
        ((1,), {"mod": [threading.Lock()]}, "pow() is given kwargs['mod'][0] (a _thread.lock), which"),
        ((concurrent.futures.Future(),), {}, "a concurrent.futures._base.Future), which cannot travel. "
                                             "Instead pass future.result(), or submit inside a Future."),
        ((i for i in ()), {}, "a generator), which cannot travel. Pass list(...) of it."),
        ((io.StringIO(),), {}, "pow() is given"),
    ],
    ids=str,
)  # fmt: skip
def test_arguments(args: Any, kwargs: dict[str, Any], text: str) -> None:
    args = args if isinstance(args, tuple) else (args,)
    assert text in of_arguments(pow, args, kwargs, TypeError("cannot pickle 'x' object"))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: (i for i in ()), "work() returned a generator, which cannot travel. Return list(...) of it."),
        (lambda: map(abs, [], []), "work() returned a map, which cannot travel"),
        (lambda: {"a": [threading.Lock()]},
         "work() returned a dict with result['a'][0] (a _thread.lock), which cannot travel. Return its data."),
        (lambda: concurrent.futures.Future(), "Return its result: future.result()."),
        (nothing, "Return asyncio.run(...) of it."),
    ],
)  # fmt: skip
def test_results(make: Callable[[], Any], text: str) -> None:
    value = make()
    assert text in of_result("work", value, TypeError("cannot pickle it"))
    if asyncio.iscoroutine(value):
        value.close()


def test_what_makes_a_definition_too_large_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_DEFINITION_AT_MOST_BYTES", 10_000)
    small, data = 1, b"x" * 10_000
    function = lambda: (small, data)  # noqa: E731
    error = refused(lambda: FunctionCache(Payloads()).define(function))
    assert "more than 10,000; large values travel as arguments or by shared.set. Most of it is 'data'." in of_function(
        function, error
    )


class Hungry:
    """Needs more memory than there is, when it is to travel."""

    def __reduce__(self) -> Any:
        raise MemoryError


def test_memory_that_is_short_is_named() -> None:
    assert "MemoryError, there is not enough memory" in of_result("f", Hungry(), MemoryError())
