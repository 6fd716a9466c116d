"""What faulthandler wrote when a Worker crashed, for people: the stack of the program's part."""

from __future__ import annotations

import os
import re

_HERE = os.path.dirname(os.path.dirname((lambda: None).__code__.co_filename)) + os.sep
_FRAME = re.compile(r'  File "(.+)", line \d+ in ')


def readable(dump: str) -> str:
    """Return a dump without frames of fedfutures and without the list of extension modules.

    >>> print(readable('Fatal Python error: Aborted\\n\\n  File "p.py", line 3 in f\\n\\nExtension modules: a, b\\n'))
    Fatal Python error: Aborted
    <BLANKLINE>
      File "p.py", line 3 in f
    <BLANKLINE>
    """
    lines = []
    for line in dump.splitlines():
        frame = _FRAME.match(line)
        if line.startswith("Extension modules:") or (frame is not None and frame[1].startswith(_HERE)):
            continue
        lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join([*lines, ""]) if lines else ""
