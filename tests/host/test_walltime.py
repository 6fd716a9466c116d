"""The walltime: how people and schedulers say it, and what is kept of it."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import time

import pytest
from hypothesis import given, strategies as st

from fedfutures.host import walltime
from fedfutures.host.walltime import (
    Walltime,
    checked_margin,
    checked_seconds,
    checked_times,
    of_job,
    seconds_in,
    session_age,
    usual_margin,
    walltime_here,
    walltime_of,
)

NUMBERS = st.integers(0, 999)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_all_forms_of_a_time_say_the_same(days: int, hours: int, minutes: int, seconds: int) -> None:
    whole = 86_400 * days + 3600 * hours + 60 * minutes + seconds
    assert seconds_in(f"{days}-{hours:02}:{minutes:02}:{seconds:02}") == whole
    assert seconds_in(f"{days}d{hours}h{minutes}m{seconds}s") == whole
    assert seconds_in(f"{days}-{hours}") == whole - 60 * minutes - seconds
    assert seconds_in(f"{days}-{hours}:{minutes}") == whole - seconds
    assert seconds_in(f"{hours}:{minutes}:{seconds}") == whole - 86_400 * days
    assert seconds_in(f" {minutes}:{seconds} ") == 60 * minutes + seconds
    assert seconds_in(str(whole)) == whole


@given(st.text(alphabet="0123456789:-.dhms xe+", max_size=12))
def test_a_text_is_a_time_or_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert seconds_in(text) >= 0


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-5", "1-", "5 m", "nan", "1e3", "1d2", "m", "1m1h"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: write 90, 30m, 1h30m"):
        seconds_in(text)


@pytest.mark.parametrize("value", [0, "0", -1.0, math.nan, 1e12])
def test_times_out_of_bounds(value: float) -> None:
    with pytest.raises(ValueError, match="walltime must be above 0 seconds and at most ten years"):
        checked_seconds("walltime", value)


@pytest.mark.parametrize("value", [True, b"90", [90], object()])
def test_what_cannot_be_a_time(value: object) -> None:
    with pytest.raises(TypeError, match="walltime must be a number of seconds, or a text"):
        checked_seconds("walltime", value)


def test_a_margin_leaves_something() -> None:
    assert checked_times(None, None) == (None, None)
    assert checked_times("1m", 0) == (60.0, 0.0)
    assert checked_times(None, "5m") == (None, 300.0)
    assert checked_times("none", 5) == (math.inf, 5.0)
    for margin in (60, "2m"):
        with pytest.raises(ValueError, match="leaves nothing of a walltime of 60 s"):
            checked_times("1m", margin)
    with pytest.raises(ValueError, match="leaves nothing"):
        checked_margin("walltime_margin", "none", None)


@given(st.floats(0.01, 1e8))
def test_the_usual_margin_is_a_part_of_the_walltime(seconds: float) -> None:
    margin = usual_margin(seconds)
    assert 0 < margin <= min(60.0, seconds / 2)
    assert margin >= min(1.0, seconds / 2)


SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": "2000"}
PBS = {"PBS_JOBID": "7.head", "PBS_WALLTIME": "3600"}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        (SLURM, (1000.0, "SLURM_JOB_END_TIME")),
        ({**SLURM, "SLURM_JOB_ID": "7", **PBS}, (1000.0, "SLURM_JOB_END_TIME")),
        (PBS, (3500.0, "PBS_WALLTIME")),
        ({"SLURM_JOB_END_TIME": "2000"}, None),  # of no job
        ({"PBS_WALLTIME": "3600"}, None),
        ({**SLURM, "SLURM_JOB_END_TIME": "1000"}, None),  # over: inherited from an earlier job
        ({**PBS, "PBS_WALLTIME": "100"}, None),
        ({**SLURM, "SLURM_JOB_END_TIME": "9999999999999"}, None),  # a partition without limit
        ({**SLURM, "SLURM_JOB_END_TIME": "soon"}, None),
        ({**PBS, "PBS_WALLTIME": "1:00:00"}, None),
        ({"JOB_ID": "7", "LSB_JOBID": "7"}, None),
    ],
)
def test_what_a_batch_job_says(environ: dict[str, str], found: tuple[float, str] | None) -> None:
    assert of_job(environ, 1000.0, lambda: 100.0) == found


def test_what_the_user_says_counts_before_the_job() -> None:
    job = 1000.0, "SLURM_JOB_END_TIME"
    assert walltime_of(None, None, None, 5.0, "--walltime") is None
    assert walltime_of(math.inf, None, job, 5.0, "--walltime") is None
    assert walltime_of(None, None, job, 5.0, "--walltime") == Walltime(1005.0, 50.0, 1000.0, "SLURM_JOB_END_TIME")
    given = walltime_of(3000.0, 7.0, job, 5.0, "--walltime")
    assert given == Walltime(3005.0, 7.0, 3000.0, "--walltime")
    assert given.deadline == 2998.0


def test_a_run_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": str(int(time.time()) + 600)}
    monkeypatch.setattr(walltime.os, "environ", job)
    found = walltime_here(None, None, "walltime=")
    assert found is not None
    assert found.source == "SLURM_JOB_END_TIME"
    assert 590 < found.ends_at - time.monotonic() <= 601
    monkeypatch.setattr(walltime.os, "environ", {})
    assert walltime_here(None, 1.0, "walltime=") is None
    found = walltime_here(60.0, 1.0, "walltime=")
    assert found is not None
    assert 57 < found.deadline - time.monotonic() <= 59


def test_what_a_launched_program_starts_itself_has_its_walltime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walltime, "_of_program", [])
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": str(int(time.time()) + 600)}
    monkeypatch.setattr(walltime.os, "environ", job)
    walltime.hold_program_to(None)
    assert walltime_here(None, None, "walltime=") is None
    program = Walltime(1000.0, 60.0, 3000.0, "--walltime")
    walltime.hold_program_to(program)
    assert walltime_here(None, None, "walltime=") == program
    assert walltime_here(None, 5.0, "walltime=") == program._replace(margin=5.0)
    found = walltime_here(7.0, None, "walltime=")
    assert found is not None
    assert (found.seconds, found.source) == (7.0, "walltime=")


@pytest.mark.host
def test_the_age_of_a_job_is_that_of_the_leader_of_its_session() -> None:
    """The shell of the job script leads it; the program starts later."""
    program = "from fedfutures.host.walltime import session_age; print(session_age())"
    script = f'sleep 0.6; {sys.executable} -c "{program}"; true'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, check=True, start_new_session=True)
    assert 0.55 <= float(shell.stdout) < 30


def test_without_a_leader_there_is_no_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walltime.os, "getsid", lambda _: 1 << 30)
    assert session_age() == 0.0
