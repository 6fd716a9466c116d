"""What a call has printed, where that is kept for its Future (``options(capture=True)``)."""

from __future__ import annotations

from typing import Any, NamedTuple


class Printed(NamedTuple):
    """The standard output and error of one Future, as text."""

    out: str
    err: str


class PrintedOutcome(NamedTuple):
    """What travels as the value of a call whose output is kept."""

    value: Any
    failure: bytes | None  # what it has raised
    out: str
    err: str
