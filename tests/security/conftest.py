from __future__ import annotations

from collections.abc import Iterator

import pytest
from attacked import Attacker, Pair


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.end()


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    made = Attacker()
    yield made
    made.end()
