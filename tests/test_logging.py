"""``fedfutures.logging.forward`` in the program: what Workers are then told to send."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from fedfutures.logging import forward
from fedfutures.program import process, records


@pytest.fixture(autouse=True)
def _nothing_is_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_forwarded", {})


def asked() -> Any:
    found = records.asked()
    return None if found is None else found[0]


def test_loggers_and_levels_are_asked_for() -> None:
    assert asked() is None
    forward()
    forward("work", "INFO")
    forward(logging.getLogger("other"), logging.ERROR)
    forward(logging.getLogger(), 5)
    assert asked() == {"": 5, "work": logging.INFO, "other": logging.ERROR}


def test_a_level_that_there_is_not_is_said_at_the_call() -> None:
    with pytest.raises(ValueError, match="Unknown level"):
        forward(level="LOUD")
    assert asked() is None


def test_workers_are_told_with_the_next_submit() -> None:
    before = process.Counts.changes
    forward()
    assert process.Counts.changes == before + 1
