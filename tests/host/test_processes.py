"""The processes of a host process: how they are found, what they are told, and how they are killed."""

from __future__ import annotations

import faulthandler
import os
import select
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from fedfutures.host.child import fork_child
from fedfutures.host.crash_cells import READY, TOLD, CrashCells
from fedfutures.host.processes import Processes
from fedfutures.host.settings import Settings
from fedfutures.host.system import FormerState
from fedfutures.supervision.actions import AbortWorker, KillBroker, KillWorker, Tell, TellWorkers, Withdraw
from fedfutures.wire.control import ControlFrame, EndRun, FederationSize, WithdrawWorker
from fedfutures.wire.framing import FrameReader

pytestmark = pytest.mark.host
FORMER = FormerState(0o022, 0, frozenset())


def keeps(settings: Settings, facts: dict[str, Any], name: str, control: int, cells: CrashCells, dump: int) -> None:
    """Write down what comes, until the host process hangs up."""
    faulthandler.disable()  # of the process that runs the tests
    cells.cells[READY] = 1
    while data := os.read(control, 1 << 16):
        os.write(dump, data)


class Family:
    """A Broker and two Workers."""

    def __init__(self) -> None:
        self.processes = Processes()
        self.poller = select.poll()
        for role, name, slot in (("broker", "h.broker", 0), ("worker", "h.1", 0), ("worker", "h.2", 1)):
            others = list(self.processes.children.values())
            child = fork_child(role, keeps, name, slot, Settings("h", 2, 2), {}, others, FORMER, self.poller)
            self.processes.add(child)

    def end(self, pid: int) -> tuple[int, list[ControlFrame]]:
        """Wait for the end of a child; return its exit code, and what it was told."""
        _, status = os.waitpid(pid, 0)
        child = self.processes.pop(pid)
        told = FrameReader().feed(os.pread(child.dump, 1 << 16, 0))
        child.close()
        return os.waitstatus_to_exitcode(status), told


@pytest.fixture
def family() -> Iterator[Family]:
    made = Family()
    yield made
    for child in list(made.processes.children.values()):
        os.kill(child.pid, signal.SIGKILL)
        made.end(child.pid)


def test_they_are_found_by_what_is_known_of_them(family: Family) -> None:
    mine = family.processes
    first, second = mine.workers()
    assert (first.name, second.name) == ("h.1", "h.2")
    assert (mine.worker_of(1), mine.worker_named("h.1"), mine.worker_of(2)) == (second, first, None)
    assert [child.name for child in mine.brokers.values()] == ["h.broker"]
    mine.kill_broker(KillBroker(0))
    family.end(mine.brokers[0].pid)
    assert mine.brokers == {}
    mine.kill_broker(KillBroker(0))
    mine.tell_broker(Tell(0, EndRun()))


def test_each_is_told_what_is_meant_for_it(family: Family) -> None:
    mine = family.processes
    first, second = mine.workers()
    broker = mine.brokers[0]
    mine.withdraw(Withdraw(1))
    mine.withdraw(Withdraw(5))
    mine.tell_workers(TellWorkers(FederationSize(9)))
    mine.withdraw(Withdraw(1, stays=True))
    mine.tell_broker(Tell(0, EndRun()))
    counts = [child.cells.cells[TOLD] for child in (broker, first, second)]
    told = []
    for child in (broker, first, second):
        child.hang_up()
        told.append(family.end(child.pid))
    size = FederationSize(9)
    assert told == [(0, [EndRun()]), (0, [size]), (0, [WithdrawWorker(), size, WithdrawWorker(stays=True)])]
    assert counts == [1, 1, 3], "a Worker sees by this that something has come"


def test_signals(family: Family) -> None:
    mine = family.processes
    first, second = mine.workers()
    mine.abort_worker(AbortWorker(0))
    mine.kill_worker(KillWorker(1))
    mine.kill_worker(KillWorker(7))
    assert [family.end(child.pid)[0] for child in (first, second)] == [-signal.SIGABRT, -signal.SIGKILL]


def test_a_worker_that_is_not_there_yet_is_told_as_soon_as_it_is(family: Family) -> None:
    mine = family.processes
    for slot in (2, 3, 4):
        mine.withdraw(Withdraw(slot))
    mine.withdraw(Withdraw(3, stays=True))
    mine.forget(4)
    told = []
    for slot in (2, 3, 4):
        child = fork_child(
            "worker",
            keeps,
            f"h.{slot}",
            slot,
            Settings("h", 2, 2),
            {},
            list(mine.children.values()),
            FORMER,
            family.poller,
        )
        mine.add(child)
        child.hang_up()
        told.append(family.end(child.pid)[1])
    assert told == [[WithdrawWorker()], [], []]
