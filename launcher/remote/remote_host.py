"""The life of another host, for the connector. Pure: a table, and methods that choose the event.

A host is *settled* once it is known whether it can take part: it has sent a compatible hello and its latency is
measured, or it has failed. With its settings it serves. If its ssh connection is lost then, its Brokers and Workers go
on, and the connector logs in again to the same host process (:mod:`fedfutures.host.reattach`). If that is gone, as
after a reboot, the connector starts another one with the same settings. A host that cannot be reached again is given
up, and its Futures run elsewhere.

:data:`TABLE` holds all of these rules. docs/hosts.rst draws it.
"""

from __future__ import annotations

from enum import Enum
from math import inf

HELLO_SECONDS = 10.0
LATE_SECONDS = 3.0
LOGIN_SECONDS = 25.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 4.0
STARTS_AT_MOST = 4
"""In a row, of host processes that did not serve for long: then another start does not help."""
SETTLED_SECONDS = 5.0
"""A host process that has served for so long could start: what ended it says nothing of the next one."""


class HostState(Enum):
    """The state of a host."""

    NEW = "new"
    CONNECTING = "connecting"  # logging in, until its hello
    MEASURING = "measuring"
    READY = "ready"  # it can take part, and waits for its settings
    SERVING = "serving"
    WAITING = "waiting"  # for the time to log in again
    RETURNING = "returning"  # logging in to its host process
    ENTERING = "entering"  # its host process has not answered yet, and may be gone
    RESTARTING = "restarting"  # logging in to start another host process
    CLOSING = "closing"  # logging in to its host process, to tell it that the run has ended
    FAILED = "failed"  # it cannot take part in this run
    GIVEN_UP = "given up"  # it has served and cannot be reached again
    OVER = "over"


class HostEvent(Enum):
    """An event in the life of a host."""

    CONNECT = "the run begins"
    OTHER_WAY = "the session has failed, and another launcher is left"
    RESUME = "the connector before this one was killed"
    WAS_GIVEN_UP = "that one has given it up"
    HELLO = "it has said hello, and is fit"
    FIRST_REPLY = "first reply to a probe"
    SECOND_REPLY = "second reply to a probe"
    BEGIN = "all hosts are settled"
    LEAVE_OUT = "it gets no Worker"
    PROCESS_READY = "its host process has answered"
    FAILURE = "the session has failed"
    LAST_FAILURE = "the session has failed too often, or for too long"
    RETURN = "the pause is over"
    RESTART = "the pause is over, and its host process is gone"
    LEAVE = "it leaves the run, since it was told to end"
    END = "the run ends"
    END_AWAY = "the run ends, and its host process does not hear it yet"


class HostAction(Enum):
    """What the shell (:mod:`~fedfutures_launcher.connector.login`) is to do; actions of one step in this order."""

    LOG_IN = "log in"
    SEND_PROBE = "send a probe"
    SEND_SETTINGS = "send its settings"
    SEND_END = "tell it that the run has ended"
    HANG_UP = "hang up"
    LEAVE_OUT = "say why it cannot be used"
    TELL_LOST = "say that the connection is lost"
    TELL_BACK = "say that it is back"
    TELL_STARTED = "say that it is started again"
    TELL_GIVEN_UP = "say that it is given up"
    TELL_LEFT = "say that it has left the run"


