"""In a Worker: the process that runs the tests of a suite. It is started once, and stays for all portions."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .. import shared
from ..host.flags import interpreter_flags
from ..worker import current
from .suite import NOW, Exit, Portion, PortionResults, Result, Suite, stop_of

LOOK_SECONDS = 0.2
"""So often a Worker looks whether the suite is to stop, and whether its process is alive."""
LONG_PORTION_SECONDS = 2.0
"""A portion that takes longer ends after the test that runs, and its other tests come again in another portion."""
END_SECONDS = 60.0
"""The fixtures of a session may take so long to end."""
INTERRUPT_SECONDS = 5.0
"""A process that was interrupted may take so long."""
OTHERS_FIRST_SECONDS = 0.05
PACKAGE = str(Path(__file__).parents[2])
_COMMAND = "import sys; sys.path.append({!r}); from {} import main; main({}, {})"
_SESSION = f"{__package__}.suite_session"

_TRUSTED: Any = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}

_process: SuiteProcess | None = None


def run_portion(suite: Suite, numbers: dict[str, int], portion: Portion) -> PortionResults:
    """Run tests in this Worker's process of the suite; begin it if there is none."""
    global _process
    if _process is not None and (_process.run != suite.run or not _process.is_alive()):
        _process.kill()
        _process = None
    if _process is None:
        _process = SuiteProcess(suite.run)
        if current.node is not None:
            current.node.at_end.append(_process.kill)
    if current.name not in numbers:  # the process loads pytest meanwhile
        return PortionResults(current.name, [], needs_number=True)
    found = _process.run_portion(suite, numbers[current.name], portion)
    if any(isinstance(result, Exit) for result in found.results):  # its session ends
        end = end_suite(suite)
        found = found._replace(trouble=end.trouble, last=end.last)
    return found


def end_suite(suite: Suite) -> PortionResults:
    """End this Worker's process of the suite; its fixtures end with it."""
    global _process
    process, _process = _process, None
    if process is None:
        time.sleep(OTHERS_FIRST_SECONDS)  # another Worker, which has one, is to take the next call
        return PortionResults(current.name, [])
    return process.end()


