"""``python -m fedfutures logs NAME``: what the keeper of a standing Federation has done, and when."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import unknown
from fedfutures.standing.log import followed, last_lines
from fedfutures.standing.places import StandingPlace

from ..arguments.parser import Parser
from . import refusals

LINES = 50


def main(arguments: Sequence[str]) -> int:
    """Print the last lines, and with ``-f`` each new one until the Federation ends; return the exit code."""
    given = parser().parse_args(list(arguments))
    try:
        place = StandingPlace(given.name)
        if not os.path.exists(place.log):
            raise unknown(place)
        place.check()
    except StartFailed as error:
        return refusals.say(error)
    lines, at = last_lines(place.log, given.lines)
    print(*lines, sep="\n", end="\n" if lines else "", flush=True)
    if given.follow:
        for line in followed(place.log, at, lambda: place.stands() or place.is_taken()):
            print(line, flush=True)
    return 0


def parser() -> Parser:
    """Return the parser of its command line."""
    found = Parser(
        "python -m fedfutures logs",
        description="Print what the keeper of a standing Federation has done: who came and went, and what failed.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="its name")
    found.add_argument("-f", "--follow", action="store_true", help="go on with each new line, until it ends")
    found.add_argument(
        "-n", dest="lines", type=_lines, default=LINES, metavar="N", help=f"so many lines; default: {LINES}"
    )
    return found


def _lines(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number of lines")
    return int(text)
