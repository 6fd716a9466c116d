from __future__ import annotations

import pytest

from .bench import BODY, Bench


@pytest.fixture
def bench() -> Bench:
    """A Broker with an Origin that has sent its function."""
    made = Bench()
    made.join("o", "origin")
    made.say("o", BODY)
    return made
