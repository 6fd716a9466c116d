"""``SystemExit`` that a Future has raised and ``result()`` raises again: it ends the program, so its call is named."""

from __future__ import annotations

import re
import sys

from fedfutures.errors import RemoteTraceback

_FRAME = re.compile(r'^  File ".*", line \d+, in (\S+)$', re.MULTILINE)


def say_whose(end: SystemExit) -> None:
    """Print to standard error which Future has raised the exception, if one has."""
    whose = origin_of(end)
    if whose and sys.stderr is not None:
        print(f"fedfutures: {type(end).__name__} from {whose} ends the program", file=sys.stderr, flush=True)


def origin_of(end: BaseException) -> str:
    """Return the call that has raised it, by its note or else its traceback; "" if the program itself has.

    >>> from fedfutures.errors import RemoteTraceback
    >>> end = SystemExit(2)
    >>> origin_of(end)
    ''
    >>> end.__cause__ = RemoteTraceback('Traceback:\\n  File "x.py", line 3, in work\\nSystemExit: 2\\n')
    >>> origin_of(end)
    'work()'
    >>> end.__notes__ = ["in work(2), on vm.1"]
    >>> origin_of(end)
    'work(2), on vm.1'
    """
    if not isinstance(end.__cause__, RemoteTraceback):
        return ""
    notes = [note for note in getattr(end, "__notes__", ()) if isinstance(note, str) and note.startswith("in ")]
    if notes:
        return str(notes[0])[3:]
    frame = _FRAME.search(end.__cause__.text)
    return f"{frame[1]}()" if frame else "a Future"
