"""CPython's own tests of ``multiprocessing.Pool``, where the interpreter comes with them."""

from __future__ import annotations

import unittest
from typing import Any

import pytest

import fedfutures

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
theirs = pytest.importorskip("test._test_multiprocessing")
NOT = {
    "test_resource_warning": "it sets the field _state of theirs; one of ours that nobody closed ends by itself",
    "test_traceback": "the cause of an error is our own class, with the same text in it",
    "test_map_unplicklable": "it is a PicklingError here, which names the argument, and not what its __reduce__ raised",
    "test_imap_handle_iterable_exception": "results of the items before the input's error come first, of all of them",
    "test_make_pool": "it counts the processes in the field _pool; the other half is in test_pools.py",
}
"""What does not hold, and why."""
NAMES = sorted(name for name in dir(theirs._TestPool) if name.startswith("test_"))


@pytest.fixture(scope="module")
def case() -> Any:
    kind = type("Case", (theirs._TestPool, unittest.TestCase), {"TYPE": "processes", "Pool": fedfutures.Pool})
    kind.setUpClass()
    yield kind
    kind.tearDownClass()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT])
def test_of_cpython(case: Any, name: str) -> None:
    getattr(case(name), name)()


def test_what_does_not_hold_is_there() -> None:
    assert set(NOT) <= set(NAMES)
