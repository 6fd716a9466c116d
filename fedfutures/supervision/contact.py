"""When the run has ended for a host: by what it hears of the launching side, and sees of its parent Broker. Pure.

Two ways lead to a host: the connection of the launching side (ssh, or what a batch system starts processes with), and
the link from the parent Broker to the port of a Broker here. A connector that is killed ends the first one, a parent
Broker that is killed the second one; another connector comes, and another Broker. If both have ended, and neither is
back soon, nobody is left on the launching side. What only falls silent has not ended: a machine that sleeps, or a
network that is cut, may come back within the *grace*.
"""

from __future__ import annotations

from enum import Enum
from math import inf

IN_ORDER_SECONDS = 1.2
"""For so long after the end of the connection a host waits where the link from its parent has ended, too."""
IN_JOB_SECONDS = 1.5
"""For so long in a batch job where the link went through the connection: there is no second way to look at."""
BELOW_SECONDS = 0.1
"""For so long at least after the end of that link: the parent may be a host that has ended for want of its own."""
LOOK_SECONDS = 0.05
"""How often to look at the link while the connection is lost."""
SILENT_SECONDS = 10.0
"""A connection that ends after so much silence was cut before it ended; two heartbeats."""


class ParentLink(Enum):
    """What is seen of the link from the parent Broker, which dials this host."""

    UNKNOWN = "unknown"  # this system does not show it, or no port is bound
    LIVES = "lives"
    SILENT = "silent"  # given up here, for the parent was not heard
    RELAYED = "relayed"  # it goes through the connection of the launching side, so it ends with that
    GONE = "gone"  # the other end has closed it, or there never was one


class Contact:
    """What one host process knows of the launching side. Without `grace`, the end of the connection is the run's.

    `in_job`: a batch system ends the whole run at once, so a host does not wait for one that comes back late.
    """

    __slots__ = ("_ended_at", "_gone_at", "_grace", "_heard_at", "_in_job", "_in_order", "_link", "_look_at")

    def __init__(self, grace: float, now: float, *, in_job: bool = False) -> None:
        self._grace, self._in_job = grace, in_job
        self._heard_at = now
        self._ended_at: float | None = None
        self._in_order = False
        self._link = ParentLink.UNKNOWN
        self._gone_at = self._look_at = inf

    def check(self) -> None:
        """Raise AssertionError where the parts do not agree."""
        assert self.is_lost or not self._in_order
        assert (self._look_at < inf) == (self._in_order and self._grace > 0)
        assert (self._gone_at < inf) == (self._link is ParentLink.GONE)

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended, and no other one has come."""
        return self._ended_at is not None

    def on_heard(self, now: float) -> None:
        """The launching side has said something, or has come back: whatever was seen of the link is past."""
        self._heard_at, self._ended_at, self._in_order = now, None, False
        self._link, self._gone_at, self._look_at = ParentLink.UNKNOWN, inf, inf

    def on_end(self, now: float, *, by_other: bool) -> None:
        """The connection has ended; `by_other`: the launching side, not this host, has ended it."""
        if self._ended_at is not None:
            return
        self._ended_at = now
        self._in_order = by_other and now - self._heard_at <= min(SILENT_SECONDS, self._grace / 2)
        if self._in_order and self._grace:
            self._look_at = now

    def wants_look(self, now: float) -> bool:
        """Whether to look at the link now."""
        return now >= self._look_at

    def on_link(self, link: ParentLink, now: float) -> None:
        """This is what was seen."""
        self._look_at = now + LOOK_SECONDS
        if link is ParentLink.GONE and self._link in (ParentLink.SILENT, ParentLink.RELAYED):
            return  # what this host itself ends after a while, since nothing is heard there either
        if link is not ParentLink.GONE:
            self._gone_at = inf
        elif self._link is not ParentLink.GONE:
            self._gone_at = now
        self._link = link

    def is_over(self, now: float) -> bool:
        """Whether the run has ended for this host."""
        return now >= self._due()

    def next_deadline(self) -> float | None:
        """When to look, or when the run has ended unless something happens; None: that is not a matter of time."""
        at = min(self._due(), self._look_at)
        return at if at < inf else None

    def _due(self) -> float:
        if not self._grace:
            return inf if self._ended_at is None else self._ended_at
        due = self._heard_at + self._grace
        if self._ended_at is not None and self._link is ParentLink.GONE:
            due = min(due, max(self._ended_at + IN_ORDER_SECONDS, self._gone_at + BELOW_SECONDS))
        elif self._ended_at is not None and self._link is ParentLink.RELAYED and self._in_job:
            due = min(due, self._ended_at + IN_JOB_SECONDS)
        return due
