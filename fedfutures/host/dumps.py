"""What faulthandler has written of a Worker, cut down to the program's part of the stack."""

from __future__ import annotations

import os
import re

_HERE = os.path.dirname(os.path.dirname((lambda: None).__code__.co_filename)) + os.sep
_FRAME = re.compile(r'  File "(.+)", line \d+ in ')
_THREAD = re.compile(r"(?:Current thread|Thread) 0x")
_THREADS_OWN = os.sep + "threading.py"


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


def stacks(dump: str) -> str:
    """Return where the threads of a process are that run code of the program, the innermost call first; "": none does.

    >>> stacks('Thread 0x07 (most recent call first):\\n  File "/lib/threading.py", line 9 in wait\\n\\n'
    ...        'Current thread 0x08 (most recent call first):\\n  File "p.py", line 3 in f\\n')
    'File "p.py", line 3 in f\\n'
    """
    threads: list[list[str]] = [[]]
    for text in dump.splitlines():
        frame = _FRAME.match(text)
        if _THREAD.match(text):
            threads.append([])
        elif frame and not frame[1].startswith((_HERE, "<frozen ")):
            threads[-1].append(text.strip())
    shown = [lines for lines in threads if any(_THREADS_OWN not in line for line in lines)]
    return "\n".join("".join(f"{line}\n" for line in lines) for lines in shown)
