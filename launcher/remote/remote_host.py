"""The life of a host that is reached by ssh, as the connector sees it. Pure: a table, and what chooses the event.

A host is *settled* once it is known whether it can be used: it has said hello, is found fit, and its distance is
measured; or it has failed. Once it has its settings it serves. When its ssh connection is lost then, its Brokers and
Workers go on: the connector logs in again and enters by the door of the host process
(:mod:`fedfutures.host.reattach`). Where that is gone, as after a reboot, another host process is started with the same
settings. A host that cannot be reached again is given up; its Futures run elsewhere.

:data:`TABLE` is all of this: whoever looks for a rule reads it there. docs/hosts.rst draws it.
"""

from __future__ import annotations

from enum import Enum

HELLO_SECONDS = 10.0
LATE_SECONDS = 3.0
LOGIN_SECONDS = 25.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 4.0
STARTS_AT_MOST = 4


class HostState(Enum):
    """Where a host stands."""

    NEW = "new"
    CONNECTING = "connecting"  # logging in, until it has said hello
    MEASURING = "measuring"
    READY = "ready"  # it can be used, and waits for its settings
    SERVING = "serving"
    WAITING = "waiting"  # to log in again
    RETURNING = "returning"  # logging in to the host process that is there
    ENTERING = "entering"  # that has not answered yet: it may be gone
    RESTARTING = "restarting"  # logging in to start another host process
    FAILED = "failed"  # it cannot be used in this run
    GIVEN_UP = "given up"  # it has served, and will not come back
    OVER = "over"


class HostEvent(Enum):
    """What happens to it."""

    CONNECT = "the run begins"
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
    END = "the run ends"


class HostAction(Enum):
    """What its shell (:mod:`.login`) is to do, in this order."""

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


S, E, A = HostState, HostEvent, HostAction
TABLE: dict[tuple[HostState, HostEvent], tuple[HostState, tuple[HostAction, ...]]] = {
    (S.NEW, E.CONNECT): (S.CONNECTING, (A.LOG_IN,)),
    (S.CONNECTING, E.HELLO): (S.MEASURING, (A.SEND_PROBE,)),
    (S.CONNECTING, E.FAILURE): (S.FAILED, (A.HANG_UP, A.LEAVE_OUT)),
    # Two probes: the first one waits for Python to load, the second one measures the way.
    (S.MEASURING, E.FIRST_REPLY): (S.MEASURING, (A.SEND_PROBE,)),
    (S.MEASURING, E.SECOND_REPLY): (S.READY, ()),
    (S.MEASURING, E.FAILURE): (S.FAILED, (A.HANG_UP, A.LEAVE_OUT)),
    (S.READY, E.BEGIN): (S.SERVING, (A.SEND_SETTINGS,)),
    (S.READY, E.LEAVE_OUT): (S.OVER, (A.HANG_UP,)),
    (S.READY, E.FAILURE): (S.FAILED, (A.HANG_UP, A.LEAVE_OUT)),
    (S.SERVING, E.PROCESS_READY): (S.SERVING, ()),
    (S.SERVING, E.FAILURE): (S.WAITING, (A.HANG_UP, A.TELL_LOST)),
    (S.SERVING, E.LAST_FAILURE): (S.GIVEN_UP, (A.HANG_UP, A.TELL_LOST, A.TELL_GIVEN_UP)),
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
    (S.OVER, E.FAILURE): (S.OVER, (A.HANG_UP,)),  # a host process that was told to end has ended
    **{(state, E.END): (S.OVER, (A.HANG_UP,)) for state in HostState},
    (S.SERVING, E.END): (S.OVER, (A.SEND_END,)),
}
"""What follows from an event in a state: the next state, and what to do. Nothing else can happen."""

UNSETTLED = frozenset({S.NEW, S.CONNECTING, S.MEASURING})
TIMED = frozenset({S.CONNECTING, S.MEASURING, S.RETURNING, S.ENTERING, S.RESTARTING})
"""States in which the host has to say something in time."""
LOGGING_IN = frozenset({S.CONNECTING, S.RETURNING, S.RESTARTING})
COMING_BACK = frozenset({S.RETURNING, S.ENTERING})


