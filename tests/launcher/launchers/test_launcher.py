"""What every launcher has."""

from __future__ import annotations

import inspect

import pytest

from fedfutures_launcher.launchers.launcher import Launcher
from fedfutures_launcher.launchers.table import LAUNCHERS

MOST_LINES = 30


@pytest.mark.parametrize("launcher", LAUNCHERS.values(), ids=str)
def test_a_launcher_is_small(launcher: Launcher) -> None:
    """So that a cluster's own way to start things is a matter of minutes."""
    assert len(inspect.getsource(type(launcher)).splitlines()) <= MOST_LINES
    assert launcher.executable


def test_a_launcher_without_words_is_none() -> None:
    for call in (Launcher().words, Launcher().by_hand):
        with pytest.raises(NotImplementedError):
            call(*("h", "c", {})[: call.__code__.co_argcount - 1])
    assert Launcher().environment({"A": "1"}) == {"A": "1"}
