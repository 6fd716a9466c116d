"""What a Worker says of a call that has failed, beside the exception: which call, where, and what to do about it."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

from ..errors import ArgumentLoadError, NoRoom
from ..wire.calls import arguments_text, call_text
from ..wire.failures import Where, add_note
from ..wire.functions import Wrapper
from . import current
from .context import Packed

_NO_TERMINAL = "Workers have no terminal; ask in the program and pass the answer"
_NO_DEBUGGER = "Workers have no terminal; debug with fedfutures.Executor(mode='serial')"
_EOF_OF_INPUT = "EOF when reading a line"
_FILES_MISSED = (FileNotFoundError, NotADirectoryError)
_OF_HOSTS = (ImportError, FileNotFoundError, MemoryError, NoRoom)
ELSEWHERE = "tried again on "
"""So begins the note of an error that another host has not prevented."""


def where(
    error: BaseException, function: Any, args: tuple[Any, ...] | None, kwargs: dict[str, Any] | None = None,
    name: str = "",
) -> Where:  # fmt: skip
    """Return which call has failed on this Worker; `name` is that of a function that could not be loaded (None)."""
    try:
        call = arguments_text(name, None, None) if function is None else call_text(function, args, kwargs)
    except Exception:  # another thread changes the arguments, or Star was given what it cannot take
        call = name or call_text(function, None)
    if current.is_origin:  # run serially
        return Where(call)
    return Where(call, current.name, advice(error), current.host, is_of_one_host(error))


def is_of_one_host(error: BaseException) -> bool:
    """Whether the same call may do better on another host. Not where one has been tried already."""
    notes = getattr(error, "__notes__", ())
    if isinstance(error, ArgumentLoadError) and error.__cause__ is not None:
        error = error.__cause__
    is_such = isinstance(error, _OF_HOSTS) or (isinstance(error, OSError) and error.errno == errno.ENOSPC)
    return is_such and not any(isinstance(note, str) and note.startswith(ELSEWHERE) for note in notes)


def where_of(error: BaseException) -> Where:
    """Return where an own Future has failed that has run in this Worker."""
    return Where(host=current.host, is_of_host=is_of_one_host(error))


def note(error: BaseException, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Add to an exception which call of this Worker's own Futures has raised it."""
    if isinstance(function, Wrapper):  # a slice: its items have notes of their own
        return
    if isinstance(function, Packed):
        add_note(error, where(error, None, None, name=function.definition.name))
    else:
        add_note(error, where(error, function, args, kwargs))


def advice(error: BaseException) -> tuple[str, ...]:
    """Return lines for people: what is different on a Worker, where that may be the cause."""
    try:
        if isinstance(error, OSError) and error.filename is not None and not isinstance(error.filename, int):
            return (_of_file(error),)
        if isinstance(error, EOFError) and (str(error) == _EOF_OF_INPUT or _raised_in(error, "getpass")):
            return (_NO_TERMINAL,)
        if type(error).__name__ == "BdbQuit" and type(error).__module__ == "bdb":
            return (_NO_DEBUGGER,)
    except Exception:
        pass
    return ()


def _of_file(error: OSError) -> str:
    try:
        directory = os.getcwd()
    except OSError:
        directory = "a directory that was removed"
    said = f"on host {current.host}, in {directory}"
    if isinstance(error, PermissionError):
        said += f", as user {os.geteuid()}"
    if isinstance(error, _FILES_MISSED) and not current.shares_files and not _raised_in(error, "subprocess"):
        path = os.fsdecode(error.filename)
        said += f"; to read a file of the program's host, call fedfutures.shared.file({path!r}) in the program and here"
    return said


def _raised_in(error: BaseException, module: str) -> bool:
    frames, name = error.__traceback__, ""
    while frames is not None:
        name = frames.tb_frame.f_globals.get("__name__", "")
        frames = frames.tb_next
    return name == module


def replace_breakpoint() -> None:
    """Have ``breakpoint()`` say what to do instead; a debugger that the user has chosen stays."""
    plain = sys.breakpointhook

    def breakpointhook(*args: Any, **kwargs: Any) -> Any:
        if os.environ.get("PYTHONBREAKPOINT") not in (None, "", "pdb.set_trace"):
            return plain(*args, **kwargs)
        raise RuntimeError(f"breakpoint() cannot work in a Future: {_NO_DEBUGGER}")

    if plain is sys.__breakpointhook__:
        sys.breakpointhook = breakpointhook
