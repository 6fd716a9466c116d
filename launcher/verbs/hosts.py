"""``python -m fedfutures add NAME HOST`` and ``remove NAME HOST``: hosts come to a standing Federation, and go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import DoorVisit, reached
from fedfutures.standing.places import StandingPlace
from fedfutures.standing.status import Status
from fedfutures.wire.control import AddHost, ControlFrame, HostAdded, HostRemoved, RemoveHost

from ..arguments.parser import Parser
from ..connector.start import added_hosts
from ..hosts.spec import BadHosts
from . import refusals
from .standing import add_host_options, hosts_of

ANSWER_SECONDS = 60.0
LATE_SECONDS = 10.0
DRAIN_SECONDS = 30


def main_of_add(arguments: Sequence[str]) -> int:
    """Add hosts; return the exit code: 0, 2 for bad input, 3 if one of them does not work."""
    given = parser_of_add().parse_args(list(arguments))
    options = hosts_of(given)

    def frames(status: Status) -> list[ControlFrame]:
        request, specs = added_hosts(status, options, given.hosts)
        return [AddHost(asdict(spec), request) for spec in specs]

    return _each(given.name, frames, ANSWER_SECONDS + 3 * (options.start_timeout or 0.0))


def main_of_remove(arguments: Sequence[str]) -> int:
    """Remove hosts; return the exit code: 0, 2 for bad input, 3 if one of them is not there."""
    given = parser_of_remove().parse_args(list(arguments))
    frames: list[ControlFrame] = [RemoveHost(host, given.grace) for host in dict.fromkeys(given.hosts)]
    return _each(given.name, lambda status: frames, given.grace + LATE_SECONDS)


def _each(name: str, frames: Callable[[Status], list[ControlFrame]], seconds: float) -> int:
    """Ask the keeper for each of these, one connection each, so all at once; say what it answers."""
    visits: list[tuple[DoorVisit, ControlFrame]] = []
    code = 0
    try:
        status = reached(StandingPlace(name))
        for frame in frames(status):
            visits.append((DoorVisit(status.door, name), frame))
        for visit, frame in visits:
            visit.say(frame)
        for visit, _ in visits:
            code = max(code, _said(name, visit.answer(seconds)))
    except (BadHosts, ValueError) as error:
        print(f"fedfutures: {error}", file=sys.stderr)
        return 2
    except StartFailed as error:
        return refusals.say(error)
    finally:
        for visit, _ in visits:
            visit.close()
    return code


def _said(name: str, answer: ControlFrame) -> int:
    """Say what has become of a host; return the exit code."""
    if not isinstance(answer, (HostAdded, HostRemoved)):
        raise StartFailed(f"the keeper of {name} has answered by {type(answer).__name__}", 3)
    if answer.problem:
        print(f"fedfutures: host {answer.host}: {answer.problem}", file=sys.stderr)
        return 3
    if isinstance(answer, HostAdded):
        print(f"{answer.host} was added to {name}, with {answer.workers} Worker{'s' * (answer.workers != 1)}")
    else:
        print(f"{answer.host} was removed from {name}")
    return 0


def parser_of_add() -> Parser:
    """Return the parser of the command line of ``add``."""
    found = Parser(
        "python -m fedfutures add",
        description="Add hosts to a standing Federation: programs that have joined it get Workers there, too.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="the standing Federation")
    found.add_argument(
        "hosts", metavar="HOST", nargs="+",
        help="a host as ssh takes it; node2:8 has at most eight Workers; default: one for each processor",
    )  # fmt: skip
    how = "how they are reached; what concerns all hosts counts only if there are no others yet"
    add_host_options(found, how, ("names", "file"))
    return found


def parser_of_remove() -> Parser:
    """Return the parser of the command line of ``remove``."""
    found = Parser(
        "python -m fedfutures remove",
        description="Remove hosts from a standing Federation: they finish what they run, and the rest runs elsewhere.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="the standing Federation")
    found.add_argument("hosts", metavar="HOST", nargs="+", help="the name of a host, as status shows it")
    found.add_argument(
        "--grace", type=_seconds, default=DRAIN_SECONDS, metavar="SECONDS",
        help=f"what runs there may take so long, then it runs again elsewhere; default: {DRAIN_SECONDS}",
    )  # fmt: skip
    return found


def _seconds(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return int(text)
