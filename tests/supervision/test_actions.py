"""What is said of the end of a Worker."""

from __future__ import annotations

import pytest

from fedfutures.limits import LIMIT_EXIT_CODE
from fedfutures.supervision.actions import INITIALIZER_EXIT_CODE, Ended


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        (Ended(0, True, -9, explanation=" (memory)"), "signal SIGKILL (memory)"),
        (Ended(0, True, -9, explanation=" (memory)", killed_for="cancelled"), "cancelled"),
        (Ended(0, False, LIMIT_EXIT_CODE, explanation="no descriptors"), "no descriptors"),
    ],
)
def test_how_it_has_ended(ended: Ended, status: str) -> None:
    assert ended.status == status


def test_an_initializer_raises_before_its_worker_is_ready() -> None:
    assert Ended(0, False, INITIALIZER_EXIT_CODE).initializer_raised
    assert not Ended(0, True, INITIALIZER_EXIT_CODE).initializer_raised
