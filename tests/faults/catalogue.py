"""The catalogue of faults: what happens, what the user sees, after what time it is noticed, and the tests that show it.

A test says by a mark which faults it shows: ``@pytest.mark.fault("D1", "D2")``. From rows and marks
``docs/_tools/catalogue.py`` makes the table of docs/faults.rst; ``test_catalogue.py`` finds rows that no test shows.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent.parent


class Row(NamedTuple):
    """A fault; `noticed` is when the product knows, or "" where there is nothing to notice."""

    fault: str
    sees: str
    noticed: str = ""


ROWS = {
    "A1": Row("A function raises an exception whose class takes other arguments", "the same exception, class and "
              "attributes; its ``__cause__`` holds the Worker's traceback"),
    "A2": Row("The exception cannot be pickled, or is of a local class", "``RemoteException`` with type, text and "
              "traceback, caught by the nearest known class"),
    "A3": Row("An argument cannot be pickled", "``PicklingError`` with the path to the object; nothing is sent",
              "at the call"),
    "A4": Row("A result cannot be pickled", "``ResultNotPicklable`` with type and path; the Worker continues"),
    "A5": Row("Loading a result raises in the program", "that exception; other results arrive"),
    "A6": Row("Loading an argument raises, exits or crashes on the Worker",
              "``ArgumentLoadError``; for a crash as C1"),
    "A7": Row("A lambda, closure, nested class; a function that is redefined", "the version that was submitted runs"),
    "A8": Row("A ``BaseException`` or an exception group is raised", "the same exception; the Worker continues"),
    "A9": Row("A function calls ``sys.exit``", "``SystemExit``; the Worker continues"),
    "A10": Row("Recursion without end; a traceback of 100,000 frames", "``RecursionError``; a text of at most 64 KiB"),
    "A11": Row("Huge results and arguments; very many tiny ones", "the values; no file is left"),
    "A12": Row("A value is larger than the room for it", "``NoRoom`` with the space needed and the space free; later "
               "values arrive", "at the call"),
    "A13": Row("A Future prints without end, or no text", "its result, and all that it prints: its Worker waits"),
    "A14": Row("A Future leaves threads, children, another directory or environment, closed descriptors",
               "nothing in the next Future; children end with their Worker"),
    "A15": Row("A Future never ends", "with a time limit (:doc:`limits`) it ends and raises ``TaskTimeout``"),
    "A16": Row("``cancel()`` on a Future that is queued, sent, running, done", "True, True, False, False",
               "one way to its Broker and back"),
    "A17": Row("Futures wait for Futures, deeper than there are Workers", "the values"),
    "A18": Row("The Worker of a parent dies while its children run", "the value: the parent runs again", "at once"),
    "A19": Row("A callback raises or calls ``sys.exit``", "a line in the log; the other callbacks run"),
    "B1": Row("The kernel kills a Worker that takes too much memory", "``OutOfMemory`` after the third Worker; "
              "others have their values", "at once"),
    "B2": Row("A whole host runs out of memory", "a Worker dies, not a Broker or host process", "at once"),
    "B3": Row("Full disk, full or small ``/dev/shm``", "values, on another path; else ``NoRoom``", "at the call"),
    "B4": Row("The limit of processes is reached, as by a fork bomb", "the run goes on with fewer Workers; a line "
              "names the limit", "at once"),
    "B5": Row("The limit of descriptors is reached", "the same", "at once"),
    "B6": Row("Thousand peers at one Broker", "nothing: each costs less than 30 KiB"),
    "B7": Row("Ten busy processes for each processor", "nothing: no Worker or host counts as dead"),
    "C1": Row("A Worker is killed; a Future kills each Worker", "the value, from another Worker; ``PoisonedFuture`` "
              "after the third", "at once"),
    "C2": Row("A Worker crashes in compiled code", "the same, with the stacks of the crash", "at once"),
    "C3": Row("A Worker is stopped by a signal", "the values, from others; after 5 s the Worker is replaced", "0.5 s"),
    "C4": Row("A Worker holds the GIL in compiled code", "the value, when it is there; nobody counts as dead"),
    "C5": Row("A host process is killed", "the values; it is started again", "at once"),
    "C6": Row("A host process is killed, with a daemon of a Future", "the daemon ends", "at once"),
    "C7": Row("A host process is stopped by a signal", "a message; after 5 s it is continued", "1 s"),
    "C8": Row("A Future kills every Worker that it meets", "``PoisonedFuture`` after three; others have their values",
              "at once"),
    "C9": Row("Workers die as they start", "a message; new attempts at growing distances", "at once"),
    "C10": Row("A Worker is told to end (SIGTERM)", "the values; it finishes what it runs, and no crash is counted",
               "0.1 s"),
    "D1": Row("The Broker of the program is killed", "the values", "at once"),
    "D2": Row("A Broker of another host is killed", "the values; no crash is counted", "at once"),
    "D3": Row("A Broker is started again at the same address", "the values: a new session compares what is held",
              "at its first message"),
    "D4": Row("All Brokers are dead, and crash again", "``FederationLost``, which says how they ended",
              "five ends in 30 s"),
    "D5": Row("A link is cut, or drops everything in silence", "the values, from this side; late results are dropped",
              "3 s"),
    "D6": Row("A link is up for a second and down for a second", "the values", "3 s"),
    "D7": Row("A slow or lossy link", "the values, later"),
    "D8": Row("Messages are delayed, reordered, doubled, lost; connections are reset", "the values, each once"),
    "D9": Row("A message of the Meta socket is lost", "nothing: the next one has the whole state"),
    "D10": Row("All Brokers see the same idle one", "nothing: it is given no more than it has asked for"),
    "D11": Row("Two Brokers want to give each other work", "nothing: a Future crosses a link once in a session"),
    "D12": Row("Very many submits at once", "the values; the Broker asks only for what Workers can use"),
    "D13": Row("A peer speaks another version", "it is refused, and both versions are named", "at its first message"),
    "D14": Row("Clocks that differ by years", "nothing: no message holds an instant"),
    "E1": Row("A host cannot be resolved, refuses, or does not answer", "the run without it; a table says why",
              "10 s"),
    "E2": Row("A host's key is unknown or has changed", "the host is left out; the command that mends it",
              "at the login"),
    "E3": Row("The login fails; a passphrase is needed; no agent", "one line for the host, no prompt", "at the login"),
    "E4": Row("An ssh server refuses under load", "the logins are repeated", "at the login"),
    "E5": Row("Python or fedfutures is missing, or another version", "the host is left out; what was found and the "
              "command that installs", "at the hello"),
    "E6": Row("A login script prints; an unusual shell", "nothing", "at the hello"),
    "E7": Row("An ssh connection is lost in the middle of a run", "the values; a line, and a new login", "at once"),
    "E8": Row("Ctrl-C", "``KeyboardInterrupt``; all processes end on all hosts", "at once"),
    "E9": Row("SIGTERM or SIGHUP to the program or the whole group", "the program's handler, or the end", "at once"),
    "E10": Row("The program is killed, or its host is cut off", "nothing is left after 2 s; cut off, after the grace",
               "at once; 30 s"),
    "E11": Row("Processes of an earlier run are left", "nothing: they are strangers", "at the handshake"),
    "E12": Row("Ports are taken", "nothing while any port is free; else a line, and the host's run of its own"),
    "E13": Row("Two runs of a user, two users of a host", "neither notices the other"),
    "E14": Row("The directory of a run exists already, or is a link", "the run refuses it", "at the start"),
    "E15": Row("Only IPv6; only the port of ssh is open", "the values; links go through ssh after 3 s", "3 s"),
    "E16": Row("A host reboots in the middle of a run", "the values; it takes part again", "3 s"),
}  # fmt: skip
UNTESTED = {}
"""Rows that no test shows, and why."""


class Shown(NamedTuple):
    """A test that shows faults; `name` is "" where the mark stands outside of a test."""

    place: str
    name: str
    faults: tuple[str, ...]


@functools.cache
def marks() -> tuple[Shown, ...]:
    """All marks in the tests."""
    found: list[Shown] = []
    for path in sorted(TESTS.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" in text and path != Path(__file__).resolve():
            _collect(ast.parse(text), path.relative_to(TESTS).as_posix(), "", found)
    return tuple(found)


def _collect(node: ast.AST, place: str, within: str, found: list[Shown]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr == "fault":
            names = tuple(str(argument.value) for argument in child.args if isinstance(argument, ast.Constant))
            found.append(Shown(place, within, names))
        name = child.name if isinstance(child, ast.FunctionDef) else within
        _collect(child, place, name, found)


def shown_by(fault: str) -> list[Shown]:
    """Return the tests that show a fault."""
    return [mark for mark in marks() if fault in mark.faults]
