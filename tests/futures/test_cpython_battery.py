"""CPython's own tests of executors, ``wait`` and ``as_completed``, where the interpreter comes with them."""

from __future__ import annotations

import importlib
import sys
import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from fedfutures import Executor, futures

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
PACKAGE = "test.test_concurrent_futures"
if sys.version_info < (3, 12):  # those of one version are enough: they wait a lot
    pytest.skip("CPython's own tests run on the newest Python", allow_module_level=True)
pytest.importorskip(PACKAGE)
NOT = {
    "test_no_stale_references": "what was found of a callable is kept for its next call, and the callable with it",
}
"""What does not hold, and why."""


def theirs(name: str) -> ModuleType:
    """Return their module of this name."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def names_of(kind: type) -> list[str]:
    return sorted(name for name in dir(kind) if name.startswith("test_") and name not in NOT)


CASES = [
    (module, name, test)
    for module, name in (
        ("executor", "ExecutorTest"), ("test_wait", "WaitTests"), ("test_as_completed", "AsCompletedTests"),
    )
    for test in names_of(getattr(theirs(module), name))
]  # fmt: skip


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(3) as found:
        yield found


@pytest.fixture
def own() -> Iterator[Executor]:
    with Executor(3) as found:
        yield found


def run(module: str, name: str, test: str, executor: Executor) -> None:
    fields: dict[str, Any] = {"executor_type": Executor, "worker_count": 3, "executor": executor}
    case = type("Case", (getattr(theirs(module), name), unittest.TestCase), fields)
    getattr(case(test), test)()


@pytest.mark.parametrize(("module", "name", "test"), CASES)
def test_of_cpython(module: str, name: str, test: str, request: pytest.FixtureRequest) -> None:
    run(module, name, test, request.getfixturevalue("own" if "shutdown" in test else "executor"))


@pytest.mark.parametrize(("module", "name", "test"), [case for case in CASES if case[1] == "AsCompletedTests"])
def test_of_cpython_with_our_as_completed(
    module: str, name: str, test: str, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Their ``wait`` is another matter: to it, a Future that was cancelled is not done until its executor notices."""
    monkeypatch.setattr(theirs(module), "futures", futures)
    run(module, name, test, executor)


def test_there_are_some() -> None:
    assert len(CASES) >= 18
