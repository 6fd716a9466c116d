"""The process that runs tests of a suite for a Worker: a session of pytest whose loop does what comes by a pipe.

A test runs as in one process, also the end of its fixtures: pytest learns which test comes next in the suite. If
another one comes instead, what is not needed for it ends first, and an error of that belongs to the test before.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
import warnings
from contextlib import nullcontext
from importlib.metadata import entry_points
from multiprocessing.connection import Connection
from typing import Any

import pytest

from ..host.system import die_with_parent

END = None
"""Instead of a portion: the session ends."""
STOP = "stop"
"""While a portion runs: it ends after the test that runs."""


class SuiteSession:
    """A plug-in of pytest, in the process that runs the tests."""

    def __init__(self, connection: Connection, worker_input: dict[str, Any], basetemp: str) -> None:
        self._connection = connection
        self._input, self._basetemp = worker_input, basetemp
        self._output: dict[str, Any] = {}  # of plug-ins
        self._said: list[tuple[str, Any]] = []  # what the process of the command line is to hear of the present test
        self._errors: dict[str, str] = {}  # of the collection, by node id
        self._config: Any = None
        self._last: pytest.Item | None = None
        self._promised: pytest.Item | None = None  # the test that pytest was told to come next
        self._has_failed = False

    # -- the session -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        """Let plug-ins know that this is not the process of the command line; the names are pytest-xdist's."""
        self._config = early_config
        vars(early_config).update(workerinput=self._input, workeroutput=self._output)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Set what differs from the process of the command line."""
        vars(config.option).update(maxfail=0, **({"basetemp": self._basetemp} if self._basetemp else {}))

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Leave to the process of the command line what it does for all: to write, and to end at a failure."""
        for name in ("terminalreporter", "stepwiseplugin"):
            if (plugin := config.pluginmanager.getplugin(name)) is not None:
                config.pluginmanager.unregister(plugin)

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Any:
        """Leave it to the Worker to say that there is no such file."""
        try:
            return (yield)
        except pytest.UsageError as error:
            self._send("trouble", "\n".join(map(str, error.args)))
            error.args = ()  # which pytest would print at the end of this process, too
            raise

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why tests are missing."""
        if report.failed:
            self._errors[report.nodeid] = report.longreprtext

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run portions until the end comes."""
        items = {item.nodeid: item for item in session.items}
        self._send("collected", len(items))
        while (portion := self._receive()) is not END:
            if portion != STOP:
                self._run_portion(session, items, *portion)
        self._leave(session, None)
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Any:
        """Say what is left, also where the end of a fixture has failed."""
        try:
            return (yield)
        finally:
            self._send("down", pickle.dumps((self._said, self._output)))

    # -- tests -------------------------------------------------------------------------------------------------------

    def _run_portion(
        self, session: pytest.Session, items: dict[str, pytest.Item], tests: list[str], following: str,
        ends_at_failure: bool, seconds: float,
    ) -> None:  # fmt: skip
        until = time.monotonic() + seconds
        for test, after in zip(tests, [*tests[1:], following]):
            item = items.get(test)
            self._send("begin", test)
            self._has_failed = False
            if item is None:
                self._send("ran", self._missing(test))
            else:
                self._leave(session, item)
                following_item = items.get(after) or next(iter(items.values()))
                self._promised = following_item if following_item is not item else None
                self._last = item
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=self._promised)
                if session.shouldstop:
                    self._said.append(("stop", str(session.shouldstop)))
                self._send("ran", self._taken())
            if (ends_at_failure and self._has_failed) or time.monotonic() > until or self._is_to_stop():
                break
        self._send("end", None)

    def _leave(self, session: pytest.Session, item: pytest.Item | None) -> None:
        """End the fixtures that the next test does not need, if it is another one than pytest was told."""
        last = self._last
        if last is None or (item is not None and item is self._promised):
            return
        manager: Any = session.config.pluginmanager.getplugin("capturemanager")

        def end() -> None:
            __tracebackhide__ = True
            session._setupstate.teardown_exact(item)

        with nullcontext() if manager is None else manager.item_capture("teardown", last):
            call = pytest.CallInfo.from_call(end, "teardown", reraise=(KeyboardInterrupt,))
        if call.excinfo is not None:
            report = session.config.hook.pytest_runtest_makereport(item=last, call=call)
            session.config.hook.pytest_runtest_logreport(report=report)

    def _taken(self) -> bytes | str:
        said, self._said = self._said, []
        try:
            return pickle.dumps(said)
        except Exception as error:
            return f"the reports of this test cannot be pickled: {type(error).__name__}: {error}"

    def _missing(self, test: str) -> str:
        why = [text for node, text in self._errors.items() if test.startswith(node)]
        return "\n".join([*why, "this process did not collect the test: it must find the same tests as others do"])

    # -- what is reported --------------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the report of a test for the process of the command line."""
        self._has_failed |= report.failed and not hasattr(report, "wasxfail")
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._said.append(("report", data))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        """Keep a warning; what the collection warns of is heard there as well."""
        if when == "runtest":
            category = warning_message.category
            self._said.append(("warning", (
                str(warning_message.message), category.__module__, category.__qualname__, warning_message.filename,
                warning_message.lineno, when, nodeid, location,
            )))  # fmt: skip

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """The session ends here, and so do all."""
        is_interrupt = isinstance(excinfo.value, KeyboardInterrupt)
        self._send("exit", (str(excinfo.value), getattr(excinfo.value, "returncode", None), is_interrupt))

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Say why this process ends."""
        self._send("trouble", str(excrepr))

    # -- the pipe ----------------------------------------------------------------------------------------------------

    def _send(self, kind: str, value: Any) -> None:
        try:
            self._connection.send((kind, value))
        except OSError:  # the Worker is gone, which is seen when its next word is awaited
            pass

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except EOFError:
            return END

    def _is_to_stop(self) -> bool:
        return self._connection.poll(0) and self._receive() in (STOP, END)


def main(descriptor: int, parent: int) -> None:
    """Run a session for the Worker at the other end of a pipe."""
    die_with_parent(parent)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    connection = Connection(descriptor)
    try:
        arguments, worker_input, options, basetemp, directory, path = connection.recv()
    except EOFError:
        return
    os.chdir(directory)
    sys.path[:] = path
    sys.argv[:] = worker_input["mainargv"]
    os.environ["PYTEST_XDIST_WORKER"] = worker_input["workerid"]
    os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(worker_input["workercount"])
    os.environ["PYTEST_XDIST_TESTRUNUID"] = worker_input["testrunuid"]
    plugins: list[Any] = [SuiteSession(connection, worker_input, basetemp)]
    if not any(entry.value == options for entry in entry_points(group="pytest11")):
        plugins.append(options)  # this fedfutures was sent to the host, and is not installed there
    code = pytest.main(arguments, plugins)
    sys.stdout.flush()
    sys.exit(int(code))
