"""Real limits of the system: the run goes on with what it may have, or names the limit."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.host
SECONDS = 60.0
PROGRAM = """
import sys
import time
import fedfutures

def twice(number):
    time.sleep(0.01)
    return 2 * number

if __name__ == "__main__":
    try:
        with fedfutures.Executor(max_workers=int(sys.argv[1])) as executor:
            print("right", list(executor.map(twice, range(60))) == list(range(0, 120, 2)))
    except fedfutures.errors.FederationLost as error:
        print(type(error).__name__, error)
"""
FILES = resource.RLIMIT_NOFILE


def run(directory: Path, workers: int, limit: Callable[[], object]) -> tuple[str, str]:
    """Run the program with so many Workers under a limit; return what it has printed on both streams."""
    program = directory / "program.py"
    program.write_text(PROGRAM)
    ended = subprocess.run(
        [sys.executable, str(program), str(workers)], preexec_fn=limit, capture_output=True, text=True, timeout=SECONDS
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.stdout, ended.stderr


def test_a_low_soft_limit_of_files_is_no_limit(tmp_path: Path) -> None:
    hard = resource.getrlimit(FILES)[1]
    out, err = run(tmp_path, 20, lambda: resource.setrlimit(FILES, (64, hard)))
    assert (out, err) == ("right True\n", "")


@pytest.mark.fault("B5")
def test_a_host_without_descriptors_goes_on_with_the_workers_that_it_has(tmp_path: Path) -> None:
    out, err = run(tmp_path, 14, lambda: resource.setrlimit(FILES, (64, 64)))
    assert out == "right True\n", err
    assert "no more than 64 open files and sockets (RLIMIT_NOFILE)" in err
    assert "ulimit -Hn" in err
    assert err.count("cannot start Worker") == 1


def test_a_program_without_descriptors_says_so(tmp_path: Path) -> None:
    out, _ = run(tmp_path, 2, lambda: resource.setrlimit(FILES, (24, 24)))
    assert out.startswith("StartFailed"), out
    assert "no more than 24 open files" in out


CLOSES = """
import ctypes
import time
import fedfutures

def close_all():
    for descriptor in range(3, 200):
        ctypes.CDLL(None).close(descriptor)
    time.sleep(60)

if __name__ == "__main__":
    with fedfutures.Executor(max_workers=2) as executor:
        print(executor.submit(close_all).exception())
"""


def test_compiled_code_that_closes_all_descriptors_is_named(tmp_path: Path) -> None:
    """libzmq may notice first, and abort."""
    program = tmp_path / "closes.py"
    program.write_text(CLOSES)
    ended = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=SECONDS)
    assert "close_all() was running on 3 Workers" in ended.stdout, ended.stderr
    assert "closed descriptors, those of the Worker among them" in ended.stdout or "SIGABRT" in ended.stdout
    assert "exit code" not in ended.stdout


def made_group(controller: str, limits: dict[str, str]) -> Iterator[Path]:
    """Make a control group, where this user may; `limits`: the files of the one version and the other."""
    tops = (f"/sys/fs/cgroup/{controller}", "/sys/fs/cgroup")
    top = next((top for top in tops if os.path.exists(f"{top}/cgroup.procs")), "")
    place = Path(top, f"fedfutures-test-{os.getpid()}")
    try:
        place.mkdir()
        name = next(name for name in limits if (place / name).exists())
        (place / name).write_text(limits[name])
    except (OSError, StopIteration) as error:
        if place.is_dir():
            place.rmdir()
        pytest.skip(f"no control group for {controller}: {error!r}")
    yield place
    place.rmdir()


def enter(group: Path) -> Callable[[], object]:
    """Return what puts the process that calls it into a control group."""
    return lambda: (group / "cgroup.procs").write_text(str(os.getpid()))


@pytest.fixture
def few_processes() -> Iterator[Path]:
    yield from made_group("pids", {"pids.max": "14"})


@pytest.fixture
def little_memory() -> Iterator[Path]:
    size = str(160 << 20)
    yield from made_group("memory", {"memory.limit_in_bytes": size, "memory.max": size})


@pytest.mark.fault("B4")
def test_a_host_without_processes_goes_on_and_says_so(tmp_path: Path, few_processes: Path) -> None:
    out, err = run(tmp_path, 4, enter(few_processes))
    assert out == "right True\n", err
    assert "of 14 processes and threads" in err
    assert f"{few_processes}/pids.max" in err


TAKES = """
import time
import fedfutures

def twice(number):
    time.sleep(0.01)
    return 2 * number

def take(count):
    return len(bytes(1) * count)

if __name__ == "__main__":
    with fedfutures.Executor(max_workers=2) as executor:
        large = executor.submit(take, 1 << 30)
        print("right", list(executor.map(twice, range(60))) == list(range(0, 120, 2)))
        print(type(large.exception()).__name__, large.exception())
        print("serves", executor.submit(twice, 2).result())
"""


@pytest.mark.fault("B1")
def test_a_future_that_takes_too_much_memory_is_named_and_others_run(tmp_path: Path, little_memory: Path) -> None:
    program = tmp_path / "takes.py"
    program.write_text(TAKES)
    ended = subprocess.run(
        [sys.executable, str(program)], preexec_fn=enter(little_memory), capture_output=True, text=True, timeout=SECONDS
    )
    right, poisoned, serves = ended.stdout.splitlines()
    assert (right, serves) == ("right True", "serves 4"), ended.stderr
    assert poisoned.startswith("OutOfMemory take(1073741824) was running on 3 Workers when the kernel killed them")
    assert "(signal SIGKILL, out of memory), which had used at least " in poisoned
    assert "all processes together may use 160.0 MiB" in poisoned
