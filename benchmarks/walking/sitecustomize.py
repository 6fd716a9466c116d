"""Counts calls in each process of a run, from its start; :mod:`benchmarks.walk` puts this directory into PYTHONPATH.

The first byte of the file ``control`` says what to do: 0 wait, 1 count, 2 write what was counted and stop.
"""

import json
import mmap
import os
import sys
import threading
from collections import Counter
from pathlib import Path

PLACE = Path(os.environ.get("FEDFUTURES_WALK", ""))
OURS = os.sep + "fedfutures" + os.sep


class Walk:
    """The calls of Python functions of ours in this process, and how often the next one was in another file."""

    def __init__(self) -> None:
        with (PLACE / "control").open("rb") as file:
            self._control = mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ)
        self.begin()

    def begin(self) -> None:
        """Count from nothing: in a process that was just started or forked."""
        self._calls: Counter[tuple[str, str]] = Counter()
        self._changes = 0
        self._file = ""
        self._is_written = False
        sys.setprofile(self.look)
        threading.setprofile(self.look)

    def look(self, frame, event, _) -> None:  # type: ignore[no-untyped-def]
        """What Python calls at each call and return."""
        if event != "call" or OURS not in frame.f_code.co_filename:
            return
        state = self._control[0]
        if state == 1:
            file = frame.f_code.co_filename
            self._calls[file, frame.f_code.co_name] += 1
            self._changes += file != self._file
            self._file = file
        elif state == 2 and not self._is_written:
            self._is_written = True
            calls = [[*where, count] for where, count in self._calls.items()]
            (PLACE / f"{os.getpid()}.json").write_text(json.dumps({"calls": calls, "changes": self._changes}))


if PLACE.name and (PLACE / "control").exists():
    walk = Walk()
    os.register_at_fork(after_in_child=walk.begin)
