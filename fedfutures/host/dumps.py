"""What faulthandler wrote when a Worker crashed, cut down to the program's part of the stack."""

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
    lines = [
        line
        for line in dump.splitlines()
        if not line.startswith("Extension modules:")
        and not ((frame := _FRAME.match(line)) and frame[1].startswith(_HERE))
    ]
    text = "\n".join(lines).rstrip("\n")
    return text and text + "\n"
