"""``--stats FILE``: what a run has computed, written to a file and said in a line when it ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from ..node import events as rules
from ..worker.future_fields import call_of
from .tally import CountedMessage, RunTally, line_of, written


class StatisticsFile:
    """The file of one run; it is written once."""

    def __init__(self, federation: Any, path: str, *, says: bool = True) -> None:
        self._federation, self._path, self._says = federation, os.path.abspath(path), says
        self._tally = RunTally()
        self._submissions = submissions = federation.origin.submissions
        self._resolve = submissions.on_resolve
        federation.origin.driver.handle(rules.Resolve, self._on_resolve)
        federation.at_close(self.write)

    def _on_resolve(self, action: rules.Resolve) -> None:
        """Outcomes of Futures of one function have come. The lock of the node is held."""
        future = self._submissions.futures.get(action.ids[0]) if action.ids else None
        if future is not None and (call := call_of(future)) is not None:
            self._tally.take(CountedMessage(call[0].name, len(action.ids), action.odd, action.facts))
        self._resolve(action)

    def write(self) -> None:
        """Write what is known, and say it; where that cannot be done, say so."""
        report = self._tally.report(self._federation.size)
        said = line_of(report) if self._says else ""
        try:
            temporary = f"{self._path}.{os.getpid()}"
            with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(written(report))
            os.replace(temporary, self._path)
        except OSError as error:
            said += f"{'; ' * bool(said)}--stats {self._path} could not be written: {error.strerror}"
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if said:
            print(f"fedfutures: {said}", file=sys.stderr, flush=True)
