"""``python -m fedfutures down NAME``: ends a standing Federation and all that it has started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.host.system import remove_tree
from fedfutures.standing.joining import DoorVisit, KeeperGone, OtherKeeper, unknown
from fedfutures.standing.places import StandingPlace
from fedfutures.wire.control import EndServer, ServerStatus, StatusWanted

from ..arguments.parser import Parser
from . import refusals

END_SECONDS = 10.0
START_SECONDS = 20.0


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    given = parser().parse_args(list(arguments))
    try:
        for run in take_down(StandingPlace(given.name)):
            print(f"fedfutures: {run.get('program') or 'a program'} has lost its Workers", file=sys.stderr)
    except StartFailed as error:
        return refusals.say(error)
    return 0


def take_down(place: StandingPlace) -> list[dict[str, Any]]:
    """End a standing Federation, whatever its keeper does; return the runs that were there, as far as it says."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        if not (place.stands() or place.is_taken()):
            raise unknown(place)
        place.check()
        record = place.record() or {}
        try:
            return _end_keeper(place, DoorVisit(record.get("door", ""), place.name))
        except KeeperGone:
            if place.take():  # nobody starts another one
                _forget(place, record)
                return []
        if time.monotonic() > deadline:
            raise StartFailed(f"a keeper of {place.name} is being started; try again: fedfutures down {place.name}", 3)


def _end_keeper(place: StandingPlace, visit: DoorVisit) -> list[dict[str, Any]]:
    try:
        answer = visit.ask(StatusWanted())
        visit.say(EndServer("it was taken down"))
        if visit.wait_for_end(END_SECONDS):
            return list(answer.status["runs"]) if isinstance(answer, ServerStatus) else []
    except OtherKeeper:  # a signal says the same to each version
        if _end(visit.keeper, signal.SIGTERM, END_SECONDS):
            return []
    except KeeperGone:
        raise
    except StartFailed:  # it is stopped, or has a fault
        pass
    finally:
        visit.close()
    place.forget()  # first: no host process is to start it again
    _end(visit.keeper, signal.SIGKILL, END_SECONDS)
    print(f"fedfutures: the keeper of {place.name} (pid {visit.keeper}) did not answer; it was killed", file=sys.stderr)
    raise KeeperGone(place.name)


def _forget(place: StandingPlace, record: dict[str, Any]) -> None:
    """Forget a Federation without keeper: its runs find no record, and end."""
    place.forget()
    if record.get("directory"):
        remove_tree(record["directory"])
    place.let_go()


def _end(pid: int, number: signal.Signals, seconds: float) -> bool:
    """Send a process a signal; return whether it ends within so many seconds."""
    try:
        file = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(file, number)
        poller = select.poll()
        poller.register(file, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(file)


def parser() -> Parser:
    """Return the parser of its command line."""
    found = Parser(
        "python -m fedfutures down",
        description="End a standing Federation: its keeper, and the Workers of the programs that have joined.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="its name")
    return found
