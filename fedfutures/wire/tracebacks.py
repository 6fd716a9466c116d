"""Tracebacks for people: the lines of the program, without ours.

A Worker formats what was raised there and leaves out the frames of fedfutures, greenlet, cloudpickle and
``concurrent.futures``. The receiver adds the text of lines that the Worker cannot read, as those of a notebook's cell.
"""

from __future__ import annotations

import concurrent.futures
import linecache
import os
import re
import sys
import traceback
import types
from collections.abc import Iterator
from typing import Any, cast

from ..errors import ABOUT

FRAMES_AT_MOST = 200
_HERE = os.path.dirname(os.path.dirname((lambda: None).__code__.co_filename))
_CALLERS = tuple(
    os.path.join(_HERE, "worker", name) for name in ("calls.py", "isolation.py", "results.py", "slices.py")
)
"""Their frames stand directly above the function of a Future."""
_OURS = frozenset({"fedfutures", "fedfutures_launcher", "greenlet", "cloudpickle"})
_NAME_ON_WORKERS = re.compile(r"^([ |+-]*)__mp_main__\.", re.MULTILINE)
"""Stands before a class of the program, which Workers import under this name; Python does not show ``__main__.``."""
_FRAME = re.compile(r'([ |+]*)  File "(.+)", line (\d+), in ')


class CallNote(str):
    """A note that fedfutures has added to an exception: which call it was. Other picklers see a plain string."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return str, (str(self),)


class AdviceNote(CallNote):
    """A note that fedfutures has added to an exception: what to do about it."""

    __slots__ = ()


def _places() -> tuple[str, ...]:
    """Return where our modules and those that call user code are."""
    others = (getattr(sys.modules.get(name), "__file__", None) for name in ("greenlet", "cloudpickle"))
    places = [_HERE, *(os.path.dirname(file) for file in (concurrent.futures.__file__, *others) if file)]
    return tuple(place + os.sep for place in places)


def text_of(error: BaseException) -> str:
    """Return the traceback of an exception that has left a Future, and of those in its chain, as text."""
    frames = error.__traceback__
    while frames is not None and _is_frame_of_ours(frames.tb_frame):  # they have called the program's
        frames = frames.tb_next
    frames = frames or error.__traceback__
    shown = traceback.TracebackException(type(error), error, frames, limit=-FRAMES_AT_MOST, compact=True)
    places = _places()
    for part in _chain(shown):
        part.stack[:] = _without_ours(part.stack, places)
        notes = getattr(part, "__notes__", None)
        if notes:
            part.__notes__ = [note for note in notes if not _comes_with(note, part is shown)]
    return _NAME_ON_WORKERS.sub(r"\1", "".join(shown.format()))


def _comes_with(note: Any, outermost: bool) -> bool:
    """Whether a note is ours and is seen at the exception itself, for which its traceback becomes a text."""
    return is_about(note) or (outermost and type(note) in (CallNote, AdviceNote))


def is_about(note: Any) -> bool:
    """Whether a note names the section about an error of fedfutures."""
    return isinstance(note, str) and note.startswith(ABOUT)


def _without_ours(stack: list[traceback.FrameSummary], places: tuple[str, ...]) -> list[traceback.FrameSummary]:
    kept = [frame for frame in stack if not frame.filename.startswith(places)]
    if kept or not stack or stack[-1].filename.startswith(_CALLERS):
        return kept
    return stack[-1:]  # we have raised it, and no line of the program is near: for whoever mends that


def _chain(error: Any) -> Iterator[Any]:
    """Yield an exception, or what is shown of one, its causes and contexts, and those of groups."""
    left, seen = [error], set[int]()
    while left:
        part = left.pop()
        if part is not None and id(part) not in seen:
            seen.add(id(part))
            yield part
            left += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]


def with_lines(text: str) -> str:
    """Add the lines that the sender of a traceback could not read, and this process can.

    >>> _ = linecache.cache.setdefault("cell 3", (9, None, ["x = 1\\n", "1 / 0\\n"], "cell 3"))
    >>> print(with_lines('  File "cell 3", line 2, in f\\nZeroDivisionError'))
      File "cell 3", line 2, in f
        1 / 0
    ZeroDivisionError
    """
    lines = text.split("\n")
    shown = []
    for line, following in zip(lines, [*lines[1:], ""]):
        shown.append(line)
        found = _FRAME.match(line)
        if found is not None and not following.startswith(f"{found[1]}    "):
            source = linecache.getline(found[2], int(found[3])).strip()
            if source:
                shown.append(f"{found[1]}    {source}")
    return "\n".join(shown)


def remove_our_frames(error: BaseException) -> None:
    """Leave only frames of the program in the tracebacks of an exception and of those in its chain."""
    for part in _chain(error):
        part.__traceback__ = _trimmed(part.__traceback__)


def _trimmed(frames: types.TracebackType | None) -> types.TracebackType | None:
    kept = []
    while frames is not None:
        if not _is_frame_of_ours(frames.tb_frame):
            kept.append(frames)
        frames = frames.tb_next
    made: types.TracebackType | None = None
    for frame in reversed(kept):
        line = cast("int | None", frame.tb_lineno)  # None: an interrupt came at an instruction that belongs to no line
        made = types.TracebackType(
            made, frame.tb_frame, frame.tb_lasti, frame.tb_frame.f_code.co_firstlineno if line is None else line
        )
    return made


def _is_frame_of_ours(frame: types.FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and (name.partition(".")[0] in _OURS or name.startswith("concurrent.futures."))
