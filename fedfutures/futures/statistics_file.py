"""What a run has computed: said in a line when it ends, however it ends; ``--stats FILE`` writes it to a file."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from .tally import line_of, written

LONG_SECONDS = 10.0
"""A run that takes so long says in the end what it has computed."""


class LastLine:
    """The line that a run ends with, and its file. `always`: also after a short run; never: where nobody wants it."""

    def __init__(self, federation: Any, path: str | None, *, says: bool = True, always: bool = True) -> None:
        self._federation, self._path = federation, path and os.path.abspath(path)
        self._says, self._always = says, always
        federation.at_close(self.write)

    def write(self) -> None:
        """Write what is known, and say it; where that cannot be done, say so."""
        report = self._federation.counting.report(self._federation.size)
        says = self._says and (self._always or report["seconds"] >= LONG_SECONDS) and report["futures"]
        said = [line_of(report)] if says else []
        if self._path is not None and (problem := _write(self._path, written(report))):
            said.append(f"--stats {self._path} could not be written: {problem}")
        if said:
            print(f"fedfutures: {'; '.join(said)}", file=sys.stderr, flush=True)


def _write(path: str, text: str) -> str:
    """Write a file as a whole; return why that could not be done."""
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return error.strerror or str(error)
    return ""
