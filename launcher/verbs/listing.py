"""``python -m fedfutures list``: the standing Federations of this user here; ``status NAME``: one of them."""

from __future__ import annotations

from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import status_of
from fedfutures.standing.places import names

from ..arguments.parser import Parser
from . import refusals
from .standing import described


def main_of_list(arguments: Sequence[str]) -> int:
    """List what stands; return the exit code."""
    parser_of_list().parse_args(list(arguments))
    for name in names():
        try:
            print(described(status_of(name)))
        except StartFailed as error:
            print(f"{name}: {error.summary}")
    return 0


def main_of_status(arguments: Sequence[str]) -> int:
    """Say what one does; return the exit code."""
    given = parser_of_status().parse_args(list(arguments))
    try:
        print(described(status_of(given.name)))
    except StartFailed as error:
        return refusals.say(error)
    return 0


def parser_of_list() -> Parser:
    """Return the parser of the command line of ``list``."""
    what = "List the standing Federations of this user on this machine, and the programs that have joined."
    return Parser("python -m fedfutures list", description=what, allow_abbrev=False)


def parser_of_status() -> Parser:
    """Return the parser of the command line of ``status``."""
    what = "Show a standing Federation: its hosts, and the programs that have joined."
    found = Parser("python -m fedfutures status", description=what, allow_abbrev=False)
    found.add_argument("name", metavar="NAME", help="its name")
    return found
