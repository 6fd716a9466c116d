"""From what a Worker is forked: from the host process, or from its template, which has imported the program. Pure.

The first Workers wait for the template: they would take as long for the import themselves. They do not wait for ever:
a template that imports for :data:`IMPORT_SECONDS`, is stopped, dies, or finds that no Worker may be forked from it,
holds nobody up, and Workers are forked from the host process. A template that has served and was ended by somebody is
started again, :data:`STARTS_AT_MOST` times in all; nobody waits for that one.
"""

from __future__ import annotations

from ..lazy_dataclass import dataclass, field
from .actions import Start

IMPORT_SECONDS = 30.0
"""For so long Workers wait for the import; behind a :class:`Start`, an Executor's caller does."""
STARTS_AT_MOST = 3
PAUSE_SECONDS = 1.0
"""Between the end of a template and the start of the next one."""
STOPPED, SILENT = "it was stopped by a signal", "it has not answered"


@dataclass(slots=True)
class StartTemplate:
    """Action: fork the template."""


@dataclass(slots=True)
class KillTemplate:
    """Action: kill it; its end will be reported."""


@dataclass(slots=True)
class ForkFromTemplate:
    """Action: have the template fork this Worker."""

    start: Start


@dataclass(slots=True)
class ForkHere:
    """Action: fork this Worker from the host process."""

    start: Start


@dataclass(slots=True)
class Remark:
    """Action: tell people who have asked for details."""

    text: str


TemplateAction = StartTemplate | KillTemplate | ForkFromTemplate | ForkHere | Remark


@dataclass(slots=True)
class TemplateMachine:
    """The template of one host; `is_wanted`: there is to be one."""

    host: str
    is_wanted: bool = False
    state: str = "none"  # or "importing", "ready", "ending", "over": there will be none any more
    starts: int = 0
    _due: float | None = None  # importing: when it takes too long; none: when to start the next one
    _waiting: list[Start] = field(default_factory=list)
    _why: str = ""  # it ends, or was killed

    def begin(self, now: float) -> list[TemplateAction]:
        """Return the first start."""
        return self._start(now) if self.is_wanted else self._be_over()

    def tick(self, now: float) -> list[TemplateAction]:
        """Start the next one if that is due; end one that imports for too long."""
        if self._due is None or now < self._due:
            return []
        if self.state == "none":
            return self._start(now)
        self._due, self._why = None, f"importing the program takes more than {IMPORT_SECONDS:.0f} s"
        return self._end_for_good()

    def next_deadline(self) -> float | None:
        """When the next tick is due."""
        return self._due

    def start_worker(self, start: Start) -> list[TemplateAction]:
        """A Worker is to be started."""
        if self.state == "ready":
            return [ForkFromTemplate(start)]
        if self.state == "importing" and self.starts == 1:
            self._waiting.append(start)
            return []
        return [ForkHere(start)]

    def on_ready(self) -> list[TemplateAction]:
        """It has imported the program, and Workers may be forked from it."""
        if self.state != "importing":
            return []
        self.state, self._due = "ready", None
        return [ForkFromTemplate(start) for start in self._take_waiting()]

    def on_unsafe(self, why: str) -> list[TemplateAction]:
        """It has imported the program, but no Worker may be forked from it: it ends."""
        if self.state != "importing":
            return []
        self._due, self._why = None, why
        return self._end_for_good()

    def on_stopped(self) -> list[TemplateAction]:
        """A signal has stopped it: whoever asks it to fork would wait."""
        return self._kill(STOPPED)

    def on_silent(self, start: Start) -> list[TemplateAction]:
        """It was asked to fork this Worker and has not answered in time."""
        return [*self._kill(SILENT), ForkHere(start)]

    def on_not_started(self, why: str) -> list[TemplateAction]:
        """The template cannot be forked: this machine has met a limit."""
        self.state, self._due = "over", None
        return [self._remark(why), *self._here()]

    def on_ended(self, how: str, now: float) -> list[TemplateAction]:
        """It has ended; `how`: for people."""
        if self.state in ("none", "over"):
            return []
        is_over = self.starts >= STARTS_AT_MOST
        why, self._why = self._why or how, ""
        self.state, self._due = ("over", None) if is_over else ("none", now + PAUSE_SECONDS)
        return [self._remark(why, again=not is_over), *self._here()]

    def check(self) -> None:
        """Assert what always holds."""
        assert not self._waiting or (self.state == "importing" and self.starts == 1)
        assert (self._due is not None) <= (self.state in ("none", "importing"))
        assert self.starts <= STARTS_AT_MOST

    def _start(self, now: float) -> list[TemplateAction]:
        self.state, self._due = "importing", now + IMPORT_SECONDS
        self.starts += 1
        return [StartTemplate()]

    def _kill(self, why: str) -> list[TemplateAction]:
        if self.state not in ("importing", "ready"):
            return []
        self.state, self._due, self._why = "ending", None, why
        return [KillTemplate(), *self._here()]

    def _end_for_good(self) -> list[TemplateAction]:
        self.state = "over"
        return [KillTemplate(), self._remark(self._why), *self._here()]

    def _be_over(self) -> list[TemplateAction]:
        self.state = "over"
        return []

    def _remark(self, why: str, *, again: bool = False) -> Remark:
        more = "the next one is started, and Workers import the program themselves meanwhile"
        less = "Workers import the program themselves"
        return Remark(f"host {self.host} forks no Workers from its template: {why}; {more if again else less}")

    def _here(self) -> list[ForkHere]:
        return [ForkHere(start) for start in self._take_waiting()]

    def _take_waiting(self) -> list[Start]:
        waiting, self._waiting = self._waiting, []
        return waiting
