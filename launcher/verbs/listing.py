"""``python -m fedfutures list``: the standing Federations of this user here; ``status NAME``: one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import status_of
from fedfutures.standing.places import names

from ..arguments.parser import Parser
from . import refusals
from .standing import described

JSON_HELP = "print JSON, for programs; times are seconds since 1970"


def main_of_list(arguments: Sequence[str]) -> int:
    """List what stands; return the exit code."""
    given = parser_of_list().parse_args(list(arguments))
    found: list[dict[str, Any]] = []
    for name in names():
        try:
            status = status_of(name)
            found.append(asdict(status))
            text = described(status)
        except StartFailed as error:
            found.append({"name": name, "error": error.summary})
            text = f"{name}: {error.summary}"
        if not given.json:
            print(text)
    if given.json:
        print(json.dumps(found, indent=2))
    return 0


def main_of_status(arguments: Sequence[str]) -> int:
    """Say what one does; return the exit code."""
    given = parser_of_status().parse_args(list(arguments))
    try:
        status = status_of(given.name)
    except StartFailed as error:
        return refusals.say(error)
    print(json.dumps(asdict(status), indent=2) if given.json else described(status))
    return 0


def parser_of_list() -> Parser:
    """Return the parser of the command line of ``list``."""
    what = "List the standing Federations of this user on this machine, and the programs that have joined."
    found = Parser("python -m fedfutures list", description=what, allow_abbrev=False)
    found.add_argument("--json", action="store_true", help=JSON_HELP)
    return found


def parser_of_status() -> Parser:
    """Return the parser of the command line of ``status``."""
    what = "Show a standing Federation: its hosts, and the programs that have joined."
    found = Parser("python -m fedfutures status", description=what, allow_abbrev=False)
    found.add_argument("name", metavar="NAME", help="its name")
    found.add_argument("--json", action="store_true", help=JSON_HELP)
    return found
