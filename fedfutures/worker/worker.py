"""The Worker: a node that runs Futures in the thread that made it. Here its parts are put together (decision 0049).

Each part has its own state and is handed those below it; none knows the Worker.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import VariableNotCarried
from ..node import events as rules
from ..program.namespaces import Namespaces
from ..wire.copies import Copies
from ..wire.payload import Payloads
from .calls import Calls
from .duties import WorkerDuties
from .files import Files
from .ground import Ground
from .isolation import Isolation
from .local_calls import LocalCalls
from .loop import Loop
from .nesting import Nesting
from .node import Node
from .orders import Orders
from .recorder import Recorder
from .runners import Pump, Runners
from .sights import WorkerSights
from .surroundings import Surroundings
from .threads import OtherThreads
from .turns import Turns


def _fetch_nothing(keys: Any) -> Any:
    raise VariableNotCarried("a variable of the program", "its value", "this process has no Origin to ask")


class Worker(Node):
    """A node that runs Futures; made, and :meth:`run`, by the main thread of its process."""

    def __init__(
        self, owner: Any, facts: dict[str, Any], name: str, payloads: Payloads, size: int, *, cells: Any, control: int,
        max_tasks: int | None = None, ground: Ground | None = None,
    ) -> None:  # fmt: skip
        super().__init__(owner, facts, name, "worker", payloads, size)
        driver, submissions = self.driver, self.submissions
        self.cells = cells
        self.at_end: list[Callable[[], object]] = []
        self.local = Copies(payloads)  # of what stays here
        ground = ground or Ground()
        self.isolation = Isolation(self.local, ground.state)
        self.state = self.isolation.state
        self.runners = runners = Runners(driver.wake)
        turns, namespaces = Turns(cells, self.state), Namespaces(_fetch_nothing, payloads.load_with)
        self.surroundings = surroundings = Surroundings(
            cells, self.machine.workload, self.isolation, namespaces, turns, runners.is_main_thread
        )
        pump = Pump(driver, runners)
        if max_tasks is not None:  # how many Futures it runs is for the Broker to see
            self.lanes.decline()
        self.calls = calls = Calls(driver, payloads, self.local, surroundings, runners, pump, max_tasks)
        self.locks = locks = ground.locks
        others = OtherThreads(turns, surroundings, submissions, locks, driver.times, calls.run_call)
        orders = Orders(driver, calls, submissions, cells, control, self.end)
        self.duties = WorkerDuties(driver, submissions, surroundings, runners, locks, others, calls, orders)
        self.loop = Loop(driver, submissions, surroundings, calls, runners, locks, self.duties, pump, self.lanes)
        local_calls = LocalCalls(payloads, self.functions, self.local, self.machine, lambda: submissions.size)
        self.nesting = nesting = Nesting(
            driver, submissions, local_calls, surroundings, calls, runners, locks, others, pump
        )
        self.submit, self.submitter, self.scope = nesting.submit, nesting.submitter, surroundings.scope
        self.files = Files(driver, submissions, facts)
        locks.attend(nesting)
        WorkerSights(self.sights, self.machine.workload, runners)
        Recorder(self.sights, surroundings, self.isolation, others)
        submissions.attend(local_calls, nesting.wait, self.questions.ask, nesting.adapt, nesting.wake_greenlets)
        driver.attend(
            self.duties, self.handlers() | {rules.Run: calls.on_run, rules.FileFetched: self.files.on_fetched}
        )  # fmt: skip

    def run(self) -> None:
        """Run Futures until told to stop (the main thread's main greenlet)."""
        self.loop.run()

    def end(self, code: int = 0) -> NoReturn:
        """End this process, from whichever thread."""
        for last_word in self.at_end:
            last_word()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)
