"""The frames of templates are control frames: tests/wire/test_control.py has their bytes."""

from __future__ import annotations

import inspect

from fedfutures.wire import forks
from fedfutures.wire.control import CONTROL_CODES


def test_each_is_on_the_list_of_control_frames() -> None:
    kinds = [kind for _, kind in inspect.getmembers(forks, inspect.isclass) if kind.__module__ == forks.__name__]
    assert len(kinds) == 3
    assert set(kinds) <= set(CONTROL_CODES.values())
