"""The frames of standing Federations are control frames: tests/wire/test_control.py has their bytes."""

from __future__ import annotations

import inspect

from fedfutures.wire import door
from fedfutures.wire.control import CONTROL_CODES


def test_each_is_on_the_list_of_control_frames() -> None:
    kinds = [kind for _, kind in inspect.getmembers(door, inspect.isclass) if kind.__module__ == door.__name__]
    assert len(kinds) > 8
    assert set(kinds) <= set(CONTROL_CODES.values())