class SuiteProcess:
    """The pytest process of one run, at the other end of a pipe."""

    def __init__(self, run: str) -> None:
        self.run = run
        ours, theirs = socket.socketpair()
        command = _COMMAND.format(PACKAGE, _SESSION, theirs.fileno(), os.getpid())
        self._process = subprocess.Popen(
            [sys.executable, *interpreter_flags(), "-c", command], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._has_begun = self._has_tests = False

    def is_alive(self) -> bool:
        """Whether it can run tests."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        if not self._connection.closed:
            self._connection.close()

    def run_portion(self, suite: Suite, number: int, portion: Portion) -> PortionResults:
        """Run tests one after the other, until one ends the process; return how they went."""
        results: list[Result] = []
        trouble = self._begin(suite, number)
        begun_at = time.monotonic()
        if not trouble and portion.tests:
            self._send((portion.tests, portion.following, portion.ends_at_failure, LONG_PORTION_SECONDS))
            trouble = self._hear(suite, results)
        return PortionResults(current.name, results, time.monotonic() - begun_at, trouble)

    def _begin(self, suite: Suite, number: int) -> str:
        """Have it collect the tests; return why it does not."""
        if self._has_begun:
            return ""
        self._has_begun = True
        try:
            place = _Place(suite)
        except (OSError, tarfile.TarError) as error:
            return f"the files of the tests did not come: {error}"
        name = f"gw{number}"
        worker_input = {
            "workerid": name, "workercount": suite.workers, "testrunuid": suite.run, "mainargv": suite.arguments,
            **(pickle.loads(suite.input) if suite.input else {}),
        }  # fmt: skip
        basetemp = os.path.join(suite.basetemp, f"popen-{name}") if suite.basetemp and place.is_same else ""
        self._send((place.arguments, worker_input, suite.options, basetemp, place.directory, place.path))
        trouble = self._hear(suite, [])
        self._has_tests = not trouble
        return trouble

    def _hear(self, suite: Suite, results: list[Result]) -> str:
        """Take what the process says until it has done what it was told; return why it has not."""
        test = ""
        while True:
            try:
                if not self._connection.poll(LOOK_SECONDS):
                    self._look(suite)
                    continue
                kind, value = self._connection.recv()
            except (EOFError, OSError):
                how = self._how_it_ended()
                if not test:
                    return f"the pytest process {how} before it had the tests; what it printed says why"
                results.append(f"the pytest process {how} in this test")
                return ""
            if kind == "begin":
                test = value
            elif kind == "ran":
                results.append(value)
            elif kind == "exit":
                results.append(Exit(*value))
                return ""
            elif kind == "trouble":
                if not test:
                    return str(value)
                results.append(str(value))
                return ""
            elif kind in ("end", "collected"):
                return ""

    def _look(self, suite: Suite) -> None:
        """See whether the suite is to stop, and whether the process is there: a child of it may hold the pipe."""
        stop = shared.get(stop_of(suite.run), None, timeout=0.001)
        if stop == NOW and not self._has_tests:
            self._process.kill()
        elif stop == NOW:
            self._process.send_signal(signal.SIGINT)
            self._wait(INTERRUPT_SECONDS)
        elif stop:
            self._send("stop")
        if not self.is_alive() and not self._connection.poll(0):
            raise EOFError

    def end(self) -> PortionResults:
        """Have it end its session; return what is left to say."""
        if not self._has_tests:
            self.kill()
            return PortionResults(current.name, [])
        self._send(None)
        last = None
        trouble = ""
        until = time.monotonic() + END_SECONDS
        try:
            while last is None and time.monotonic() < until:
                if self._connection.poll(LOOK_SECONDS):
                    kind, value = self._connection.recv()
                    last = value if kind == "down" else last
                elif not self.is_alive():
                    break
        except (EOFError, OSError):
            pass
        if last is None or not self._wait(max(0.0, until - time.monotonic())):
            trouble = f"the pytest process did not end its session within {END_SECONDS:g} s"
            if not self.is_alive():
                trouble = f"the pytest process {self._how_it_ended()} while its session ended"
        self.kill()
        return PortionResults(current.name, [], trouble=trouble, last=last)

    def _send(self, what: Any) -> None:
        try:
            self._connection.send(what)
        except OSError:
            pass  # it is gone, which is seen where its answer is awaited

    def _wait(self, seconds: float) -> bool:
        """Return whether it has ended by then; else it is killed."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return False
        return True

    def _how_it_ended(self) -> str:
        self._wait(INTERRUPT_SECONDS)
        code = self._process.wait()
        if code >= 0:
            return f"ended with code {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"


class _Place:
    """Where the files of a suite are on this host."""

    def __init__(self, suite: Suite) -> None:
        self.arguments, self.directory, self.path = suite.arguments, suite.directory, suite.path
        self.is_same = suite.project is None or current.shares_files
        if self.is_same or suite.project is None:
            return
        archive = Path(shared.file(suite.project.archive))
        unpacked = archive.with_name(f"{archive.name}.unpacked")
        if not unpacked.exists():
            made = Path(tempfile.mkdtemp(dir=archive.parent, prefix="unpacking"))
            with tarfile.open(archive) as file:
                file.extractall(made, **_TRUSTED)
            try:
                made.rename(unpacked)
            except OSError:  # another Worker of this host was faster
                shutil.rmtree(made)
                if not unpacked.exists():
                    raise
        root = str(unpacked / "0")
        there = suite.project.root
        self.arguments = [argument.replace(there, root) for argument in suite.arguments]
        self.directory = suite.directory.replace(there, root)
        self.path = [*(str(unpacked / part) for part in suite.project.path), *sys.path]