class RemoteHost:
    """One host; each method returns what to do now. Times are seconds of a clock that only goes forward."""

    def __init__(self, grace: float) -> None:
        self.state = HostState.NEW
        self.due: float | None = None  # when `on_due` is to be called
        self.run: str | None = None  # the private directory of its host process, to come back to
        self.latency: float | None = None  # seconds, there and back
        self._grace = grace
        self._asked_at = self._lost_at = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._starts = 0
        self._replies = 0

    @property
    def settled(self) -> bool:
        """Whether it is known if this host can be used."""
        return self.state not in UNSETTLED

    def connect(self, now: float) -> tuple[HostAction, ...]:
        """Begin."""
        return self._step(HostEvent.CONNECT, now)

    def on_hello(self, now: float) -> tuple[HostAction, ...]:
        """The host has said hello, and is fit."""
        return self._step(HostEvent.HELLO, now)

    def on_reply(self, now: float) -> tuple[HostAction, ...]:
        """The host has answered a probe; an answer that nobody waits for is ignored."""
        if self.state is not HostState.MEASURING:
            return ()
        self._replies += 1
        if self._replies == 1:
            self._asked_at = now
            return self._step(HostEvent.FIRST_REPLY, now)
        self.latency = now - self._asked_at
        return self._step(HostEvent.SECOND_REPLY, now)

    def begin(self, now: float, *, takes_part: bool) -> tuple[HostAction, ...]:
        """The run begins, with this host or without it; nothing follows for one that has failed."""
        if self.state is not HostState.READY:
            return ()
        return self._step(HostEvent.BEGIN if takes_part else HostEvent.LEAVE_OUT, now)

    def on_ready(self, run: str, now: float) -> tuple[HostAction, ...]:
        """The host process has said where it is; one whose connection was lost meanwhile is there all the same."""
        self.run, self._pause = run, FIRST_PAUSE_SECONDS
        return self._step(HostEvent.PROCESS_READY, now) if self.state in (HostState.SERVING, HostState.ENTERING) else ()

    def on_failure(self, now: float, *, process_gone: bool = False) -> tuple[HostAction, ...]:
        """The session has failed; `process_gone`: the host is there, but not the host process that was looked for."""
        if self.state is HostState.SERVING:
            self._lost_at = now
        elif (process_gone and self.state in COMING_BACK) or now - self._lost_at > self._grace:
            self.run = None
        hopeless = self.run is None and self._starts >= STARTS_AT_MOST
        may_return = (self.state, HostEvent.LAST_FAILURE) in TABLE
        last = may_return and (hopeless or now - self._lost_at > 2 * self._grace)
        return self._step(HostEvent.LAST_FAILURE if last else HostEvent.FAILURE, now)

    def on_due(self, now: float, *, connected: bool) -> tuple[HostAction, ...] | None:
        """Time is over. None: the host was silent for too long, so its session has failed.

        `connected`: whether the login is through; a server may drop logins for a while.
        """
        if self.state is HostState.WAITING:
            return self._step(HostEvent.RESTART if self.run is None else HostEvent.RETURN, now)
        if connected or now >= self._asked_at + LOGIN_SECONDS:
            return None
        self.due = now + LATE_SECONDS
        return ()

    def end(self, now: float) -> tuple[HostAction, ...]:
        """The run ends."""
        return self._step(HostEvent.END, now)

    def _step(self, event: HostEvent, now: float) -> tuple[HostAction, ...]:
        self.state, actions = TABLE[self.state, event]
        if self.state in LOGGING_IN:
            self._starts += self.state is not HostState.RETURNING
            self._asked_at, self.due = now, now + HELLO_SECONDS
        elif self.state is HostState.WAITING:
            self.due = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        elif self.state not in TIMED:
            self.due = None
        return actions
