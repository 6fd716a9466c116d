"""``fedfutures top``: what runs where in a run, every second; on a terminal with keys, elsewhere as text."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.seeing import table
from fedfutures.seeing.picture import SUBJECT, RunPicture, picture_of
from fedfutures.seeing.runs import ask, cancel, stacks
from fedfutures.seeing.table import ORDERS, View
from fedfutures.wire.messages import STACK

from ..arguments.parser import Parser
from ..arguments.values import seconds
from . import refusals
from .asking import NotOne, add_run, the_run

NO_TEXTUAL = "for keys, sorting and colours: pip install textual"
_CLEAR = "\x1b[H\x1b[2J"


def main(arguments: Sequence[str]) -> int:
    """Show a run until it ends, or the user has seen enough; return the exit code."""
    given = parser().parse_args(list(arguments))
    try:
        path = the_run(given.run).path
        if given.once:
            print("\n".join(table.page(look(path), None, 0.0, View(given.sort, given.filter))))
            return 0
        if sys.stdin.isatty() and sys.stdout.isatty() and _has_textual():
            from ..top.app import TopApp

            app = TopApp(lambda: look(path), lambda worker: stacks(ask(path, STACK, worker)).get(worker, ""),
                         lambda number: cancel(path, number), given.every)  # fmt: skip
            app.run()
            if app.said:
                print(f"fedfutures: {app.said}", file=sys.stderr)
            return 0
        _in_text(path, given.every, View(given.sort, given.filter))
    except NotOne as error:
        return refusals.refuse(str(error))
    except StartFailed as error:
        print(f"fedfutures: {error.summary}", file=sys.stderr)
    except KeyboardInterrupt:
        print()
    return 0


def look(path: str) -> RunPicture:
    """Return what goes on now. Raises StartFailed when the run has ended."""
    return picture_of(ask(path, SUBJECT))


def _has_textual() -> bool:
    return importlib.util.find_spec("textual") is not None


def _in_text(path: str, every: float, view: View) -> None:
    """Print it again and again; on a terminal in the place of what was there."""
    before, looked_at = None, 0.0
    clear = _CLEAR if sys.stdout.isatty() else ""
    hint = "" if not clear else f"\n{NO_TEXTUAL}"
    while True:
        picture, now = look(path), time.monotonic()
        text = "\n".join(table.page(picture, before, now - looked_at, view))
        print(f"{clear}{text}{hint}" if clear else f"{text}\n", flush=True)
        before, looked_at = picture, now
        time.sleep(every)


def parser() -> Parser:
    """Return the parser of the command line."""
    what = "Show what runs where in a run, again every second: hosts, Workers, calls, memory, processor time."
    found = Parser("python -m fedfutures top", description=what, allow_abbrev=False)
    add_run(found)
    found.add_argument("--every", type=seconds, default=1.0, metavar="SECONDS", help="how often; default: 1")
    found.add_argument("--sort", choices=ORDERS, default=ORDERS[0], help="by what; default: for how long a call runs")
    found.add_argument("--filter", default="", metavar="TEXT", help="only Workers that have this in their row")
    found.add_argument("--once", action="store_true", help="print it once, as text")
    return found
