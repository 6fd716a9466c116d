"""``python -m fedfutures list``: the runs and the standing Federations of this user here; ``status``: one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.seeing import table, words
from fedfutures.seeing.runs import SeenRun, chosen, runs
from fedfutures.standing.joining import status_of
from fedfutures.standing.places import names

from ..arguments.parser import Parser
from . import refusals
from .asking import NotOne, the_run
from .standing import described

JSON_HELP = "print JSON, for programs; times are seconds since 1970"


def main_of_list(arguments: Sequence[str]) -> int:
    """List what runs and what stands; return the exit code."""
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
    for run in runs():
        found.append(_as_data(run))
        if not given.json:
            print(table.head(run.picture) if not run.problem else f"a run: {run.problem}")
    if given.json:
        print(json.dumps(found, indent=2))
    return 0


def _as_data(run: SeenRun) -> dict[str, Any]:
    return {"program": run.picture.program, "error": run.problem} if run.problem else asdict(run.picture)


def main_of_status(arguments: Sequence[str]) -> int:
    """Say what one does; return the exit code."""
    given = parser_of_status().parse_args(list(arguments))
    standing = names()
    there = [] if given.name in standing else runs()
    try:
        if given.name in standing or (given.name is None and len(standing) == 1 and not there):
            status = status_of(given.name or standing[0])
            print(json.dumps(asdict(status), indent=2) if given.json else described(status))
        elif given.name is not None and not chosen(there, given.name):
            return _nobody(given.name)
        else:
            run = the_run(given.name, there)
            print(json.dumps(_as_data(run), indent=2) if given.json else "\n".join(words.status(run.picture)))
    except StartFailed as error:
        return refusals.say(error)
    except NotOne as error:
        return refusals.refuse(str(error))
    return 0


def _nobody(name: str) -> int:
    """Say that there is neither a run nor a standing Federation of this name, and which there are."""
    try:
        status_of(name)
    except StartFailed as error:
        return refusals.refuse(
            f"{error.summary}; no run of yours on this machine is called {name} either: fedfutures list"
        )
    return 0


def parser_of_list() -> Parser:
    """Return the parser of the command line of ``list``."""
    what = "List the runs and the standing Federations of this user on this machine."
    found = Parser("python -m fedfutures list", description=what, allow_abbrev=False)
    found.add_argument("--json", action="store_true", help=JSON_HELP)
    return found


def parser_of_status() -> Parser:
    """Return the parser of the command line of ``status``."""
    what = "Show a run (hosts, functions, what waits), or a standing Federation: its hosts, and who has joined."
    found = Parser("python -m fedfutures status", description=what, allow_abbrev=False)
    found.add_argument(
        "name", metavar="NAME", nargs="?",
        help="a standing Federation, the name of a run's program, or its pid; not needed if there is only one",
    )  # fmt: skip
    found.add_argument("--json", action="store_true", help=JSON_HELP)
    return found
