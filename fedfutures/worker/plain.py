"""Values that need neither a copy nor a look: nothing can be changed in them, and they reach nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ATOMS = frozenset({int, float, bool, str, bytes, type(None), complex})


def look_plain(values: Sequence[Any]) -> bool:
    """Whether these are numbers and strings, as the first and the last one tell.

    >>> look_plain([1, [], 2.5]), look_plain([[], 1])
    (True, False)
    """
    return type(values[0]) in ATOMS and type(values[-1]) in ATOMS
