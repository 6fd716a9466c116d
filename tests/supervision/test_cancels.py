"""Workers that are ended for a cancelled Future: only while they run it."""

from __future__ import annotations

import pytest

from fedfutures.supervision.actions import KillWorker
from fedfutures.supervision.cancels import Cancels, victim
from fedfutures.supervision.machine import HostMachine
from fedfutures.supervision.overruns import AloneFuture
from fedfutures.wire.control import EndWorker

WANTED = EndWorker("h.1", 3, [7, 8], begun=False)
BEGUN = EndWorker("h.1", 3, [7, 8], begun=True)
ALONE, OTHER = AloneFuture(3, 8, 9.0), AloneFuture(4, 7, 9.0)


@pytest.mark.parametrize(
    ("wanted", "running", "alone", "number"),
    [
        (WANTED, (3, 8), None, 8),
        (WANTED, (3, 9), None, None),
        (WANTED, (4, 8), None, None),
        (WANTED, None, None, None),
        (WANTED, (5, 1), ALONE, 8),
        (WANTED, (3, 8), OTHER, 8),
        (WANTED, (4, 7), OTHER, None),
        (BEGUN, (4, 8), None, 7),
        (BEGUN, None, None, 7),
        (BEGUN, (3, 8), None, 8),
        (BEGUN, None, OTHER, None),
        (EndWorker("h.1", 3, [], begun=True), None, None, None),
    ],
)
def test_for_whom_a_worker_is_ended(
    wanted: EndWorker, running: tuple[int, int] | None, alone: AloneFuture | None, number: int | None
) -> None:
    assert victim(wanted, running, alone) == number


def test_it_is_killed_once_and_remembered_until_it_ends() -> None:
    cancels = Cancels()
    assert (cancels.kill(1, 3, 8), cancels.kill(1, 3, 7)) == (True, False)
    assert cancels.end(1) == (3, 8)
    assert cancels.end(1) is None


def test_a_host_ends_only_the_worker_that_is_meant() -> None:
    host = HostMachine("h", 2, 2)
    host.begin()
    assert host.on_end_wanted("h.broker", 0, WANTED, (3, 7), None) == [KillWorker(0)]
    assert host.on_end_wanted("h.broker", 0, WANTED, (3, 7), None) == [], "it is about to end"
    assert host.on_end_wanted("h.broker", 1, WANTED, (3, 7), None) == [], "it is another Worker"
    assert host.on_end_wanted("h.broker2", 0, WANTED, (3, 7), None) == [], "it is another Broker's"
    assert host.end_cancelled(0) == (3, 7)
    assert host.end_cancelled(0) is None
