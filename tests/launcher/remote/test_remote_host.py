"""The life of a remote host: every way through its table, and a naive account of when a host is given up."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures_launcher.remote.remote_host import (
    FIRST_PAUSE_SECONDS,
    HELLO_SECONDS,
    LATE_SECONDS,
    LOGGING_IN,
    LOGIN_SECONDS,
    LONGEST_PAUSE_SECONDS,
    SETTLED_SECONDS,
    STARTS_AT_MOST,
    TABLE,
    TIMED,
    HostAction,
    HostEvent,
    HostState,
    RemoteHost,
)

GRACE = 30.0
ENDS = {HostState.FAILED, HostState.GIVEN_UP, HostState.OVER}


def ready_host(grace: float = GRACE) -> RemoteHost:
    """A host that has answered two probes, 0.2 s away."""
    host = RemoteHost(grace)
    assert host.connect(0.0) == (HostAction.LOG_IN,)
    assert host.on_hello(1.0) == (HostAction.SEND_PROBE,)
    assert host.on_reply(2.0) == (HostAction.SEND_PROBE,)
    assert host.on_reply(2.2) == ()
    return host


def serving_host(grace: float = GRACE) -> RemoteHost:
    host = ready_host(grace)
    assert host.begin(3.0, takes_part=True) == (HostAction.SEND_SETTINGS,)
    assert host.on_ready("/run", 4.0) == ()
    return host


def test_time_in_which_this_process_did_not_run_does_not_count() -> None:
    host = RemoteHost(GRACE)
    host.connect(0.0)
    host.excuse(7.0)
    assert host.due == HELLO_SECONDS + 7.0
    assert host.on_due(LOGIN_SECONDS + 6.9, connected_at=None) == ()
    assert host.on_due(LOGIN_SECONDS + 7.0, connected_at=None) is None
    served = serving_host()
    served.excuse(7.0)
    assert served.due is None


def test_a_host_may_be_given_more_time_or_less() -> None:
    for hello, login in ((30.0, 30.0), (10.0, 25.0), (2.0, 5.0)):
        host = RemoteHost(GRACE, hello)
        host.connect(0.0)
        assert host.due == hello
        assert host.on_due(login - 0.1, connected_at=None) == ()
        assert host.on_due(login, connected_at=None) is None


def test_one_that_was_logged_in_to_late_has_as_much_time_from_then() -> None:
    host = RemoteHost(GRACE)
    host.connect(0.0)
    assert host.on_due(HELLO_SECONDS, connected_at=9.0) == ()
    assert host.due == HELLO_SECONDS + LATE_SECONDS
    assert host.on_due(9.0 + HELLO_SECONDS - 0.1, connected_at=9.0) == ()
    assert host.due == 9.0 + HELLO_SECONDS
    assert host.on_due(9.0 + HELLO_SECONDS, connected_at=9.0) is None


def test_a_login_may_take_as_long_as_the_config_says() -> None:
    host = RemoteHost(GRACE)
    host.connect(0.0)
    assert host.on_due(59.9, connected_at=None, patience=60.0) == ()
    assert host.on_due(60.0, connected_at=None, patience=60.0) is None
    assert host.on_due(LOGIN_SECONDS - 0.1, connected_at=None, patience=2.0) == ()


def test_a_host_that_is_come_back_to_has_a_time_of_its_own() -> None:
    host = RemoteHost(GRACE, 30.0, 10.0)
    host.resume("/run", 0.0, was_given_up=False)
    host.on_due(0.0, connected_at=None)
    assert (host.state, host.due, host.hello_seconds) == (HostState.RETURNING, 10.0, 10.0)
    assert host.on_due(10.0, connected_at=0.0) is None


def test_another_launcher_has_its_own_time() -> None:
    host = RemoteHost(GRACE)
    host.connect(0.0)
    assert host.on_other_way(4.0) == (HostAction.HANG_UP, HostAction.LOG_IN)
    assert (host.state, host.due) == (HostState.CONNECTING, 4.0 + HELLO_SECONDS)
    assert host.on_failure(5.0) == (HostAction.HANG_UP, HostAction.LEAVE_OUT)


# ----------------------------------------------------------------------------------------------------------- the table


def test_every_state_can_be_reached_and_left_but_for_the_ends() -> None:
    reached, todo = {HostState.NEW}, [HostState.NEW]
    while todo:
        state = todo.pop()
        after = {there for (here, _), (there, _) in TABLE.items() if here is state} - reached
        reached |= after
        todo += after
    assert reached == set(HostState)
    assert {state for state in HostState if {there for (here, _), (there, _) in TABLE.items() if here is state}
            <= {state, HostState.OVER}} == {*ENDS, HostState.CLOSING}  # fmt: skip


def test_every_event_and_every_action_has_its_use() -> None:
    assert {event for _, event in TABLE} == set(HostEvent)
    assert {action for _, actions in TABLE.values() for action in actions} == set(HostAction)


def test_a_session_that_has_failed_is_hung_up_whatever_the_state() -> None:
    for (_, event), (_, actions) in TABLE.items():
        if event in (HostEvent.FAILURE, HostEvent.LAST_FAILURE):
            assert actions[0] is HostAction.HANG_UP


def test_whatever_waits_for_a_word_can_fail() -> None:
    for state in TIMED:
        assert (state, HostEvent.FAILURE) in TABLE


def test_what_cannot_happen_is_an_error() -> None:
    host = RemoteHost(GRACE)
    with pytest.raises(KeyError):
        host.on_hello(0.0)


# ------------------------------------------------------------------------------------------------------ before the run


def test_its_distance_is_measured_by_the_second_probe() -> None:
    host = ready_host()
    assert host.settled
    assert host.latency == pytest.approx(0.2)
    assert host.due is None
    assert host.on_reply(3.0) == ()  # nobody waits for it


def test_one_that_fails_before_the_run_is_no_part_of_it() -> None:
    host = RemoteHost(GRACE)
    host.connect(0.0)
    assert not host.settled
    assert host.on_failure(1.0) == (HostAction.HANG_UP, HostAction.LEAVE_OUT)
    assert (host.state, host.settled, host.due) == (HostState.FAILED, True, None)
    assert host.begin(2.0, takes_part=False) == ()


def test_one_that_gets_no_worker_is_left() -> None:
    host = ready_host()
    assert host.begin(3.0, takes_part=False) == (HostAction.HANG_UP,)
    assert host.state is HostState.OVER


def test_a_server_that_drops_logins_has_more_time_than_a_silent_host() -> None:
    host = RemoteHost(GRACE)
    host.connect(0.0)
    assert host.due == HELLO_SECONDS
    assert host.on_due(HELLO_SECONDS, connected_at=None) == ()
    assert host.due == HELLO_SECONDS + LATE_SECONDS
    assert host.on_due(LOGIN_SECONDS, connected_at=None) is None
    host = RemoteHost(GRACE)
    host.connect(0.0)
    assert host.on_due(HELLO_SECONDS, connected_at=0.0) is None


# ------------------------------------------------------------------------------------------------------- coming back


def test_a_lost_host_is_come_back_to_by_its_door() -> None:
    host = serving_host()
    assert host.on_failure(10.0) == (HostAction.HANG_UP, HostAction.TELL_LOST)
    assert host.due == 10.0 + FIRST_PAUSE_SECONDS
    assert host.on_due(host.due, connected_at=None) == (HostAction.LOG_IN,)
    assert (host.state, host.run) == (HostState.RETURNING, "/run")
    assert host.on_hello(11.0) == ()
    assert host.on_ready("/run", 12.0) == (HostAction.TELL_BACK,)
    assert (host.state, host.due) == (HostState.SERVING, None)


def test_where_its_host_process_is_gone_another_one_is_started() -> None:
    host = serving_host()
    host.on_failure(10.0)
    host.on_due(10.3, connected_at=None)
    host.on_hello(11.0)
    assert host.on_failure(11.5, process_gone=True) == (HostAction.HANG_UP,)
    assert host.run is None
    host.on_due(12.0, connected_at=None)
    assert host.state is HostState.RESTARTING
    assert host.on_hello(13.0) == (HostAction.TELL_STARTED, HostAction.SEND_SETTINGS)


def test_pauses_grow_and_are_short_again_once_it_is_back() -> None:
    host, now, pauses = serving_host(), 10.0, []
    for _ in range(7):
        host.on_failure(now)
        assert host.due is not None
        pauses.append(host.due - now)
        host.on_due(now := now + 0.01, connected_at=None)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE_SECONDS, pytest.approx(LONGEST_PAUSE_SECONDS))
    host.on_hello(now)
    host.on_ready("/run", now)
    host.on_failure(now)
    assert host.due == now + FIRST_PAUSE_SECONDS


def test_it_is_given_up_after_twice_the_grace() -> None:
    host = serving_host()
    host.on_failure(10.0)
    host.on_due(11.0, connected_at=None)
    assert host.on_failure(10.0 + 2 * GRACE + 1) == (HostAction.HANG_UP, HostAction.TELL_GIVEN_UP)
    assert (host.state, host.due) == (HostState.GIVEN_UP, None)


def test_host_processes_that_end_at_once_are_started_only_so_often() -> None:
    host, starts, now = ready_host(), 1, 3.0
    host.begin(now, takes_part=True)
    while host.state is not HostState.GIVEN_UP:
        now += 1.0
        host.on_failure(now)
        if host.state is HostState.WAITING:
            assert host.on_due(now, connected_at=None) == (HostAction.LOG_IN,)
            host.on_hello(now)
            starts += 1
    assert starts == STARTS_AT_MOST


def test_host_processes_that_have_served_are_started_again_as_often_as_they_end() -> None:
    """A host that is started anew each night of a long run is given up on no night."""
    host, now = serving_host(), 10.0
    for _ in range(3 * STARTS_AT_MOST):
        host.on_ready("/run", now)
        now += SETTLED_SECONDS
        host.on_failure(now)
        host.on_due(now, connected_at=None)
        host.on_failure(now, process_gone=True)
        assert host.on_due(now, connected_at=None) == (HostAction.LOG_IN,)
        assert host.on_hello(now) == (HostAction.TELL_STARTED, HostAction.SEND_SETTINGS)
    assert host.state is HostState.SERVING


def test_the_end_of_the_run_is_told_to_hosts_that_serve() -> None:
    host = serving_host()
    assert host.end(5.0) == (HostAction.SEND_END,)
    assert host.on_failure(6.0) == (HostAction.HANG_UP,)  # its session has ended, as it should
    assert ready_host().end(5.0) == (HostAction.HANG_UP,)


def test_the_end_is_told_to_a_host_process_that_does_not_hear_the_connector_when_the_run_ends() -> None:
    """It would go on for its grace."""
    waiting, returning, entering = serving_host(), serving_host(), serving_host()
    for host in (waiting, returning, entering):
        host.on_failure(5.0)
    for host in (returning, entering):
        host.on_due(6.0, connected_at=None)
    entering.on_hello(7.0)
    assert entering.end(8.0) == (HostAction.SEND_END,)
    assert waiting.end(8.0) == (HostAction.LOG_IN,)
    assert returning.end(8.0) == ()
    assert waiting.on_hello(9.0) == (HostAction.SEND_END,)
    assert returning.on_failure(9.0) == (HostAction.HANG_UP,)


@given(st.sampled_from(sorted(TABLE, key=str)))
def test_the_end_ends_everything(key: tuple[HostState, HostEvent]) -> None:
    after = TABLE[key][0]
    assert TABLE[after, HostEvent.END][0] is HostState.OVER


class LivesOfHosts(RuleBasedStateMachine):
    """Any order of what may come, beside an account of logins, connections and losses."""

    def __init__(self) -> None:
        super().__init__()
        self.host = RemoteHost(GRACE)
        self.now = 0.0
        self.is_open = False  # a session is under way
        self.lost_at: float | None = None  # since when it does not serve, after it had served
        self.follow(self.host.connect(self.now))

    def follow(self, actions: tuple[HostAction, ...]) -> None:
        for action in actions:
            if action is HostAction.LOG_IN:
                assert not self.is_open, "a second session while there is one"
                self.is_open = True
            elif action is HostAction.HANG_UP:
                self.is_open = False
            elif action in (HostAction.SEND_PROBE, HostAction.SEND_SETTINGS, HostAction.SEND_END):
                assert self.is_open, "words for nobody"
            elif action is HostAction.TELL_LOST:
                assert self.lost_at is None
                self.lost_at = self.now
            elif action in (HostAction.TELL_BACK, HostAction.TELL_STARTED):
                assert self.lost_at is not None
                self.lost_at = None
            elif action is HostAction.TELL_GIVEN_UP:
                assert self.lost_at is not None

    @rule(seconds=st.floats(0.01, 40.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.host.due is not None and self.now >= self.host.due:
            actions = self.host.on_due(self.now, connected_at=0.0)
            self.follow(self.host.on_failure(self.now) if actions is None else actions)

    @precondition(lambda self: self.host.state in LOGGING_IN)
    @rule()
    def says_hello(self) -> None:
        self.follow(self.host.on_hello(self.now))

    @rule()
    def answers_a_probe(self) -> None:
        self.follow(self.host.on_reply(self.now))

    @rule(takes_part=st.booleans())
    def run_begins(self, takes_part: bool) -> None:
        self.follow(self.host.begin(self.now, takes_part=takes_part))

    @rule()
    def host_process_answers(self) -> None:
        self.follow(self.host.on_ready("/run", self.now))

    @precondition(lambda self: self.is_open)
    @rule(process_gone=st.booleans())
    def session_fails(self, process_gone: bool) -> None:
        self.follow(self.host.on_failure(self.now, process_gone=process_gone))

    @precondition(lambda self: self.host.state is HostState.CONNECTING)
    @rule()
    def another_launcher_is_tried(self) -> None:
        self.follow(self.host.on_other_way(self.now))

    @rule()
    def run_ends(self) -> None:
        self.follow(self.host.end(self.now))

    @invariant()
    def it_is_looked_after(self) -> None:
        host = self.host
        assert (host.due is not None) == (host.state in TIMED or host.state is HostState.WAITING)
        assert self.is_open or host.state in {HostState.WAITING} | ENDS
        assert host.state is not HostState.SERVING or self.lost_at is None


TestLivesOfHosts = LivesOfHosts.TestCase


def test_one_that_leaves_is_not_come_back_to() -> None:
    host = serving_host()
    assert host.on_leave(5.0) == (HostAction.HANG_UP, HostAction.TELL_LEFT)
    assert (host.state, host.due) == (HostState.GIVEN_UP, None)
    assert host.on_leave(6.0) == ()


def test_the_host_process_of_a_connector_that_was_killed_is_come_back_to_at_once() -> None:
    host = RemoteHost(GRACE)
    assert host.resume("/run", 5.0, was_given_up=False) == ()
    assert (host.due, host.on_due(5.0, connected_at=None)) == (5.0, (HostAction.LOG_IN,))
    assert host.on_hello(6.0) == ()
    assert host.on_ready("/run", 7.0) == (HostAction.TELL_BACK,)
    assert host.state is HostState.SERVING


def test_one_that_had_not_become_ready_is_started_again() -> None:
    host = RemoteHost(GRACE)
    host.resume(None, 5.0, was_given_up=False)
    assert host.on_due(5.0, connected_at=None) == (HostAction.LOG_IN,)
    assert host.state is HostState.RESTARTING


def test_one_that_was_given_up_stays_so() -> None:
    host = RemoteHost(GRACE)
    assert host.resume("/run", 5.0, was_given_up=True) == ()
    assert (host.state, host.due) == (HostState.GIVEN_UP, None)
