"""When Workers and Brokers are started again, and when not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.limits import LIMIT_EXIT_CODE
from fedfutures.supervision.actions import (
    INITIALIZER_EXIT_CODE,
    AbandonWorker,
    Ended,
    KillBroker,
    KillWorker,
    LoseBroker,
    Say,
    Start,
    StartBroker,
    Suspend,
    Tell,
)
from fedfutures.supervision.attempts import (
    ENDS_LIMIT,
    ENDS_SECONDS,
    FIRST_DELAY_SECONDS,
    GIVE_UP_SECONDS,
    LACK_SECONDS,
    LONGEST_DELAY_SECONDS,
    SETTLED_SECONDS,
)
from fedfutures.supervision.brokers import BrokerPlace, broker_places
from fedfutures.supervision.machine import FAILED_STARTS_LIMIT, HOW_BLOCKED, HOW_STOPPED, HOW_TRACED, HostMachine
from fedfutures.supervision.standstills import LOOKS_AT_A_STANDSTILL, Sight
from fedfutures.supervision.stops import KILLED_FOR_THAT, LOOK_SECONDS, LOOKS_AT_A_STOPPED_CHILD
from fedfutures.wire.control import ExpectPeers, NoMoreWorkers, WorkerContinued


@pytest.fixture
def host() -> HostMachine:
    return HostMachine("h", 2)


def test_the_first_starts(host: HostMachine) -> None:
    assert host.begin() == [Start(0, "h.1"), Start(1, "h.2")]
    assert host.next_deadline() is None


def test_one_that_was_ready_is_replaced_at_once_under_a_new_name(host: HostMachine) -> None:
    host.begin()
    assert host.on_worker_ended(Ended(1, True, -9), 1.0) == [Start(1, "h.2+1")]
    assert host.on_worker_ended(Ended(1, True, 0), 1.0) == [Start(1, "h.2+2")]


def test_one_that_was_not_waits_longer_each_time(host: HostMachine) -> None:
    host.begin()
    now = 0.0
    for failed in range(FAILED_STARTS_LIMIT - 1):
        assert host.on_worker_ended(Ended(0, False, 1), now) == []
        due = host.next_deadline()
        assert due == pytest.approx(now + FIRST_DELAY_SECONDS * 2**failed)
        assert host.tick(due - 0.01) == []
        assert host.tick(due) == [Start(0, f"h.1+{failed + 1}")]
        assert host.next_deadline() is None
        now = due
    (surrender,) = host.on_worker_ended(Ended(0, False, 7), now)
    assert isinstance(surrender.frame, NoMoreWorkers)
    assert "5 times in a row; the last one: exit code 7" in surrender.frame.reason
    assert host.on_worker_ended(Ended(1, True, -9), now) == []
    assert host.tick(1e9) == []


def test_one_that_becomes_ready_clears_the_count(host: HostMachine) -> None:
    host.begin()
    for _ in range(3 * FAILED_STARTS_LIMIT):
        host.on_worker_ended(Ended(0, False, 1), 0.0)
        assert host.tick(1e9)
        assert host.on_worker_ended(Ended(1, True, 0), 0.0)


def test_an_initializer_that_raises_is_not_tried_again(host: HostMachine) -> None:
    host.begin()
    host.on_worker_ended(Ended(0, False, 1), 0.0)
    (surrender,) = host.on_worker_ended(Ended(1, False, INITIALIZER_EXIT_CODE), 0.0)
    assert isinstance(surrender.frame, NoMoreWorkers)
    assert "the initializer raised on host h" in surrender.frame.reason
    assert host.next_deadline() is None


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([True, False]), st.floats(0.0, 2.0))))
def test_a_slot_has_one_worker_or_a_time_for_it(ends: list[tuple[int, bool, float]]) -> None:
    host = HostMachine("h", 3)
    now, names, living, given_up = 0.0, set(), {0, 1, 2}, False
    names |= {start.name for start in host.begin()}
    for slot, ready, seconds in ends:
        now += seconds
        actions = host.tick(now)
        if slot in living:
            living.discard(slot)
            actions = actions + host.on_worker_ended(Ended(slot, ready, 1), now)
        for action in actions:
            if isinstance(action, Tell):
                given_up = True
                continue
            assert action.slot not in living
            assert action.name not in names
            names.add(action.name)
            living.add(action.slot)
        assert (host.next_deadline() is None) == (given_up or len(living) == 3)
    living |= {action.slot for action in host.tick(1e9) if isinstance(action, Start)}
    assert given_up or living == {0, 1, 2}


def test_workers_that_somebody_kills_are_started_on_and_on(host: HostMachine) -> None:
    """The kernel kills them where memory is short; that says nothing about starting."""
    host.begin()
    now, said = 0.0, []
    for _ in range(12):
        said += host.on_worker_ended(Ended(0, False, -9, explanation=", out of memory"), now)
        due = host.next_deadline()
        assert due is not None
        assert due - now <= LONGEST_DELAY_SECONDS
        assert isinstance(host.tick(due)[0], Start)
        now = due
    (notice,) = said
    assert isinstance(notice, Say)
    assert "5 times in a row; the last one: signal SIGKILL, out of memory. Somebody else ends them" in notice.text


def test_workers_that_are_killed_for_a_minute_are_given_up(host: HostMachine) -> None:
    host.begin()
    host.on_worker_ended(Ended(0, False, -9), 5.0)
    assert not any(isinstance(done, Tell) for done in host.on_worker_ended(Ended(1, False, -9), GIVE_UP_SECONDS + 4.9))
    host.tick(GIVE_UP_SECONDS + 5.0)
    (surrender,) = host.on_worker_ended(Ended(1, False, -15), GIVE_UP_SECONDS + 5.0)
    assert isinstance(surrender, Tell)
    assert isinstance(surrender.frame, NoMoreWorkers)
    assert "3 times in a row; the last one: signal SIGTERM" in surrender.frame.reason


@pytest.mark.parametrize("code", [1, -9, -11])
def test_a_host_with_a_ready_worker_never_stops_to_replace_the_others(host: HostMachine, code: int) -> None:
    host.begin()
    now, said = 0.0, []
    for _ in range(40):
        said += host.on_worker_ended(Ended(0, False, code, others_ready=True), now)
        due = host.next_deadline()
        assert due is not None
        assert isinstance(host.tick(due)[0], Start)
        now = due
    assert now > GIVE_UP_SECONDS
    (notice,) = said
    assert isinstance(notice, Say)
    assert "The host goes on with those that are ready" in notice.text


# -- Brokers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def several() -> HostMachine:
    """Two Brokers, four Workers, everything started at 0.0; the first Broker dials the second."""
    host = HostMachine("h", 4, 2)
    first, second = broker_places("h", 2, "/d")
    assert first.name == "h.broker"
    assert host.link(second.dialled_by(0)) == []  # nobody is there to be told
    assert host.begin_brokers(0.0) == [StartBroker(0), told(0, second), StartBroker(1)]
    assert [start.slot for start in host.begin() if isinstance(start, Start)] == [0, 1, 2, 3]
    return host


def told(index: int, place: BrokerPlace) -> Tell:
    return Tell(index, place.dialled_by(index))


FAR = BrokerPlace("far", "tcp://far:1", "tcp://far:2", "tcp://far:3")


def test_a_broker_that_had_settled_is_started_at_once_and_told_what_it_knew(several: HostMachine) -> None:
    first, second = broker_places("h", 2, "/d")
    several.on_worker_ended(Ended(1, True, 0), 0.5)
    assert several.on_broker_ended(0, -9, 1.0) == [
        StartBroker(0, "signal SIGKILL"), Tell(0, ExpectPeers(["h.1", "h.2+1"], [second.name])), told(0, second),
    ]  # fmt: skip
    assert several.on_broker_ended(1, 1, SETTLED_SECONDS) == [
        StartBroker(1, "exit code 1"), Tell(1, ExpectPeers(["h.3", "h.4"], [first.name])),
    ]  # fmt: skip
    assert several.next_deadline() is None


def test_a_worker_that_waits_to_be_started_is_not_expected(several: HostMachine) -> None:
    several.on_worker_ended(Ended(2, False, 1), 1.0)
    assert several.on_broker_ended(1, 1, 1.05)[1].frame.workers == ["h.4"]


def test_a_broker_that_had_not_settled_waits_longer_each_time(several: HostMachine) -> None:
    now = 0.0
    for failed in range(ENDS_LIMIT - 1):
        assert several.on_broker_ended(1, 1, now) == []
        due = several.next_deadline()
        assert due == pytest.approx(now + FIRST_DELAY_SECONDS * 2**failed)
        assert several.tick(due - 0.01) == []
        assert several.tick(due)[0] == StartBroker(1, "exit code 1")
        assert several.next_deadline() is None
        now = due
    assert several.on_broker_ended(1, 7, now) == [LoseBroker("h.broker2 ended 5 times in 1.5 s; last: exit code 7")]


def test_a_broker_that_somebody_kills_every_two_seconds_is_started_each_time(several: HostMachine) -> None:
    for count in range(1, 100):
        assert isinstance(several.on_broker_ended(0, -9, count * 2.0)[0], StartBroker)


def test_a_broker_that_is_killed_as_soon_as_it_begins_is_given_up_by_time(several: HostMachine) -> None:
    now = 0.0
    done = several.on_broker_ended(1, -9, now)
    while not any(isinstance(each, LoseBroker) for each in done):
        due = several.next_deadline()
        assert due is not None
        assert due - now <= LONGEST_DELAY_SECONDS
        assert several.tick(due)[0] == StartBroker(1, "signal SIGKILL")
        now = due
        done = done + several.on_broker_ended(1, -9, now)
    assert GIVE_UP_SECONDS <= now <= GIVE_UP_SECONDS + LONGEST_DELAY_SECONDS
    assert done == [
        Say("h.broker2 is ended again and again (signal SIGKILL); it is started on and on for 60 s"),
        LoseBroker("h.broker2 was ended as soon as it began, for 60 s; last: signal SIGKILL"),
    ]


def test_ends_that_are_far_apart_are_not_added_up(several: HostMachine) -> None:
    apart = ENDS_SECONDS / (ENDS_LIMIT - 1) + 0.1
    for count in range(1, 20):
        assert several.on_broker_ended(0, -11, count * apart)[0] == StartBroker(0, "signal SIGSEGV")


def test_the_ends_of_two_brokers_are_not_added_up(several: HostMachine) -> None:
    for count in range(1, ENDS_LIMIT):
        for index in range(2):
            assert isinstance(several.on_broker_ended(index, -9, count * 2.0)[0], StartBroker)


def test_a_neighbour_elsewhere_is_dialled_now_and_again(several: HostMachine) -> None:
    assert several.link(FAR.dialled_by(1)) == [told(1, FAR)]
    assert several.on_broker_ended(1, -9, 2.0)[2:] == [told(1, FAR)]
    moved = BrokerPlace("far", "tcp://far:4", "tcp://far:5", "tcp://far:6")
    several.on_broker_ended(1, -9, 2.1)
    assert several.link(moved.dialled_by(1)) == []
    assert several.tick(9.0)[2:] == [told(1, moved)]
    assert several.link(FAR.dialled_by(2)) == several.link(FAR.dialled_by(-1)) == []


def test_a_broker_that_is_stopped_for_long_is_killed(several: HostMachine) -> None:
    several.on_broker_stopped(0, 10.0)
    for look in range(1, LOOKS_AT_A_STOPPED_CHILD):
        assert several.next_deadline() == 10.0 + look * LOOK_SECONDS
        assert several.tick(10.0 + look * LOOK_SECONDS) == []
    assert several.tick(15.0) == [KillBroker(0)]
    several.on_broker_stopped(0, 15.0)
    assert several.next_deadline() is None
    started = several.on_broker_ended(0, -9, 15.1)[0]
    assert started == StartBroker(0, "stopped for 5 s, and killed for that")
    assert several.on_broker_ended(0, -9, 17.0)[0] == StartBroker(0, "signal SIGKILL")


def test_a_broker_that_goes_on_is_left_alone(several: HostMachine) -> None:
    for begin in (10.0, 13.0, 16.0):
        several.on_broker_stopped(0, begin)
        assert several.tick(begin + LOOK_SECONDS) == []
        several.on_broker_continued(0)
    assert several.next_deadline() is None
    assert several.tick(99.0) == []


def test_the_time_when_the_host_process_was_stopped_too_does_not_count(several: HostMachine) -> None:
    several.on_broker_stopped(0, 10.0)
    assert several.tick(10_000.0) == []
    several.on_broker_continued(0)
    assert several.tick(20_000.0) == []


def test_a_worker_that_is_stopped_is_reported_and_then_killed(several: HostMachine) -> None:
    several.on_worker_stopped(1, 10.0)
    assert several.tick(10.0 + LOOK_SECONDS) == [Suspend(1, HOW_STOPPED)]
    for look in range(2, LOOKS_AT_A_STOPPED_CHILD):
        assert several.next_deadline() == 10.0 + look * LOOK_SECONDS
        assert several.tick(10.0 + look * LOOK_SECONDS) == []
    assert several.killed_for(1) == ""
    assert several.tick(15.0) == [KillWorker(1)]
    assert several.killed_for(1) == KILLED_FOR_THAT
    assert several.on_worker_continued(1) == []
    assert (several.next_deadline(), several.tick(99.0)) == (None, [])
    assert several.on_worker_ended(Ended(1, True, -9, killed_for=KILLED_FOR_THAT), 15.1) == [Start(1, "h.2+1")]
    assert several.killed_for(1) == ""


def test_a_worker_that_goes_on_is_left_alone(several: HostMachine) -> None:
    for begin in (10.0, 20.0):
        several.on_worker_stopped(3, begin)
        several.on_worker_stopped(3, begin + 0.1)  # no second clock
        assert several.on_worker_continued(3) == [], "its Broker has not been told"
        several.on_worker_stopped(3, begin + 1.0)
        assert several.tick(begin + 1.0 + LOOK_SECONDS) == [Suspend(3, HOW_STOPPED)]
        assert several.on_worker_continued(3) == [Tell(1, WorkerContinued("h.4"))]
    assert several.next_deadline() is None


def test_time_in_which_the_host_process_did_not_run_is_not_counted(several: HostMachine) -> None:
    several.on_worker_stopped(0, 10.0)
    assert several.tick(10_000.0) == [Suspend(0, HOW_STOPPED)]
    assert several.tick(20_000.0) == []


def test_a_new_broker_does_not_wait_for_workers_that_are_stopped(several: HostMachine) -> None:
    several.on_worker_stopped(0, 0.5)
    assert several.on_broker_ended(0, -9, 1.0)[1].frame.workers == ["h.2"]


def test_a_stop_of_too_long_is_how_it_has_ended() -> None:
    assert Ended(0, True, -9, killed_for=KILLED_FOR_THAT).status == "stopped for 5 s, and killed for that"


def test_a_broker_that_comes_after_the_workers_were_given_up_knows(several: HostMachine) -> None:
    surrender, other = several.on_worker_ended(Ended(0, False, INITIALIZER_EXIT_CODE), 1.0)
    assert (surrender.broker, other.broker, surrender.frame) == (0, 1, other.frame)
    assert several.on_broker_ended(1, -9, 2.0)[-1] == Tell(1, surrender.frame)


# -- limits of the machine ---------------------------------------------------------------------------------------------


def test_a_host_that_can_start_only_some_goes_on_with_those_and_says_so_once(host: HostMachine) -> None:
    host.begin()
    (said,) = host.on_worker_not_started(1, "no more files", 0.0, others_ready=False)
    assert said == Say(
        "host h cannot start Worker 2 of 2: no more files. "
        "The host goes on with those that it has, and tries again and again"
    )
    now = 0.0
    for again in range(1, 100):
        due = host.next_deadline()
        assert due is not None
        assert due - now <= LONGEST_DELAY_SECONDS + 0.001
        now = due
        assert host.tick(now) == [Start(1, f"h.2+{again}")]
        assert host.on_worker_not_started(1, "no more files", now, others_ready=True) == []
    assert now > 2 * LACK_SECONDS


@pytest.mark.parametrize("forked", [False, True], ids=["not forked", "forked, and ended by the limit"])
def test_a_host_that_can_start_none_is_given_up_by_time_and_says_why(forked: bool) -> None:
    host = HostMachine("h", 1)
    host.begin()

    def fails(now: float) -> list:
        if forked:
            return host.on_worker_ended(Ended(0, False, LIMIT_EXIT_CODE, explanation="no more files"), now)
        return host.on_worker_not_started(0, "no more files", now, others_ready=False)

    now, done = 0.0, fails(0.0)
    assert done == [Say("host h cannot start Worker 1 of 1: no more files. It tries on for 30 s")]
    while (due := host.next_deadline()) is not None:
        now = due
        host.tick(now)
        done = fails(now)
    assert LACK_SECONDS <= now <= LACK_SECONDS + LONGEST_DELAY_SECONDS
    assert done == [Tell(0, NoMoreWorkers("host h cannot start Worker 1 of 1: no more files"))]


@pytest.mark.parametrize("forked", [False, True])
def test_a_broker_that_cannot_run_is_given_up_by_time_and_says_why(several: HostMachine, forked: bool) -> None:
    def fails(now: float) -> list:
        if forked:
            return several.on_broker_ended(1, LIMIT_EXIT_CODE, now, "no more files")
        return several.on_broker_not_started(1, "no more files", now)

    now, done = 0.0, fails(0.0)
    assert done == [Say("h.broker2 cannot run on host h: no more files. It tries on for 30 s")]
    while not (done and isinstance(done[0], LoseBroker)):
        due = several.next_deadline()
        assert due is not None
        now = due
        assert isinstance(several.tick(now)[0], StartBroker)
        done = fails(now)
    assert LACK_SECONDS <= now <= LACK_SECONDS + LONGEST_DELAY_SECONDS
    assert done == [LoseBroker("h.broker2 cannot run on host h: no more files")]


def test_a_host_that_leaves_starts_no_worker(host: HostMachine) -> None:
    host.begin()
    host.on_worker_ended(Ended(0, False, 1), 1.0)
    host.leave()
    assert host.next_deadline() is None
    assert host.tick(100.0) == []
    assert host.on_worker_ended(Ended(1, True, 0), 101.0) == []


def test_workers_of_a_host_process_that_was_started_again_have_other_names() -> None:
    again = HostMachine("h", 2, life=3)
    assert [action.name for action in again.begin()] == ["h.1r3", "h.2r3"]
    assert again.on_worker_ended(Ended(1, True, -9), 1.0) == [Start(1, "h.2r3+1")]


def test_brokers_of_a_host_process_that_was_started_again_believe_what_others_hold() -> None:
    """They were here before, and know nothing of what they have lent."""
    for life in (0, 1):
        told = HostMachine("h", 2, life=life).begin_brokers(0.0)
        assert (Tell(0, ExpectPeers([], [])) in told) == bool(life)


def test_they_wait_for_neighbours_on_other_hosts_that_they_are_told_of() -> None:
    told = HostMachine("h", 2, 2, life=1, neighbours=[["a.broker", "b.broker"], []]).begin_brokers(0.0)
    assert Tell(0, ExpectPeers([], ["a.broker", "b.broker", "h.broker2"])) in told
    assert Tell(1, ExpectPeers([], ["h.broker"])) in told


def seen(machine: HostMachine, state: str, *, looks: int) -> list[object]:
    """Let the Worker of slot 1 be seen so often in a state, always as it was before, and slot 0 at work."""
    return [
        action
        for look in range(looks)
        for action in machine.on_seen({0: Sight("D", (str(look),)), 1: Sight(state, ("7",)), 9: Sight(state, ("7",))})
    ]


def test_a_worker_that_is_blocked_in_the_kernel_is_replaced(several: HostMachine) -> None:
    assert seen(several, "D", looks=LOOKS_AT_A_STANDSTILL) == []
    assert several.killed_for(1) == ""
    assert seen(several, "D", looks=1) == [Suspend(1, HOW_BLOCKED), KillWorker(1)]
    assert several.killed_for(1) == "blocked in the kernel for 30 s, and killed for that"
    assert several.on_worker_ended(Ended(1, True, -9), 40.0) == [Start(1, "h.2+1")]
    assert several.killed_for(1) == ""


def test_one_that_even_a_kill_does_not_end_is_abandoned(several: HostMachine) -> None:
    seen(several, "D", looks=LOOKS_AT_A_STANDSTILL + 1)
    assert seen(several, "D", looks=1) == [AbandonWorker(1)]
    assert seen(several, "D", looks=9) == []


def test_a_worker_that_a_debugger_holds_keeps_what_it_runs(several: HostMachine) -> None:
    assert seen(several, "t", looks=LOOKS_AT_A_STANDSTILL + 9) == [Suspend(1, HOW_TRACED)]
    assert several.killed_for(1) == ""
    assert seen(several, "S", looks=2) == [Tell(0, WorkerContinued("h.2"))]


def test_a_worker_that_is_stopped_does_not_stand_still_too(several: HostMachine) -> None:
    several.on_worker_stopped(1, 0.0)
    assert seen(several, "D", looks=LOOKS_AT_A_STANDSTILL + 1) == []
