"""``fedfutures report FILE``: why a run was not faster, from the trace that ``--trace FILE`` has written."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import IO

from fedfutures.seeing import report

from ..arguments.parser import Parser
from .refusals import refuse


def main(arguments: Sequence[str]) -> int:
    """Print the report; return the exit code."""
    given = parser().parse_args(list(arguments))
    try:
        with _opened(given.file) as file:
            trace = report.trace_of(report.events_in(_lines(file)))
    except OSError as error:
        return refuse(f"{given.file} cannot be read: {error.strerror or error}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return refuse(
            f"{given.file} is no trace of fedfutures: {error}. One is made by: fedfutures --trace FILE prog.py"
        )
    if given.json:
        print(json.dumps([reason._asdict() for reason in report.reasons(trace)], indent=2))
    else:
        print("\n".join(report.lines(trace)))
    return 0


def _lines(file: IO[str]) -> Iterator[str]:
    """Yield the lines; a compressed file that was cut off ends where it was."""
    with contextlib.suppress(EOFError, zlib.error):
        yield from file


def _opened(path: str) -> IO[str]:
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape")
    return open(path, encoding="utf-8", errors="surrogateescape")


def parser() -> Parser:
    """Return the parser of the command line."""
    what = (
        "Say why a run was not faster, from the trace that --trace FILE has written, the most expensive reason first."
    )
    found = Parser("python -m fedfutures report", description=what, allow_abbrev=False)
    found.add_argument("file", metavar="FILE", help="the trace")
    found.add_argument("--json", action="store_true", help="print JSON, for programs")
    return found
