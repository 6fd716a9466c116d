"""Calls whose function is too large for a definition: it travels as an argument, its arrays in segments.

A wrapper, as the slices of a ``map`` have, does not travel itself: its parts do, and it is made again on the Worker.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..wire.functions import WRAPPERS, Wrapper
from . import current


class Parts(NamedTuple):
    """What a wrapper is made of."""

    kind: str
    inner: list[Any]


def parts_of(function: Any) -> Any:
    """Return what travels of a function: itself, or the parts of a wrapper."""
    if not isinstance(function, Wrapper):
        return function
    return Parts(type(function).__name__, [parts_of(inner) for inner in function.inner])


def call(parts: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call what came as an argument."""
    function = _made_of(parts)
    if isinstance(function, Wrapper):
        node: Any = current.node
        function.bind(node.payloads)
    return function(*args, **kwargs)


def _made_of(parts: Any) -> Any:
    if type(parts) is not Parts:
        return parts
    return WRAPPERS[parts.kind](*map(_made_of, parts.inner))