S, E, A = HostState, HostEvent, HostAction
TABLE: dict[tuple[HostState, HostEvent], tuple[HostState, tuple[HostAction, ...]]] = {
    (S.NEW, E.CONNECT): (S.CONNECTING, (A.LOG_IN,)),
    (S.NEW, E.RESUME): (S.WAITING, ()),
    (S.NEW, E.WAS_GIVEN_UP): (S.GIVEN_UP, ()),
    (S.CONNECTING, E.HELLO): (S.MEASURING, (A.SEND_PROBE,)),
    (S.CONNECTING, E.OTHER_WAY): (S.CONNECTING, (A.HANG_UP, A.LOG_IN)),
    (S.CONNECTING, E.FAILURE): (S.FAILED, (A.HANG_UP, A.LEAVE_OUT)),
    # Two probes: the first reply waits until Python has loaded, the second one measures the latency.
    (S.MEASURING, E.FIRST_REPLY): (S.MEASURING, (A.SEND_PROBE,)),
    (S.MEASURING, E.SECOND_REPLY): (S.READY, ()),
    (S.MEASURING, E.OTHER_WAY): (S.CONNECTING, (A.HANG_UP, A.LOG_IN)),
    (S.MEASURING, E.FAILURE): (S.FAILED, (A.HANG_UP, A.LEAVE_OUT)),
    (S.READY, E.BEGIN): (S.SERVING, (A.SEND_SETTINGS,)),
    (S.READY, E.LEAVE_OUT): (S.OVER, (A.HANG_UP,)),
    (S.READY, E.FAILURE): (S.FAILED, (A.HANG_UP, A.LEAVE_OUT)),
    (S.SERVING, E.PROCESS_READY): (S.SERVING, ()),
    (S.SERVING, E.FAILURE): (S.WAITING, (A.HANG_UP, A.TELL_LOST)),
    (S.SERVING, E.LAST_FAILURE): (S.GIVEN_UP, (A.HANG_UP, A.TELL_LOST, A.TELL_GIVEN_UP)),
    (S.SERVING, E.LEAVE): (S.GIVEN_UP, (A.HANG_UP, A.TELL_LEFT)),
    (S.WAITING, E.RETURN): (S.RETURNING, (A.LOG_IN,)),
    (S.WAITING, E.RESTART): (S.RESTARTING, (A.LOG_IN,)),
    (S.RETURNING, E.HELLO): (S.ENTERING, ()),
    (S.RETURNING, E.FAILURE): (S.WAITING, (A.HANG_UP,)),
    (S.RETURNING, E.LAST_FAILURE): (S.GIVEN_UP, (A.HANG_UP, A.TELL_GIVEN_UP)),
    (S.ENTERING, E.PROCESS_READY): (S.SERVING, (A.TELL_BACK,)),
    (S.ENTERING, E.FAILURE): (S.WAITING, (A.HANG_UP,)),
    (S.ENTERING, E.LAST_FAILURE): (S.GIVEN_UP, (A.HANG_UP, A.TELL_GIVEN_UP)),
    (S.RESTARTING, E.HELLO): (S.SERVING, (A.TELL_STARTED, A.SEND_SETTINGS)),
    (S.RESTARTING, E.FAILURE): (S.WAITING, (A.HANG_UP,)),
    (S.RESTARTING, E.LAST_FAILURE): (S.GIVEN_UP, (A.HANG_UP, A.TELL_GIVEN_UP)),
    (S.OVER, E.FAILURE): (S.OVER, (A.HANG_UP,)),  # the host process has ended, as it was told
    (S.WAITING, E.END_AWAY): (S.CLOSING, (A.LOG_IN,)),
    (S.RETURNING, E.END_AWAY): (S.CLOSING, ()),
    (S.CLOSING, E.HELLO): (S.OVER, (A.SEND_END,)),
    (S.CLOSING, E.FAILURE): (S.OVER, (A.HANG_UP,)),
    **{(state, E.END): (S.OVER, (A.HANG_UP,)) for state in HostState},
    (S.SERVING, E.END): (S.OVER, (A.SEND_END,)),
    (S.ENTERING, E.END): (S.OVER, (A.SEND_END,)),
}
"""By state and event, the next state and the actions. No other event can happen in a state."""

UNSETTLED = frozenset({S.NEW, S.CONNECTING, S.MEASURING})
FIRST_LOGIN = frozenset({S.CONNECTING, S.MEASURING})
"""States in which another launcher may be tried."""
TIMED = frozenset({S.CONNECTING, S.MEASURING, S.RETURNING, S.ENTERING, S.RESTARTING, S.CLOSING})
"""States in which the host must say something before a deadline."""
LOGGING_IN = frozenset({S.CONNECTING, S.RETURNING, S.RESTARTING, S.CLOSING})
COMING_BACK = frozenset({S.RETURNING, S.ENTERING})


