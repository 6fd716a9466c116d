"""``python -m fedfutures down NAME``: ends a standing Federation and all that it has started."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import DoorVisit, status_of
from fedfutures.wire.control import EndServer

from ..arguments.parser import Parser
from . import refusals

END_SECONDS = 10.0


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    given = parser().parse_args(list(arguments))
    try:
        status = status_of(given.name)
        visit = DoorVisit(status.door, given.name)
        visit.say(EndServer(f"the standing Federation {given.name} was taken down"))
        if not visit.wait_for_end(END_SECONDS):
            raise StartFailed(f"the keeper of {given.name} (pid {status.pid}) does not end; try: kill -9 {status.pid}")
    except StartFailed as error:
        return refusals.say(error)
    for run in status.runs:
        print(f"fedfutures: {run.get('program') or 'a program'} has lost its Workers", file=sys.stderr)
    return 0


def parser() -> Parser:
    """Return the parser of its command line."""
    found = Parser(
        "python -m fedfutures down",
        description="End a standing Federation: its keeper, and the Workers of the programs that have joined.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="its name")
    return found
