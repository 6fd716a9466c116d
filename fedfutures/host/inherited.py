"""What a process that the program forks closes at once: by holding it, it would hide the program's end from others."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class HasDescriptors(Protocol):
    """What a forked child closes: descriptors of this process's own."""

    def let_go(self) -> None:
        """Close them."""


_parts: weakref.WeakSet[HasDescriptors] = weakref.WeakSet()


def close_in_children(part: HasDescriptors) -> None:
    """Have every process that is forked from now on let go of this, for as long as somebody here has it."""
    _parts.add(part)


def _forked() -> None:
    for part in list(_parts):
        part.let_go()


os.register_at_fork(after_in_child=_forked)
