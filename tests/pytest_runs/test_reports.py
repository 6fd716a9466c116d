"""What comes of tests that ran elsewhere."""

from __future__ import annotations

import pickle
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.pytest.reports import has_failed, is_late, opened, warning_of
from fedfutures.pytest.suite import Exit


class HarshWarning(UserWarning):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one, two)


def warned(*names: str) -> Any:
    return warning_of("text", *names, "file.py", 3, "runtest", "a::b", None)["warning_message"]


def test_results_are_opened() -> None:
    said = [("report", {"nodeid": "a::b", "outcome": "passed"})]
    exit = Exit("enough", None, False)
    assert opened(pickle.dumps(said), "h1.1") == said
    assert opened("died", "h1.1") == "Worker h1.1: died"
    assert opened(exit, "h1.1") is exit
    assert str(opened(b"no pickle", "h1.1")).startswith("Worker h1.1: the reports of this test cannot be loaded: ")


@pytest.mark.parametrize(("result", "failed"), [
    ([("report", {"outcome": "passed"}), ("warning", ())], False),
    ([("report", {"outcome": "failed"})], True),
    ("the pytest process was killed by SIGSEGV in this test", True),
])  # fmt: skip
def test_what_has_failed(result: Any, failed: bool) -> None:
    assert has_failed(result) is failed


def test_reports_of_an_earlier_test_are_late() -> None:
    item: Any = SimpleNamespace(nodeid="a::b")
    assert [is_late(said, item) for said in (("report", {"nodeid": "a::a"}), ("report", {"nodeid": "a::b"}))] == [
        True, False,
    ]  # fmt: skip
    assert not is_late(("warning", ()), item)


def test_warnings_keep_their_category() -> None:
    found = warned("builtins", "DeprecationWarning")
    assert (found.category, str(found.message)) == (DeprecationWarning, "text")
    assert "file.py:3: DeprecationWarning: text" in warnings.formatwarning(
        found.message, found.category, found.filename, found.lineno
    )


@pytest.mark.parametrize("names", [("nowhere", "Odd"), (__name__, "HarshWarning"), ("builtins", "int")])
def test_a_warning_that_cannot_be_made_again_keeps_its_text(names: tuple[str, str]) -> None:
    found = warned(*names)
    assert found.category is Warning
    assert "text" in str(found.message)
