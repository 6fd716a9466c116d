"""Outcomes that bring what their calls have printed, and how exceptions tell of it."""

from __future__ import annotations

from typing import Any

from ..wire.failures import add_lines, load_failure
from ..wire.payload import Payloads
from ..wire.printed import Printed

LINES_IN_NOTE = 10
CHARACTERS_IN_NOTE = 2000


def opened(outcome: bytes, payloads: Payloads) -> tuple[Any, BaseException | None, Printed]:
    """Return the value or the exception of a call, and what it has printed."""
    value, failure, stdout, stderr = payloads.load(outcome, take=True)
    printed = Printed(stdout, stderr)
    error = None if failure is None else load_failure(failure, payloads)
    if error is not None:
        note_printed(error, printed)
    return value, error, printed


def note_printed(error: BaseException, printed: Printed) -> None:
    """Add the last lines of what a call has printed to the exception that it has raised."""
    for name, text in (("standard output", printed.out), ("standard error", printed.err)):
        if lines := text[-CHARACTERS_IN_NOTE:].splitlines()[-LINES_IN_NOTE:]:
            add_lines(error, f"the end of its {name}:\n" + "\n".join(f"    {line}" for line in lines))