class RemoteHost:
    """One host; each method returns the actions to take now. Times are seconds of a monotonic clock.

    `hello`: how long it may take from a login to its hello, the first time; `again`: when it is come back to.
    """

    def __init__(self, grace: float, hello: float = HELLO_SECONDS, again: float = HELLO_SECONDS) -> None:
        self.state = HostState.NEW
        self.due: float | None = None  # when `on_due` is to be called
        self.run: str | None = None  # the private directory of its host process; None: there is none to come back to
        self.latency: float | None = None  # seconds, there and back
        self._grace, self._hello, self._again = grace, hello, again
        self._asked_at = self._lost_at = 0.0
        self._ready_at = inf
        self._pause = FIRST_PAUSE_SECONDS
        self._starts = 0
        self._replies = 0

    @property
    def hello_seconds(self) -> float:
        """For how long it may be silent now."""
        return self._hello if self.state in FIRST_LOGIN else self._again

    @property
    def settled(self) -> bool:
        """Whether it is known if this host can take part."""
        return self.state not in UNSETTLED

    def connect(self, now: float) -> tuple[HostAction, ...]:
        """Log in for the first time."""
        return self._step(HostEvent.CONNECT, now)

    def on_other_way(self, now: float) -> tuple[HostAction, ...]:
        """The first login has failed, or nothing reaches the host by it, and there is another launcher: try that."""
        self._starts = self._replies = 0
        return self._step(HostEvent.OTHER_WAY, now)

    def resume(self, run: str | None, now: float, *, was_given_up: bool) -> tuple[HostAction, ...]:
        """Come back to the host process in the directory `run`, for a connector that was killed."""
        if was_given_up:
            return self._step(HostEvent.WAS_GIVEN_UP, now)
        self.run, self._lost_at = run, now
        actions = self._step(HostEvent.RESUME, now)
        self.due = now
        return actions

    def on_hello(self, now: float) -> tuple[HostAction, ...]:
        """The host has sent a compatible hello."""
        return self._step(HostEvent.HELLO, now)

    def on_reply(self, now: float) -> tuple[HostAction, ...]:
        """The host has answered a probe; a late answer is ignored."""
        if self.state is not HostState.MEASURING:
            return ()
        self._replies += 1
        if self._replies == 1:
            self._asked_at = now
            return self._step(HostEvent.FIRST_REPLY, now)
        self.latency = now - self._asked_at
        return self._step(HostEvent.SECOND_REPLY, now)

    def begin(self, now: float, *, takes_part: bool) -> tuple[HostAction, ...]:
        """The run begins, with this host or without it; a host that has failed stays so."""
        if self.state is not HostState.READY:
            return ()
        return self._step(HostEvent.BEGIN if takes_part else HostEvent.LEAVE_OUT, now)

    def on_ready(self, run: str, now: float) -> tuple[HostAction, ...]:
        """The host process is ready in the directory `run`; its connection may be lost again by now."""
        self.run, self._pause, self._ready_at = run, FIRST_PAUSE_SECONDS, now
        return self._step(HostEvent.PROCESS_READY, now) if self.state in (HostState.SERVING, HostState.ENTERING) else ()

    def on_leave(self, now: float) -> tuple[HostAction, ...]:
        """The host process was told to end, and does; the connector does not come back to it."""
        return self._step(HostEvent.LEAVE, now) if self.state is HostState.SERVING else ()

    def on_failure(self, now: float, *, process_gone: bool = False) -> tuple[HostAction, ...]:
        """The session has failed; `process_gone`: the host answers, but its host process is gone."""
        if self.state is HostState.SERVING:
            self._lost_at = now
            if now >= self._ready_at + SETTLED_SECONDS:
                self._starts = 0
            self._ready_at = inf
        elif (process_gone and self.state in COMING_BACK) or now - self._lost_at > self._grace:
            self.run = None
        hopeless = self.run is None and self._starts >= STARTS_AT_MOST
        may_return = (self.state, HostEvent.LAST_FAILURE) in TABLE
        last = may_return and (hopeless or now - self._lost_at > 2 * self._grace)
        return self._step(HostEvent.LAST_FAILURE if last else HostEvent.FAILURE, now)

    def on_due(self, now: float, *, connected_at: float | None, patience: float = 0.0) -> tuple[HostAction, ...] | None:
        """The deadline is over. None: the host was silent for too long, so its session has failed.

        `connected_at`: since when it is logged in to; None: it is not, as a busy server may drop logins for a while.
        `patience`: how many seconds the login may take, as the user's ssh config says.
        """
        if self.state is HostState.WAITING:
            return self._step(HostEvent.RESTART if self.run is None else HostEvent.RETURN, now)
        hello = self.hello_seconds
        if connected_at is not None:
            limit = max(connected_at, self._asked_at) + hello
        else:
            login = min(max(hello, LOGIN_SECONDS), hello * LOGIN_SECONDS / HELLO_SECONDS)
            limit = self._asked_at + max(login, patience)
        if now >= limit:
            return None
        self.due = min(limit, now + LATE_SECONDS)
        return ()

    def on_progress(self, now: float) -> None:
        """The host takes in what it is given before its hello: its time begins anew."""
        if self.state in LOGGING_IN:
            self._asked_at, self.due = now, now + self.hello_seconds

    def excuse(self, seconds: float) -> None:
        """This process did not run for so long, as on a busy machine: it could not hear the host, and waits longer."""
        if self.state in TIMED and self.due is not None:
            self.due += seconds
            self._asked_at += seconds if self.state in LOGGING_IN else 0.0

    def end(self, now: float) -> tuple[HostAction, ...]:
        """The run ends. A host process that does not hear that goes on for its grace: so it is come back to."""
        is_away = self.run is not None and self.state in (HostState.WAITING, HostState.RETURNING)
        return self._step(HostEvent.END_AWAY if is_away else HostEvent.END, now)

    def _step(self, event: HostEvent, now: float) -> tuple[HostAction, ...]:
        self.state, actions = TABLE[self.state, event]
        if self.state in LOGGING_IN:
            self._starts += self.state in (HostState.CONNECTING, HostState.RESTARTING)
            self._asked_at, self.due = now, now + self.hello_seconds
        elif self.state is HostState.WAITING:
            self.due = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        elif self.state not in TIMED:
            self.due = None
        return actions
