"""The verbs that look into a run: which run is meant, and what is said where that is not clear."""

from __future__ import annotations

from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.seeing import table, words
from fedfutures.seeing.runs import SeenRun, ask, chosen, runs, stacks
from fedfutures.standing.places import names
from fedfutures.wire.messages import STACK

from ..arguments.parser import Parser
from .refusals import refuse

RUN_HELP = "which run: the name of its program, or its pid; not needed if there is only one"


class NotOne(Exception):
    """None or several runs are meant; the text says which there are."""


def the_run(word: str | None, there: list[SeenRun] | None = None) -> SeenRun:
    """Return the run that a word means, None: the only one. Raises :class:`NotOne`.

    `there`: the runs that are there, if they have been asked already.
    """
    found = chosen(runs() if there is None else there, word)
    answering = [run for run in found if not run.problem]
    if len(answering) == 1:
        return answering[0]
    if answering:
        listed = "\n".join(f"  {table.head(run.picture)}" for run in answering)
        raise NotOne(f"several runs are there; name one by its pid:\n{listed}")
    if found:
        raise NotOne(f"the run has not answered: {found[0].problem}")
    raise NotOne(_none(word))


def _none(word: str | None) -> str:
    standing = f"; standing Federations: {', '.join(names())}" if names() else ""
    what = f"no run of yours on this machine is called {word}" if word else "no run of yours is on this machine"
    return f"{what}{standing}. All there are: fedfutures list"


def main_of_explain(arguments: Sequence[str]) -> int:
    """Say what takes long in a run, and what waits for what; return the exit code."""
    try:
        run = the_run(parser_of_explain().parse_args(list(arguments)).run)
    except NotOne as error:
        return refuse(str(error))
    print("\n".join(words.explained(run.picture)))
    return 0


def main_of_stack(arguments: Sequence[str]) -> int:
    """Show where in their code the program and the Workers of a run are; return the exit code."""
    given = parser_of_stack().parse_args(list(arguments))
    run, worker = given.run, given.worker
    try:
        there = runs()
        if worker is None and run is not None and not chosen(there, run) and "." in run:
            run, worker = None, run  # there is one run, and this is the name of a Worker
        found = the_run(run, there)
        if worker is None or worker in found.picture.workers:
            where = stacks(ask(found.path, STACK, worker or ""))
    except NotOne as error:
        return refuse(str(error))
    except StartFailed as error:
        return refuse(error.summary)
    if worker is not None and worker not in found.picture.workers:
        known = ", ".join(sorted(found.picture.workers)[:20])
        return refuse(f"the run has no Worker {worker}; it has {known or 'none'}")
    shown = where if worker is None else {worker: where.get(worker, "")}
    print("\n".join(_shown(name, stack) for name, stack in sorted(shown.items())))
    return 0


def _shown(name: str, stack: str) -> str:
    lines = stack.splitlines() or ["nothing of the program runs here now, or the process is stopped"]
    return f"{name}:\n" + "".join(f"  {line}\n" for line in lines).rstrip("\n")


def parser_of_explain() -> Parser:
    """Return the parser of the command line of ``explain``."""
    what = "Say what takes long in a run, where that is in its code, and what waits for what."
    found = Parser("python -m fedfutures explain", description=what, allow_abbrev=False)
    add_run(found)
    return found


def parser_of_stack() -> Parser:
    """Return the parser of the command line of ``stack``."""
    what = "Show where in their code the program and its Workers are, the innermost call first, even if they are stuck."
    found = Parser("python -m fedfutures stack", description=what, allow_abbrev=False)
    add_run(found)
    found.add_argument("worker", metavar="WORKER", nargs="?", help="which Worker, such as h2.1; default: all")
    return found


def add_run(parser: Parser) -> None:
    """Add the argument that says which run is meant."""
    parser.add_argument("run", metavar="RUN", nargs="?", help=RUN_HELP)
