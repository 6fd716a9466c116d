"""The walltime: how long a run may take, as the user or the batch scheduler says, and what of it is kept for saving.

What the schedulers say, in the environment of a job:

- **Slurm**: SLURM_JOB_END_TIME, when the job ends, in seconds of the epoch.
- **PBS, Torque**: PBS_WALLTIME, in seconds from the job's start. The shell of a job leads its session, so the start of
  that process is the job's.
- **Grid Engine, LSF**: nothing. The user says ``--walltime``.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

LONGEST_SECONDS = 10 * 366 * 86_400.0
MARGIN_PART = 0.05
MARGIN_AT_LEAST, MARGIN_AT_MOST = 1.0, 60.0
"""Bounds, in seconds, of the margin that is kept unless the user says another."""
NONE = "none"
"""What the user writes for a run without walltime, in a batch job, too."""

_NUMBER = r"[0-9]{1,9}"
_WITH_DAYS = re.compile(rf"({_NUMBER})-({_NUMBER})(?::({_NUMBER}))?(?::({_NUMBER}))?")
_CLOCK = re.compile(rf"(?:({_NUMBER}):)?({_NUMBER}):({_NUMBER})")
_PLAIN = re.compile(rf"{_NUMBER}(?:\.[0-9]{{1,9}})?")
_UNITS = re.compile("".join(rf"(?:({_NUMBER}(?:\.[0-9]{{1,9}})?){unit})?" for unit in "dhms"))
_SECONDS = (86_400.0, 3600.0, 60.0, 1.0)


class Walltime(NamedTuple):
    """Until when a run may take, and how many seconds before that its Futures are to be done."""

    ends_at: float  # by the monotonic clock
    margin: float
    seconds: float  # in all, from when this was made
    source: str  # who says so: "--walltime", "SLURM_JOB_END_TIME"

    @property
    def deadline(self) -> float:
        """When all Futures are to be done, by the monotonic clock."""
        return self.ends_at - self.margin


def seconds_in(text: str) -> float:
    """Return the seconds that a text says: ``90``, ``1h30m``, or a form of Slurm's; raise ValueError.

    >>> [seconds_in(text) for text in ("90", "2.5", "30m", "1h30m", "1:30", "1:30:00", "2-12", "2-00:30:00")]
    [90.0, 2.5, 1800.0, 5400.0, 90.0, 5400.0, 216000.0, 174600.0]
    >>> seconds_in("none")
    inf
    """
    text = text.strip().lower()
    if text == NONE:
        return math.inf
    if _PLAIN.fullmatch(text):
        parts: tuple[Any, ...] = (0, 0, 0, text)
    elif found := _WITH_DAYS.fullmatch(text):
        parts = found.groups()
    elif found := _CLOCK.fullmatch(text):
        parts = (0, *found.groups())
    elif text and (found := _UNITS.fullmatch(text)):
        parts = found.groups()
    else:
        raise ValueError(f"{text!r} is no time: write 90, 30m, 1h30m, 1:30:00 or 2-00:00:00")
    return sum(float(part or 0) * seconds for part, seconds in zip(parts, _SECONDS))


def checked_seconds(name: str, value: Any, *, least: float = 0.0) -> float:
    """Return a time in seconds that was given as a number or a text; raise TypeError or ValueError.

    >>> checked_seconds("walltime", 90), checked_seconds("walltime", "1:30:00")
    (90.0, 5400.0)
    >>> checked_seconds("walltime", -1)
    Traceback (most recent call last):
    ValueError: walltime must be above 0 seconds and at most ten years, not -1
    """
    if isinstance(value, (bool, bytes)) or not (isinstance(value, str) or hasattr(value, "__float__")):
        raise TypeError(f"{name} must be a number of seconds, or a text such as '1:30:00', not {value!r}")
    seconds = seconds_in(value) if isinstance(value, str) else float(value)
    if not (least <= seconds <= LONGEST_SECONDS or seconds == math.inf) or (seconds == 0.0 and least == 0.0):
        raise ValueError(f"{name} must be above {least:g} seconds and at most ten years, not {value!r}")
    return seconds


def checked_margin(name: str, value: Any, walltime: float | None) -> float:
    """Return a margin in seconds; raise TypeError, or ValueError also where it leaves nothing of a walltime.

    >>> checked_margin("walltime_margin", "1m", 60.0)
    Traceback (most recent call last):
    ValueError: a margin of 60 s leaves nothing of a walltime of 60 s
    """
    if value == 0:
        return 0.0
    margin = checked_seconds(name, value)
    if margin == math.inf or (walltime is not None and margin >= walltime):
        raise ValueError(f"a margin of {margin:g} s leaves nothing of a walltime of {walltime or math.inf:g} s")
    return margin


def checked_times(walltime: Any, margin: Any) -> tuple[float | None, float | None]:
    """Return ``walltime=`` and ``walltime_margin=`` in seconds; raise TypeError or ValueError."""
    seconds = None if walltime is None else checked_seconds("walltime", walltime)
    return seconds, None if margin is None else checked_margin("walltime_margin", margin, seconds)


def usual_margin(seconds: float) -> float:
    """Return what is kept of a walltime unless the user says it: a twentieth, but 1 s to 60 s, and at most half.

    >>> [usual_margin(seconds) for seconds in (1.0, 10.0, 600.0, 86_400.0)]
    [0.5, 1.0, 30.0, 60.0]
    """
    return min(max(MARGIN_PART * seconds, MARGIN_AT_LEAST), MARGIN_AT_MOST, seconds / 2)


def of_job(
    environ: Mapping[str, str], epoch: float, job_age: Callable[[], float]
) -> tuple[float, str] | None:  # fmt: skip
    """Return how many seconds the batch job of this process has left, and which variable says so; None: none does.

    epoch: what the clock shows. job_age: returns how long ago the job began.

    Variables outlive their jobs, in a terminal multiplexer, say: an end that is over does not count.

    >>> of_job({"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": "1600"}, 1000.0, lambda: 0.0)
    (600.0, 'SLURM_JOB_END_TIME')
    >>> of_job({"PBS_JOBID": "7", "PBS_WALLTIME": "3600"}, 1000.0, lambda: 600.0)
    (3000.0, 'PBS_WALLTIME')
    >>> of_job({"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": "900"}, 1000.0, lambda: 0.0)
    """
    if {"SLURM_JOB_ID", "SLURM_JOBID"} & environ.keys() and "SLURM_JOB_END_TIME" in environ:
        variable, left = "SLURM_JOB_END_TIME", _whole(environ["SLURM_JOB_END_TIME"]) - epoch
    elif {"PBS_JOBID", "PBS_ENVIRONMENT"} & environ.keys() and "PBS_WALLTIME" in environ:
        variable, left = "PBS_WALLTIME", _whole(environ["PBS_WALLTIME"]) - job_age()
    else:
        return None
    return (left, variable) if 0.0 < left <= LONGEST_SECONDS else None


def _whole(text: str) -> float:
    return float(text) if re.fullmatch(r"[0-9]{1,18}", text) else math.nan


def session_age() -> float:
    """Return how long ago the leader of this session was started, in seconds; 0 where it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{os.getsid(0)}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks = int(fields[19])  # the 22nd of the line: when it was started
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    return 0.0


def walltime_of(
    given: float | None, margin: float | None, job: tuple[float, str] | None, now: float, source: str
) -> Walltime | None:
    """Return the walltime of a run that begins `now`; None: it has none.

    What the user has `given` counts before what the batch `job` says; infinite: the run has none.
    """
    if given is not None:
        seconds = given
    elif job is not None:
        seconds, source = job
    else:
        return None
    if seconds == math.inf:
        return None
    return Walltime(now + seconds, usual_margin(seconds) if margin is None else margin, seconds, source)


_of_program: list[Walltime | None] = []
"""What a launcher has found for the program of this process."""


def hold_program_to(walltime: Walltime | None) -> None:
    """Let what this program starts itself, too, have its walltime; None: it has none, whatever the batch job says."""
    _of_program[:] = [walltime]


def walltime_here(given: float | None, margin: float | None, source: str) -> Walltime | None:
    """Return the walltime of a run that this process begins now; unless it is given, that of the launched program."""
    if given is None and _of_program:
        [found] = _of_program
        return found if found is None or margin is None else found._replace(margin=margin)
    job = None if given is not None else of_job(os.environ, time.time(), session_age)
    return walltime_of(given, margin, job, time.monotonic(), source)
