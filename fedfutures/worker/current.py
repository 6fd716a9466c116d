"""Which node this process is: what the face asks, and what ``fedfutures.IS_ORIGIN`` and its like report."""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

from ..errors import NotSupportedHere

node: Any = None
"""The Worker of this process, or the Origin of its launched program; None in a plain program."""

is_origin = True
"""False in Workers only: a plain program is its own origin."""

name = "origin"
"""``host.number`` of a Worker; "origin" elsewhere."""

host = ""
"""The host of a Worker."""

shares_files = True
"""Whether a Worker's host has the files of the Origin's under the same names."""

origins: weakref.WeakSet[Any] = weakref.WeakSet()
"""The Origins of this process: one for each Federation that it has joined."""

constants: dict[str, Any] = {}
"""What a process that is no Worker has shared; each Federation that it joins later is told."""


def be_worker(worker: str, its_host: str, *, has_files: bool) -> None:
    """This process is a Worker; `has_files`: its host shares those of the Origin's."""
    global name, is_origin, host, shares_files
    name, is_origin, host, shares_files = worker, False, its_host, has_files


def become(other: Any) -> None:
    """From now on this process is that node; None: none."""
    global node
    node = other


resize: Callable[[int], int] | None = None
"""In a launched program: has so many Workers from now on."""


def resize_by(function: Callable[[int], int]) -> None:
    """From now on the number of Workers can be changed."""
    global resize
    resize = function


unusual = False
"""Whether each submit has to look twice: the program is being imported, or seeded Futures have run here."""

kept_node: Any = None
"""In a launched program with a checkpoint: what calls go through instead of the node."""


def keep_by(kept: Any) -> None:
    """From now on calls go through this."""
    global kept_node, unusual
    kept_node = kept
    unusual = True


importing_program = False
"""Whether a Worker is importing the user's program right now: then nothing may be submitted."""


def refuse_while_importing() -> None:
    """Raise NotSupportedHere while a Worker imports the program."""
    if importing_program:
        raise NotSupportedHere(
            "the program submits while Workers import it; put the calls below if __name__ == '__main__'"
        )


def watch(kind: type[types.ModuleType]) -> None:
    """Have reads of these names go through properties of such a module; ``types.ModuleType``: no more."""
    sys.modules[__name__].__class__ = kind
