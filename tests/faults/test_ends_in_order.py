"""A batch system ends a run: signals to all processes of the launching side at once. What other hosts then do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts import programs
from hosts.conftest import SITES
from hosts.ground import Ground
from hosts.test_ends import heard
from lab import Machine, Rootless
from lab.fixtures import need
from lab.machines import below, children, wait_until

pytestmark = pytest.mark.host

GONE_SECONDS, FILES_SECONDS = 2.0, 5.0
LOGIN_SECONDS = 2.0
IN_JOB = {"LSB_JOBID": "7"}
ALL_HOSTS = """
    import sys, time
    import fedfutures
    from fedfutures import futures

    def where(number):
        time.sleep(0.05)
        return fedfutures.worker.name.partition(".")[0]

    if __name__ == "__main__":
        names, limit = set(), time.monotonic() + 20
        while len(names) < 4 and time.monotonic() < limit:
            names |= set(futures.map(where, range(10)))
        print("under way" if len(names) == 4 else names, flush=True)
        list(futures.map(where, range(int(sys.argv[1]))))
"""
"""It says so when each of four hosts has run a Future: then all links are up."""
NAPS = programs.LONG.replace("time.sleep(0.1)", "time.sleep(0.1 if number < 40 else 20)")
"""Its Futures do not end while a host drains."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rootless]:
    """Two hosts; a login to h1 takes its time as soon as a file is there."""
    need("sshd", "ssh", "ssh-keygen")
    directory = tmp_path_factory.mktemp("pair")
    slow = f'test -e {directory}/slow && sleep {LOGIN_SECONDS}; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    with Rootless([Machine("h1", force_command=slow), Machine("h2")], directory) as lab:
        yield lab


@pytest.fixture
def ground(pair: Rootless, tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(pair, ["localhost", "h1", "h2"], str(tmp_path), "openssh")
    yield ground
    wait_until(lambda: not ground.left(), "everything is gone", GONE_SECONDS)


def under_way(ground: Ground, *words: str, program: str = programs.LONG) -> subprocess.Popen[str]:
    """Start a program on all hosts that has more to do than time."""
    process = ground.start(*words, ground.write("prog.py", program), "100000")
    heard(process, "under way")
    return process


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to processes, the newest first: an earlier one cannot see them end."""
    for pid in reversed(pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def seconds_until_gone(ground: Ground) -> float:
    began = time.monotonic()
    wait_until(lambda: not ground.left(), "everything is gone", GONE_SECONDS)
    return time.monotonic() - began


@pytest.mark.fault("E9")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_hosts_end_with_the_whole_launching_side(number: int, ground: Ground) -> None:
    process = under_way(ground, "-n", "6")
    signal_all([process.pid, *below(process.pid)], number)
    seconds_until_gone(ground)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == -number
    assert "Traceback" not in errors


@pytest.mark.parametrize("victims", [["connector"], ["connector", "host process"]])
def test_the_program_is_waited_for_though_a_login_takes_its_time(victims: list[str], ground: Ground) -> None:
    process = under_way(ground, "-n", "3")
    before = {left for left in ground.left() if comm(left).startswith("fedfut-")}
    slow = ground.lab.directory / "slow"
    slow.touch()
    try:
        for pid in children(process.pid):
            if ("connector" if comm(pid) == "fedfut-connect" else "host process") in victims:
                os.kill(pid, signal.SIGKILL)
        assert process.stderr is not None
        for line in process.stderr:
            assert "host h1: started again" not in line
            if "host h1: connected again" in line:
                break
        else:
            raise AssertionError("it did not come back")
        assert len(before) == 4, "a Broker and a Worker on each host"
        assert before <= set(ground.left()), "they are those of before"
    finally:
        slow.unlink()
        process.kill()
        process.communicate(timeout=10)


def test_a_host_that_drains_ends_with_the_run(ground: Ground) -> None:
    """A batch system signals the processes of each host, and those of the launching side, whose end is the run's."""
    process = under_way(ground, "-n", "6", program=NAPS)
    time.sleep(1.0)
    signal_all(ground.lab.processes("h1"), signal.SIGTERM)
    time.sleep(0.5)
    assert any(left.startswith("h1:") for left in ground.left()), "it waits for what its Workers run"
    process.kill()
    process.communicate(timeout=10)
    seconds_until_gone(ground)


def test_in_a_batch_job_links_through_ssh_keep_no_host(two_sites: object, tmp_path: Path) -> None:
    """Also below another host: no port of h3 can be reached, and the Broker there dials h4 and h5."""
    lab: Any = two_sites
    ground = Ground(lab, lab.hosts, str(tmp_path), "openssh", prefix=lab.origin_prefix, environment=dict(IN_JOB))
    ground.hostfile = ground.write("hosts.toml", SITES)
    process = under_way(ground, "--launcher", "ssh", "-n", "4", program=ALL_HOSTS)
    signal_all([process.pid, *below(process.pid)], signal.SIGKILL)
    seconds_until_gone(ground)
    process.communicate(timeout=10)


def test_in_a_batch_job_no_file_is_left_though_all_processes_are_killed(ground: Ground) -> None:
    """In a place of its own: the next run on this machine would remove what is in the usual ones."""
    with tempfile.TemporaryDirectory(prefix="t-") as place:
        ground.environment, ground.hosts = {**IN_JOB, "TMPDIR": place, "XDG_RUNTIME_DIR": place}, ["localhost"]
        process = under_way(ground, "-n", "2")
        assert len(os.listdir(place)) == 2, "for sockets, and for values that shared memory has no room for"
        everybody = [process.pid, *below(process.pid)]
        signal_all(everybody, signal.SIGSTOP)  # so nobody sees another one end, and removes anything
        signal_all(everybody, signal.SIGKILL)
        wait_until(lambda: not os.listdir(place), "no file is left", FILES_SECONDS)
        process.communicate(timeout=10)


def comm(pid: int | str) -> str:
    """Return the name of a process; `pid` may be a word of Ground.left()."""
    number = int(str(pid).split()[-1])
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/comm").read_text().strip()
    return ""
