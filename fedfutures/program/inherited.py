"""Names for objects of ``multiprocessing`` that Workers inherit, by which a call knows whether it sees the same ones.

What such an object holds is shared, and changes without anybody's assignment; and two of a kind look alike. So not
their content tells them apart but their identity, from when an initializer was packed that can reach them.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Any

_names: weakref.WeakKeyDictionary[Any, bytes] = weakref.WeakKeyDictionary()


def name_of(obj: Any) -> bytes | None:
    """Return the name of an object that Workers inherit; None for any other, which is all while none was packed."""
    if not type(obj).__module__.startswith("multiprocessing."):
        return None
    try:
        name = _names.get(obj)
        if name is None and sys.modules["multiprocessing.context"].get_spawning_popen() is not None:
            name = _names[obj] = os.urandom(8)
    except TypeError:  # it has no hash, or takes no weak reference
        return None
    return name
