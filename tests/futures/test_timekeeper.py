"""The walltime with real Workers: nothing is begun that would be late, and the program has time to save."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import walltime_functions as functions
from launching import launch, write

from fedfutures import Executor
from fedfutures.errors import FederationLost, NotSupportedHere, WalltimeReached

pytestmark = pytest.mark.host

SECONDS = 20.0


def noted(place: Path, what: str) -> set[str]:
    return {path.name.partition("-")[2] for path in place.glob(f"{what}-*")}


@pytest.mark.parametrize("kind", ["submits", "map"])
def test_nothing_is_begun_that_is_known_to_be_late(tmp_path: Path, kind: str) -> None:
    """The Broker holds some of these: they are taken back in time."""
    began = time.monotonic()
    with Executor(1, walltime=3.2, walltime_margin=0.8) as executor:
        if kind == "map":
            results: Iterator[object] = executor.map(functions.note, [str(tmp_path)] * 9, range(9), [0.6] * 9)
        else:
            futures = [executor.submit(functions.note, str(tmp_path), number, 0.6) for number in range(9)]
            results = (future.result(SECONDS) for future in futures)
        found = []
        with pytest.raises(WalltimeReached) as reached:
            found.extend(results)
        late = time.monotonic() - began
        assert [*map(str, found)] == sorted(noted(tmp_path, "done"))
        assert 1 <= len(found) <= 3
        assert late < 2.4 + 0.5, "the margin is left"
        time.sleep(max(0.0, 2.6 - late))
        assert noted(tmp_path, "begun") == noted(tmp_path, "done"), "none was begun that could not be done"
    assert reached.value.done.startswith(f"{len(found)} item" if kind == "map" else f"{len(found)} Future")
    assert reached.value.source == "walltime="
    assert isinstance(reached.value, FederationLost)


def test_what_runs_at_the_end_raises_it_too_and_nothing_is_submitted_any_more() -> None:
    began = time.monotonic()
    with Executor(2, walltime="4", walltime_margin=2) as executor:
        parent = executor.submit(functions.family, 1000, 0.05)
        other = executor.submit(functions.nap, 60)
        with pytest.raises(WalltimeReached, match=r"Done: 0 Futures. 2 Futures were cut off"):
            parent.result(SECONDS)
        assert 1.9 < time.monotonic() - began < 4.0
        assert isinstance(other.exception(0), WalltimeReached)
        with pytest.raises(WalltimeReached):
            executor.submit(functions.nap, 0)
        with pytest.raises(WalltimeReached):
            list(executor.map(functions.nap, [0]))
    assert time.monotonic() - began < 8


def test_a_walltime_is_for_who_has_workers() -> None:
    with Executor(1, walltime="none") as executor:
        error = executor.submit(make_executor).exception(SECONDS)
    assert isinstance(error, NotSupportedHere)
    assert "belong to the one that started it" in str(error)
    with Executor(mode="serial", walltime=5) as serial:
        assert serial.submit(functions.nap, 0).result() == 0
    with pytest.raises(ValueError, match="leaves nothing of a walltime of 3 s"):
        Executor(1, walltime=3, walltime_margin=5)


def make_executor() -> None:
    Executor(1, walltime=5)


PROGRAM = """
import sys
import walltime_functions as functions
from fedfutures import futures

if __name__ == "__main__":
    found = [futures.submit(functions.count, ".", number, 0.4) for number in range(8)]
    print(sum(future.result() for future in found))
"""


def test_a_run_that_is_started_again_computes_only_what_is_missing(tmp_path: Path) -> None:
    """By the command that it says. All would take longer than one run may."""
    write(tmp_path / "prog.py", PROGRAM)
    write(tmp_path / "walltime_functions.py", Path(functions.__file__).read_text())
    words = ["-n", "1", "--walltime", "3.6", "--walltime-margin", "0.7", "prog.py"]
    ended = launch("--checkpoint", "kept.db", *words, cwd=tmp_path)
    assert ended.code == 75, ended.err
    said = r"walltime of 3.6 s \(--walltime\) is over in 0.\d+ s.* Done: [1-7] Futures?\. [1-7] Futures? w.* cut off\."
    assert re.search(said, ended.err), ended.err
    assert "nobody asked for them" not in ended.err
    command = shlex.split(ended.err.splitlines()[-1])
    assert command[:3] == ["python", "-m", "fedfutures"]
    runs = 1
    while ended.code == 75 and runs < 9:
        ended = launch(*command[3:], cwd=tmp_path)
        runs += 1
    assert (ended.code, ended.out) == (0, "28\n"), ended.err
    begun = sum(len(path.read_text()) for path in tmp_path.glob("count-*"))
    assert begun < 8 + runs, "the Worker may have been in the midst of one at the end of each run"


UNREAD = """
import time
from fedfutures import futures

if __name__ == "__main__":
    for _ in range(50):
        futures.submit(time.sleep, 0.1)
    time.sleep({seconds})
"""


@pytest.mark.parametrize("seconds", [0, 1.5])
def test_a_program_that_reads_nothing_is_told_at_its_end(tmp_path: Path, seconds: float) -> None:
    write(tmp_path / "prog.py", UNREAD.format(seconds=seconds))
    ended = launch("-n", "1", "--walltime=1.8", "--walltime-margin=0.6", "prog.py", cwd=tmp_path)
    assert ended.code == 75
    assert "Futures were cut off" in ended.err
    assert "python -m fedfutures --checkpoint prog.checkpoint -n 1 --walltime=1.8" in ended.err
    assert "nobody asked for them" not in ended.err


OF_ITS_OWN = """
import time
from fedfutures import Executor

if __name__ == "__main__":
    with Executor(1, initializer=int) as executor:
        executor.submit(time.sleep, 30).result()
"""


def test_an_executor_of_a_launched_program_has_its_walltime(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", OF_ITS_OWN)
    ended = launch("-n", "1", "--walltime=1.6", "--walltime-margin=0.4", "prog.py", cwd=tmp_path)
    assert ended.code == 75
    assert "(--walltime) is over" in ended.err
    assert "1 Future was cut off" in ended.err


def test_a_batch_job_says_when_it_ends(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", UNREAD.format(seconds=0))
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": str(int(time.time()) + 5)}
    began = time.monotonic()
    ended = launch("-n", "1", "--walltime-margin=2.5", "prog.py", cwd=tmp_path, env=job)
    assert ended.code == 75
    assert "(SLURM_JOB_END_TIME) is over" in ended.err
    assert time.monotonic() - began < 5.0
