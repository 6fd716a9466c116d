"""In the process of the command line: hands out the tests of a suite, and reports them in their order.

Tests are reported as they were collected, so what is shown, kept for ``--lf``, and done by ``-x`` is that of a run in
one process: a failure ends the run if all tests before it have been reported, and what ran behind it is not reported.
"""

from __future__ import annotations

import os
import pickle
import threading
import uuid

import pytest

from ..errors import FederationLost, StartFailed
from ..futures.executor import Executor
from ..host.hosts import Hosts
from ..host.system import processors
from ..program.postponing import calls_program
from .project import pack
from .suite import Portion, Suite
from .suite_nodes import Numbers, SuiteNode
from .suite_process import run_portion
from .suite_run import SuiteRun

calls_program(__name__)  # a Ctrl-C ends the wait for tests


class Distribution:
    """The plug-in of pytest: the tests run in `workers` Workers, of `hosts` where there are some.

    path:
        ``sys.path`` of this process before it had the tests.
    options:
        The module of the plug-in that has the options.
    """

    def __init__(
        self, config: pytest.Config, workers: int | None, hosts: Hosts | None, path: list[str], options: str
    ) -> None:
        self._config, self._workers, self._hosts, self._path, self._options = config, workers, hosts, path, options
        self._executor: Executor | None = None
        self._suite: Suite | None = None
        self._numbers = Numbers()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Start the Workers; those of this machine begin to collect."""
        try:
            self._executor = Executor(self._workers, hosts=self._hosts)
        except StartFailed as error:
            raise pytest.UsageError(str(error)) from None
        if self._hosts is None:
            self._suite = self._described(self._executor)
            threading.Thread(target=self._prepare, args=(self._executor, self._suite), daemon=True).start()

    def pytest_report_header(self) -> str:
        """Say where the tests run."""
        count = self._workers or (processors() if self._hosts is None else None)
        workers = "Workers" if count is None else f"{count} Worker{'s' if count > 1 else ''}"
        where = "" if self._hosts is None else f" on {', '.join(self._hosts.names) or 'the hosts of a file or job'}"
        return f"fedfutures: {workers}{where}"

    def _described(self, executor: Executor) -> Suite:
        config = self._config
        node = SuiteNode(config, "", {})
        if hasattr(config.hook, "pytest_configure_node"):
            config.hook.pytest_configure_node(node=node)
        factory = getattr(config, "_tmp_path_factory", None)
        return Suite(
            uuid.uuid4().hex, list(map(str, config.invocation_params.args)), str(config.invocation_params.dir),
            self._path, self._options, "" if factory is None else str(factory.getbasetemp()), executor.num_workers,
            pickle.dumps(node.workerinput), pack(config.rootpath, self._path) if self._hosts is not None else None,
        )  # fmt: skip

    def _prepare(self, executor: Executor, suite: Suite) -> None:
        """Have each Worker begin its process while this one collects."""
        nothing = Portion([], "")
        try:
            asked = [executor.submit(run_portion, suite, {}, nothing) for _ in range(suite.workers)]
            for future in asked:
                self._numbers.give(future.result().worker)
                executor.submit(run_portion, suite, self._numbers.all(), nothing)
        except Exception:  # whoever hands out the tests meets it, too
            return

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests in Workers, and report them."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            count = session.testsfailed
            raise session.Interrupted(f"{count} error{'s' if count > 1 else ''} during collection")
        if session.items and self._executor is not None:
            try:
                self._suite = self._suite or self._described(self._executor)
                SuiteRun(session, self._executor, self._suite, self._numbers).report_all()
            except StartFailed as error:
                raise pytest.UsageError(str(error)) from None
            except FederationLost as error:
                raise session.Interrupted(str(error)) from None
        return True

    def pytest_unconfigure(self) -> None:
        """End the Workers."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None
        if self._suite is not None and self._suite.project is not None:
            os.unlink(self._suite.project.archive)
