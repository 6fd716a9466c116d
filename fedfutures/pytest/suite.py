"""What the process of the command line and the Workers say to each other of a suite of tests."""

from __future__ import annotations

from typing import NamedTuple

SOON, NOW = "soon", "now"
"""How a suite is stopped: after the tests that run, or in them."""


class Project(NamedTuple):
    """The files of the tests, for hosts that do not have them: an archive, and what of it goes where."""

    archive: str  # as shared.file knows it
    path: list[str]  # what of the archive belongs into sys.path
    root: str  # which directory of the process of the command line is the first of the archive


class Suite(NamedTuple):
    """Of one run of pytest: what a Worker needs to begin it."""

    run: str  # which no other run has
    arguments: list[str]
    directory: str  # the working directory
    path: list[str]  # sys.path, where the files are the same
    options: str  # the module of the plug-in that has the options, for hosts where it is not installed
    basetemp: str  # for tmp_path, where the files are the same; "": each process has its own
    workers: int
    input: bytes = b""  # what plug-ins give to each process of the suite, pickled
    project: Project | None = None


class Portion(NamedTuple):
    """Tests that one Worker is to run, by their node ids."""

    tests: list[str]
    following: str  # the one that comes next in the order of the suite; "": none
    ends_at_failure: bool = False


class Exit(NamedTuple):
    """A test ended the whole run: by ``pytest.exit``, or as if by an interrupt."""

    reason: str
    code: int | None
    is_interrupt: bool


Result = bytes | str | Exit
"""Of a test: its reports, pickled; or why there are none: its process died, for example."""


class PortionResults(NamedTuple):
    """How a portion went in a Worker."""

    worker: str
    results: list[Result]  # of each test that has run, in order
    seconds: float = 0.0
    trouble: str = ""  # why the Worker cannot run tests of the suite
    needs_number: bool = False
    last: bytes | None = None  # of the end: what is left to report, and what plug-ins give back, pickled


def stop_of(run: str) -> str:
    """Return the name of the shared constant which says that a suite is to stop."""
    return f"pytest {run} stops"
