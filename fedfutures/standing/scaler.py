"""The keeper's hand in batch jobs: it runs the user's command, and says which hosts are to leave.

When, is said by :mod:`fedfutures.supervision.scaling`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from .. import limits
from ..lazy_dataclass import dataclass, field
from ..supervision.scaling import ScalingMachine, ScalingPlan
from ..wire.control import MoreWanted, SlotsWanted


@dataclass(slots=True)
class ScaleRecipe:
    """What is recorded of it."""

    command: str
    directory: str  # where it is run
    umask: int  # that it is run with; the keeper has a stricter one
    plan: dict[str, Any] = field(default_factory=dict)  # the fields of ScalingPlan
    size: int = 0  # Workers that the last job has brought; 0: not known
    jobs: int = 0  # that were submitted and have not come


class Scaler:
    """Runs the command of `record`. `say` adds to the log, and `tell` tells programs what is wrong.

    watch: has somebody called with the exit code of a child.
    """

    def __init__(
        self, record: ScaleRecipe, say: Callable[[str], None], tell: Callable[[str], None],
        watch: Callable[[int, Callable[[int], object]], None],
    ) -> None:  # fmt: skip
        self._record, self._say, self._tell, self._watch = record, say, tell, watch
        self.machine = ScalingMachine(ScalingPlan(**record.plan), time.monotonic(), record.size, record.jobs)
        self._commands: dict[int, int] = {}  # that run: the pid of each, by the number of the job
        self._said_problem = ""
        self._recorded = record.size, record.jobs

    def is_news(self) -> bool:
        """Whether there is something new to record."""
        before, self._recorded = self._recorded, (self.machine.size, len(self.machine.jobs))
        return self._recorded != before

    def record(self) -> dict[str, Any]:
        """Return what the next keeper needs."""
        self._record.size, self._record.jobs = self.machine.size, len(self.machine.jobs)
        return asdict(self._record)

    def status(self) -> dict[str, Any]:
        """Return what there is, for people."""
        machine = self.machine
        return {"command": self._record.command, **self._record.plan, "jobs": len(machine.jobs), "more": machine.more,
                "problem": machine.problem}  # fmt: skip

    def on_frame(self, frame: SlotsWanted | MoreWanted) -> None:
        """Programs want more Workers than before, or fewer."""
        if isinstance(frame, SlotsWanted):
            self.machine.on_used(frame.host, frame.count, time.monotonic())
        else:
            self.machine.on_more(frame.count, time.monotonic())

    def on_hosts(self, slots: Mapping[str, int], away: list[str], request: Mapping[str, Any]) -> None:
        """There are other hosts than before."""
        came = [spec["name"] for spec in request["hosts"] if spec.get("life")]
        self.machine.on_hosts(slots, away, came, time.monotonic())

    def tick(self, now: float) -> list[str]:
        """Submit jobs that are due; return the hosts that are to leave."""
        job, leaving = self.machine.tick(now)
        if job is not None:
            self._submit(job)
        if self.machine.problem != self._said_problem:
            self._said_problem = self.machine.problem
            if self._said_problem:
                self._say(self._said_problem)
                self._tell(f"no Worker has come for what waits: {self._said_problem}")
        for host in leaving:
            self._say(f"host {host} is let go: no program wants it")
        return leaving

    def _submit(self, job: int) -> None:
        record, command = self._record, self._record.command
        more = self.machine.more
        why = f"programs could use {more} more Workers" if more else "there are fewer Workers than --min"
        self._say(f"{why}, so it runs: {command}")
        words = ["/bin/sh", "-c", f'umask "$1" && cd "$0" && {command}', record.directory, f"{record.umask:04o}"]
        try:
            streams = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)]
            pid = os.posix_spawn(words[0], words, os.environ, file_actions=streams, setsid=True)
        except OSError as error:
            self.machine.on_command_end(
                job, f"{command} cannot be run: {limits.reached(error) or error}", time.monotonic()
            )
            return
        self._commands[job] = pid
        self._watch(pid, lambda code: self._on_end(job, code))

    def _on_end(self, job: int, code: int) -> None:
        del self._commands[job]
        problem = f"{self._record.command} {_end_of(code)}; what it said is in the log" if code else ""
        self.machine.on_command_end(job, problem, time.monotonic())

    def end(self) -> None:
        """End commands that still run: nothing of them is to outlive the Federation."""
        for pid in self._commands.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGTERM)


def _end_of(code: int) -> str:
    return f"has ended with exit code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
