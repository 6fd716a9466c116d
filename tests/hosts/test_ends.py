"""How runs on other hosts end: hosts that cannot be used, connections that are lost, programs that are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from lab import Machine, Rootless
from lab.machines import children, wait_until

from . import programs
from .ground import Ground

pytestmark = pytest.mark.host

GONE_SECONDS = 2.0
one_client = pytest.mark.parametrize("client", ["paramiko"])
"""For what does not depend on the ssh client; the batteries run with both."""


def nothing_left(ground, seconds=GONE_SECONDS):
    """Wait until no host has a process of a run."""
    wait_until(lambda: not ground.left(), "everything is gone", seconds)


def heard(process, line):
    """Wait for a line of the program's output."""
    for text in process.stdout:
        if text.strip() == line:
            return
    raise AssertionError(f"it ended without {line!r}: {process.stderr.read()}")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Hosts that are not as they should be, by name; `good` is."""
    machines = [
        Machine("good"),
        Machine("gone"),
        Machine("loud", force_command='echo "Welcome! %{[0m"; exec sh -c "$SSH_ORIGINAL_COMMAND"'),
        Machine("empty", force_command="exit 7"),
    ]
    with Rootless(machines, tmp_path_factory.mktemp("odd")) as lab:
        lab.stop("gone")
        with open(lab.config, "a") as file, socket.create_server(("127.0.0.1", 0)) as silent:
            file.write(f"Host silent\n  HostName 127.0.0.1\n  Port {silent.getsockname()[1]}\n")
            file.write("Host nowhere\n  HostName nowhere.invalid\n")
            file.flush()
            yield lab


@pytest.fixture
def ground(odd, client, tmp_path):
    return Ground(odd, ["good", "loud"], str(tmp_path), client)


@pytest.mark.fault("E1")
@one_client
def test_hosts_that_cannot_be_used_are_named_and_the_run_goes_on(ground):
    prog = ground.write("prog.py", programs.CENSUS_OF_WORKERS)
    began = time.monotonic()
    ended = ground.launch("-n", "4", prog, "2", hosts=["good", "gone", "loud", "empty", "nowhere", "silent"])
    assert ended.out.splitlines() == ["size 4", "hosts good loud"], ended.err
    assert ended.code == 0
    assert time.monotonic() - began < 15
    rows = {line.split()[0]: line for line in reversed(ended.err.splitlines()) if line.strip()}
    assert " ok " in rows["good"]
    assert " ok " in rows["loud"]
    assert "refused" in rows["gone"]
    assert "ended early" in rows["empty"]
    assert "name" in rows["nowhere"]
    assert "no banner" in rows["silent"]
    nothing_left(ground)


def test_all_hosts_may_be_required(ground):
    prog = ground.write("prog.py", "print('ran')")
    ended = ground.launch("-n", "2", "--require-all", prog, hosts=["good", "gone"])
    assert (ended.code, ended.out) == (2, "")
    assert "--require-all" in ended.err
    ended = ground.launch("-n", "2", "--min-hosts", "2", prog, hosts=["good", "gone"])
    assert (ended.code, ended.out) == (2, "")
    assert "1 host" in ended.err
    ended = ground.launch("-n", "2", prog, hosts=["gone"])
    assert (ended.code, ended.out) == (2, "")
    nothing_left(ground)


@pytest.mark.fault("E5")
@one_client
def test_a_python_that_will_not_do(ground, tmp_path):
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 99\n")
    old.chmod(0o755)
    bare = os.path.join(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    hosts = f"good 1\nloud 1 python={old}\ngone:1 1 name=none python=/no/such/python\n"
    prog = ground.write("prog.py", programs.CENSUS_OF_WORKERS)
    hostfile = ground.write("hosts", hosts.replace("gone:1 1 name=none", "empty 1"))
    ground.hostfile = hostfile
    ended = ground.launch("-n", "1", prog, "1")
    assert ended.out.splitlines() == ["size 1", "hosts good"], ended.err
    assert "no Python" in ended.err
    ground.hostfile = ground.write("hosts2", f"good 1\nloud 1 python={bare}\n")
    ended = ground.launch("-n", "1", prog, "1")
    assert "fedfutures missing" in ended.err, ended.err
    assert "-m fedfutures_launcher.wheel | ssh -F " in ended.err


@pytest.mark.fault("E7")
def test_a_lost_connection_is_made_again(ground):
    prog = ground.write("prog.py", programs.UNTIL_TOLD)
    process = ground.start("-n", "4", prog, f"{ground.directory}/enough")
    heard(process, "under way")
    ground.lab.kill_sessions("good")
    said = ground.read_until(process, "good: connected again")
    assert "good: the ssh connection was lost" in said
    ground.write("enough", "")
    ended = ground.finish(process)
    assert ended.out == "all right\n", said + ended.err
    nothing_left(ground)


@pytest.mark.fault("C5")
@one_client
def test_a_host_process_that_is_killed_is_started_again(ground):
    prog = ground.write("prog.py", programs.UNTIL_TOLD)
    process = ground.start("-n", "4", prog, f"{ground.directory}/enough")
    heard(process, "under way")
    for pid in ground.lab.processes("good"):
        with contextlib.suppress(ProcessLookupError):  # the kernel ends Workers with their host process
            os.kill(pid, signal.SIGKILL)
    said = ground.read_until(process, "good: started again")
    ground.write("enough", "")
    ended = ground.finish(process)
    assert ended.out == "all right\n", said + ended.err
    nothing_left(ground)


@one_client
def test_a_host_process_that_is_told_to_end_leaves_the_run_in_order(ground):
    prog = ground.write("prog.py", programs.LONG)
    process = ground.start("-n", "4", prog, "80")
    heard(process, "under way")
    (first,) = [pid for pid in ground.lab.processes("good") if is_host_process(pid)]
    os.kill(first, signal.SIGTERM)
    wait_until(lambda: not any(left.startswith("good:") for left in ground.left()), "the host has left", 20)
    assert process.poll() is None
    ended = ground.finish(process)
    assert ended.out == "done 80\n", ended.err
    assert "host good has left the run: its host process got SIGTERM" in ended.err
    assert "again" not in ended.err
    nothing_left(ground)


def is_host_process(pid):
    """Whether a process is one, and neither a fork of it nor the shell that has started it."""
    return "fedfut-" not in comm_of(pid) and any("fedfut-" in comm_of(child) for child in children(pid))


def comm_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read()
    except OSError:
        return ""


@pytest.mark.fault("E10")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_that_is_killed_leaves_nothing(ground, number):
    prog = ground.write("prog.py", programs.DAEMONS)
    process = ground.start("-n", "4", prog)
    heard(process, "66")
    assert sum("sleep" in name for name in map(command_of, ground.left())) >= 12
    process.send_signal(number)
    process.wait(10)
    nothing_left(ground)
    process.communicate()
    assert process.returncode == -number


@pytest.mark.fault("E9")
def test_a_signal_to_the_whole_launching_side_leaves_nothing(ground):
    """As at the end of a job of Slurm: the ways to the hosts must last until these have learnt that the run is over."""
    prog = ground.write("prog.py", programs.DAEMONS)
    process = ground.start("-n", "4", prog)
    heard(process, "66")
    for pid in reversed([process.pid, *descendants(process.pid)]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    process.wait(10)
    nothing_left(ground)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert "Traceback" not in errors


def descendants(pid):
    return [pid_ for child in children(pid) for pid_ in (child, *descendants(child))]


def command_of(left):
    try:
        with open(f"/proc/{left.split()[-1]}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


@pytest.mark.fault("E8")
@one_client
def test_an_interrupt_ends_everything(ground):
    prog = ground.write("prog.py", programs.LONG)
    process = ground.start("-n", "4", prog, "100000")
    heard(process, "under way")
    os.killpg(process.pid, signal.SIGINT)
    ended = ground.finish(process, 10)
    assert ended.code in (-signal.SIGINT, 130)
    assert "KeyboardInterrupt" in ended.err
    nothing_left(ground)


@pytest.mark.fault("E13")
@one_client
def test_two_runs_at_once(ground):
    prog = ground.write("prog.py", programs.LONG)
    first, second = (ground.start("-n", "4", prog, "40") for _ in range(2))
    assert {ground.finish(first).out, ground.finish(second).out} == {"under way\ndone 40\n"}
    nothing_left(ground)


@one_client
def test_output_of_workers_comes_with_their_names(ground):
    prog = ground.write(
        "prog.py",
        """
        from fedfutures import futures

        def speak(number):
            print("said", number)

        if __name__ == "__main__":
            list(futures.map(speak, range(4)))
        """,
    )
    ended = ground.launch("-n", "2", prog)
    lines = sorted(line.split("] ", 1)[1] for line in ended.out.splitlines())
    assert lines == [f"said {number}" for number in range(4)]
    assert all(line.startswith(("[good.1] ", "[loud.1] ")) for line in ended.out.splitlines())


@one_client
def test_a_plan_starts_nothing(ground):
    prog = ground.write("prog.py", "raise SystemExit(5)")
    before = ground.lab.logins("good")
    ended = ground.launch("-n", "4", "--dry-run", prog)
    assert ended.code == 0
    for text in ("good.broker: 2 Workers", "loud.broker: 2 Workers", "good: 2 Workers, by ssh to good"):
        assert text in ended.out
    assert max(map(len, ended.out.splitlines())) < 120, "it can be read"
    assert "exec /bin/sh -c" in ground.launch("-v", "-n", "4", "--dry-run", prog).out
    assert ground.lab.logins("good") == before


@one_client
def test_root_is_asked_whether_that_is_meant(ground):
    if os.geteuid():
        pytest.skip("this is not root")
    prog = ground.write("prog.py", "print('ran')")
    command = [word for word in ground.command("-n", "2", prog) if word != "--allow-root"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--allow-root" in ended.stderr


@one_client
def test_a_module_that_is_nowhere(ground):
    prog = ground.write("prog.py", programs.LACKING)
    ended = ground.launch("-n", "1", prog)
    assert ended.code == 0, ended.err
    for text in ("no_such_module_anywhere", "host good", "install it"):
        assert text in ended.out


@one_client
def test_what_stands_beside_the_program_comes_before_what_is_installed(ground):
    prog = ground.write("prog.py", programs.CLASH)
    ground.write("pluggy.py", "MINE = 4\n")
    ground.write("__main__.py", "raise SystemExit\n")  # of a package: a process has one already
    assert ground.launch("-n", "2", prog).out == "{8}\n"


@one_client
def test_the_hosts_of_a_batch_job(ground, tmp_path):
    prog = ground.write("prog.py", programs.CENSUS_OF_WORKERS)
    nodes = ground.write("nodes", "good\ngood\nloud\n")
    jobs = [
        {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "good,loud", "SLURM_JOB_CPUS_PER_NODE": "2,1"},
        {"PBS_JOBID": "7", "PBS_NODEFILE": nodes},
    ]
    for job in jobs:
        ground.environment = job
        ended = ground.launch(prog, "2", hosts=[])
        assert ended.out.splitlines() == ["size 3", "hosts good loud"], ended.err


@one_client
def test_the_last_host_with_workers_does_not_come_back(ground):
    prog = ground.write("prog.py", programs.LONG)
    process = ground.start("-n", "2", "--grace", "1", prog, "100000", hosts=["good"])
    heard(process, "under way")
    ground.lab.stop("good")
    try:
        ended = ground.finish(process, 20)
    finally:
        ground.lab.start("good")
    assert ended.code == 1
    assert "host good is given up" in ended.err
    assert "FederationLost: host good was the last one with Workers" in ended.err


@pytest.mark.fault("E10")
@one_client
def test_a_host_that_is_cut_off_ends_by_itself(ground):
    prog = ground.write("prog.py", programs.DAEMONS)
    process = ground.start("-n", "4", "--grace", "1", prog)
    heard(process, "66")
    connector = next(pid for pid in children(process.pid) if "connector" in command_of(str(pid)))
    os.kill(connector, signal.SIGSTOP)  # nobody says that the run has ended
    try:
        process.kill()
        process.wait(10)
        nothing_left(ground, 4)
    finally:
        os.kill(connector, signal.SIGKILL)
        process.communicate(timeout=10)
