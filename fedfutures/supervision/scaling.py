"""When a standing Federation runs the command that submits a batch job, and which hosts it lets go. Pure.

The command says only that a job was submitted. Its node may come in a second or in a day, with any number of Workers,
or never. So the rules are these:

- **A job is submitted when programs have wanted more Workers for a second**, or when there are fewer than the least.
  The second begins again when a host comes: what programs want besides its Workers, they say a moment later.
- **The first job comes alone.** How many Workers a job brings is known when its host has come; until then no other job
  is submitted. So a script that is wrong costs one job.
- **A job that has not come is counted as one that will**, with the Workers that the last one brought, for
  ``wait_seconds``. Then it is taken for lost; the next one has twice as long.
- **A command that fails is run again later**: after 5 s, then twice as long each time, up to 5 minutes.
- **A host that came by itself is let go** when no program has wanted any of its slots for ``idle_seconds``, unless
  fewer than the least would be left. What still runs there is done first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf

from ..lazy_dataclass import dataclass

BACKLOG_SECONDS = 1.0
"""For so long programs must want more Workers."""
COMMAND_SECONDS = 10.0
"""For so long the next job waits for the command of the last one to end; it may stay as long as its job."""
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
DOUBLED_AT_MOST = 10


@dataclass(slots=True)
class ScalingPlan:
    """What the user has said; Workers are counted over all hosts."""

    least: int = 0
    most: int = 0
    idle_seconds: float = 60.0
    wait_seconds: float = 600.0


class ScalingMachine:
    """The jobs of one standing Federation. `size` and `jobs` are those that the keeper before this one knew.

    After each event :meth:`tick` says whether to submit a job now, and which hosts are to leave.
    """

    def __init__(self, plan: ScalingPlan, now: float, size: int = 0, jobs: int = 0) -> None:
        self._plan = plan
        self.size = size  # Workers that the last job has brought; 0: not known
        self.jobs: dict[int, float] = dict.fromkeys(range(jobs), now)  # that have not come: when they were submitted
        self._numbers = jobs
        self.more, self._more_since = 0, inf  # Workers that programs could use beyond those there are
        self.problem = ""  # for people
        self._slots: dict[str, int] | None = None  # by host
        self._known: set[str] = set()  # hosts, those included that are away
        self._came: set[str] = set()  # of these, who came by themselves
        self._idle: dict[str, float] = {}  # hosts of whose slots none is wanted, since when
        self._leaving: set[str] = set()
        self._failures = self._lost = 0
        self._running: tuple[int, float] | None = None  # the command's job, and until when the next one waits for it
        self._submits_at = -inf

    # -- what happens ------------------------------------------------------------------------------------------------

    def on_hosts(self, slots: Mapping[str, int], away: Collection[str], came: Collection[str], now: float) -> None:
        """These hosts are there, with so many slots each; others are away; `came`: who came by themselves."""
        known = {*slots, *away}
        if self.more and not self._known.issuperset(slots):
            self._more_since = now
        for host in slots:
            if self._slots is not None and host in came and host not in self._known:
                self._arrive(slots[host])
        self._slots, self._known, self._came = dict(slots), known, set(came) & known
        self._leaving &= known
        self._idle = {host: since for host, since in self._idle.items() if host in known}

    def _arrive(self, size: int) -> None:
        self.size, self._lost, self.problem = size, 0, ""
        if self.jobs:
            del self.jobs[min(self.jobs)]

    def on_used(self, host: str, wanted: int, now: float) -> None:
        """Programs could use so many slots of a host."""
        if wanted:
            self._idle.pop(host, None)
        else:
            self._idle.setdefault(host, now)

    def on_more(self, more: int, now: float) -> None:
        """Programs could use so many Workers beyond those that there may be."""
        if not more:
            self._more_since = inf
        elif not self.more:
            self._more_since = now
        self.more = more

    def on_command_end(self, job: int, problem: str, now: float) -> None:
        """The command of a job has ended; "": as it should."""
        if self._running is not None and self._running[0] == job:
            self._running = None
        if not problem:
            self._failures = 0
        elif self.jobs.pop(job, None) is not None:  # else its host has been there
            self._submits_at = now + min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * _doubled(self._failures))
            self._failures += 1
            self.problem = problem

    # -- what follows ------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> tuple[int | None, list[str]]:
        """Return the number of the job that is to be submitted now, if any, and the hosts that are to leave."""
        self._lose(now)
        leaving = self._let_go(now)
        if now < self._waits_until() or self._missing(now) <= 0 or not self._fits():
            return None, leaving
        self._numbers += 1
        self.jobs[self._numbers] = now
        self._running = self._numbers, now + COMMAND_SECONDS
        return self._numbers, leaving

    def next_deadline(self, now: float) -> float | None:
        """When the next tick is due if nothing happens."""
        times = [since + self._plan.idle_seconds for host, since in self._idle.items() if host in self._came]
        times += [at + self._patience() for at in self.jobs.values()]
        times += [self._more_since + BACKLOG_SECONDS, self._waits_until()]
        return min((at for at in times if now < at < inf), default=None)

    def _waits_until(self) -> float:
        return max(self._submits_at, self._running[1] if self._running is not None else -inf)

    def _there(self) -> int:
        """Return how many Workers there may be on hosts that stay."""
        return sum(count for host, count in (self._slots or {}).items() if host not in self._leaving)

    def _missing(self, now: float) -> int:
        """Return how many Workers are wanted that no host has, and that no job will bring."""
        if self._slots is None or (self.jobs and not self.size):
            return 0
        there, plan = self._there(), self._plan
        wanted = there + self.more if now >= self._more_since + BACKLOG_SECONDS else 0
        return min(plan.most, max(plan.least, wanted)) - there - len(self.jobs) * self.size

    def _fits(self) -> bool:
        """Whether the most would not be passed; a job that is alone may: else nothing would ever run."""
        there = self._there()
        return there + (len(self.jobs) + 1) * self.size <= self._plan.most or not (there or self.jobs)

    def _patience(self) -> float:
        return self._plan.wait_seconds * _doubled(self._lost)

    def _lose(self, now: float) -> None:
        """Take jobs for lost that should have come."""
        late = [job for job, at in self.jobs.items() if now >= at + self._patience()]
        for job in late:
            del self.jobs[job]
        if late:
            self.problem = f"a job was submitted and has not come for {self._patience():g} s"
            self._lost += 1

    def _let_go(self, now: float) -> list[str]:
        """Choose hosts that are to leave: those first that have been idle for longest."""
        if self.more:
            return []
        found = []
        for host, since in sorted(self._idle.items(), key=lambda item: item[1]):
            slots = (self._slots or {}).get(host, 0)
            if host not in self._came or host in self._leaving or now < since + self._plan.idle_seconds:
                continue
            if self._there() - slots >= self._plan.least:
                self._leaving.add(host)
                found.append(host)
        return found


def _doubled(count: int) -> int:
    return 1 << min(count, DOUBLED_AT_MOST)
