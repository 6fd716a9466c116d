"""Which Futures a greenlet runs, read off its stack: nothing is written down for it when a Future runs."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import greenlet

from ..wire.functions import innermost, name_of
from .calls import RUN_CALL, RUN_FETCHED
from .context import Packed
from .interrupts import is_of_futures

is_of_futures(__name__)


def run_by(who: Any) -> list[Any]:
    """Return the own Futures that a greenlet runs, the innermost first."""
    return [frame.f_locals.get("future") for frame in _frames(who) if frame.f_code is RUN_CALL]


def name_of_innermost(who: Any) -> str:
    """Return the name of the function of the innermost Future that a greenlet runs."""
    for frame in _frames(who):
        if frame.f_code is RUN_CALL:
            return name_of_called(frame.f_locals.get("function"))
        if frame.f_code is RUN_FETCHED:
            return str(frame.f_locals["piece"].name)
    return "a function"


def name_of_called(function: Any) -> str:
    """Return the name of the function of an own Future's call."""
    function = innermost(function)
    return function.definition.name if isinstance(function, Packed) else name_of(function)


def _frames(who: Any) -> list[FrameType]:
    frame = sys._getframe(1) if who is greenlet.getcurrent() else who.gr_frame
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found
