"""Futures whose values somebody is told before anybody can have them, and change what is in them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures._base import FINISHED
from typing import Any

from .future import Future
from .future_fields import failure_of, home_of, is_finished, value_of

_TOLD = "told"
_OWN_STATE: Any = vars(Future)["_state"]


class WatchedFuture(Future):
    """A Future that tells its value in the moment before it is done."""

    __slots__ = ()

    @property
    def _state(self) -> str:
        return _OWN_STATE.__get__(self)  # type: ignore[no-any-return]

    @_state.setter
    def _state(self, state: str) -> None:
        if state == FINISHED and failure_of(self) is None:
            told = vars(self).pop(_TOLD, None)  # None: an interrupt has come in the midst of it before
            if told is not None:
                told(value_of(self))
        _OWN_STATE.__set__(self, state)


def watch(future: Future, told: Callable[[Any], object]) -> None:
    """Have `told`, which raises nothing, called with the value of a Future that nobody else has yet."""
    home = home_of(future)
    with contextlib.nullcontext() if home is None else home.lock:
        if not future.done():
            vars(future)[_TOLD] = told
            future.__class__ = WatchedFuture
            return
    if is_finished(future) and failure_of(future) is None:
        told(value_of(future))
