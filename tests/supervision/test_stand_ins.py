"""Stand-ins: their slots and names, and what of them the host process keeps up."""

from __future__ import annotations

import pytest

from fedfutures.limits import LIMIT_EXIT_CODE
from fedfutures.supervision.actions import AbortWorker, Ended, KillWorker, Start
from fedfutures.supervision.machine import HostMachine
from fedfutures.supervision.overruns import ABORT_SECONDS, AloneFuture
from fedfutures.supervision.slots import STAND_INS_FROM as FIRST
from fedfutures.supervision.stand_ins import STAND_INS_AT_MOST, StandIns


def test_slots_are_used_again_and_names_are_not() -> None:
    stand_ins = StandIns()
    assert [stand_ins.start("h", broker, 2) for broker in (0, 1)] == [(2, "h.s1"), (3, "h.s2")]
    assert stand_ins.end(2)
    assert not stand_ins.end(2)
    assert stand_ins.start("h", 0, 2) == (2, "h.s3")
    assert [stand_ins.broker_of(slot) for slot in (1, 2, 3)] == [None, 0, 1]


def test_there_is_a_bound_for_each_broker() -> None:
    stand_ins = StandIns()
    for _ in range(STAND_INS_AT_MOST):
        assert stand_ins.start("h", 0, 1)
    assert stand_ins.start("h", 0, 1) is None
    assert stand_ins.start("h", 1, 1) is not None


@pytest.fixture
def host() -> HostMachine:
    made = HostMachine("h", 2, 2)
    made.begin()
    return made


def test_a_broker_gets_one_that_is_not_replaced(host: HostMachine) -> None:
    assert host.on_stand_in_wanted("h.broker2") == [Start(FIRST, "h.s1")]
    assert host.broker_of(FIRST) == 1
    assert host.on_stand_in_wanted("h.broker3") == [], "there is no such Broker"
    assert host.on_worker_ended(Ended(FIRST, True, -9), 1.0) == []
    assert host.on_stand_in_wanted("h.broker") == [Start(FIRST, "h.s2")]
    assert host.broker_of(FIRST) == 0
    assert host.on_worker_ended(Ended(FIRST, False, LIMIT_EXIT_CODE), 1.0) == []
    host.on_stand_in_wanted("h.broker")
    assert host.on_worker_not_started(FIRST, "no memory", 1.0, others_ready=False) == []
    assert host.next_deadline() is None


def test_none_is_started_by_a_host_that_leaves(host: HostMachine) -> None:
    host.leave()
    assert host.on_stand_in_wanted("h.broker") == []


def test_after_a_new_start_of_the_host_process_names_are_new() -> None:
    assert HostMachine("h", 1, life=2).on_stand_in_wanted("h.broker") == [Start(FIRST, "h.s1r2")]


def test_who_is_over_a_time_limit_is_ended(host: HostMachine) -> None:
    limited = AloneFuture(1, 1, 5.0)
    assert host.on_alone({0: limited}, 5.0) == [AbortWorker(0)]
    assert host.on_alone({0: limited}, 5.0 + ABORT_SECONDS) == [KillWorker(0)]
    assert host.overruns.end(0, limited) == limited
