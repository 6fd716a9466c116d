"""Programs, hosts and users that do what nobody expects."""

from __future__ import annotations

import os
import signal
import time

import pytest
from lab import Machine, Rootless
from lab.machines import wait_until

from . import programs
from .ground import Ground
from .test_ends import GONE_SECONDS, heard

pytestmark = pytest.mark.host

COMMAND = 'exec sh -c "$SSH_ORIGINAL_COMMAND"'
FORKS = """
    import os
    import signal
    import sys
    from fedfutures import futures
    from fedfutures.errors import FederationLost

    if __name__ == "__main__":
        futures.submit(abs, 1).result()
        if os.fork() == 0:
            try:
                futures.submit(abs, 1)
            except FederationLost:
                sys.exit(3)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
        print(list(futures.map(abs, [-1, 2])))
        pid = os.fork()
        if pid == 0:
            os.closerange(0, 3)
            signal.pause()
        print(pid, flush=True)
        if sys.argv[1:]:
            signal.pause()
"""


SPOUTS = """
    import sys
    import time
    from fedfutures import futures

    def spout(_):
        for _ in range(400):
            print("y" * 60_000)

    if __name__ == "__main__":
        spouts = [futures.submit(spout, number) for number in range(3)]
        time.sleep(1)
        began = time.monotonic()
        print(all(futures.submit(abs, -number).result() == number for number in range(200)), file=sys.stderr)
        print("took", time.monotonic() - began, file=sys.stderr, flush=True)
        for future in spouts:
            future.result()
        print("all of it")
"""


@pytest.fixture(scope="module")
def clumsy(tmp_path_factory):
    """Hosts whose shells do odd things."""
    once = tmp_path_factory.mktemp("once") / "said"
    machines = [
        Machine("good"),
        Machine("late", force_command=f"mkdir {once} 2>&- && (sleep 0.7; echo late) & {COMMAND}"),
        Machine("homeless", force_command=f"unset XDG_RUNTIME_DIR; export TMPDIR=/nonexistent; {COMMAND}"),
        Machine("hanging", force_command="exec sleep 20"),
    ]
    with Rootless(machines, tmp_path_factory.mktemp("clumsy")) as lab:
        yield lab


@pytest.fixture
def ground(clumsy, tmp_path):
    return Ground(clumsy, ["good"], str(tmp_path), "paramiko")


def nothing_left(ground):
    """Wait until no host has a process of a run; the shell of `hanging` sleeps on by itself."""
    wait_until(lambda: all(one.startswith("hanging:") for one in ground.left()), "everything is gone", GONE_SECONDS)


@pytest.mark.parametrize("killed", [False, True], ids=["it ends", "it is killed"])
def test_a_process_that_the_program_has_forked_does_not_keep_the_run(ground, killed):
    process = ground.start("-n", "2", ground.write("prog.py", FORKS), *["wait"] * killed)
    lines = [process.stdout.readline().strip() for _ in range(3)]
    if killed:
        process.kill()
    try:
        ended = ground.finish(process, 5)
        assert lines[:2] == ["3", "[1, 2]"], ended.err
        nothing_left(ground)
    finally:
        os.kill(int(lines[2]), signal.SIGKILL)


def test_an_interrupt_while_hosts_are_logged_in_to(ground):
    before = ground.lab.logins("hanging")
    process = ground.start("-n", "2", ground.write("prog.py", "print('ran')"), hosts=["good", "hanging"])
    end = time.monotonic() + 10
    while ground.lab.logins("hanging") == before and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    ended = ground.finish(process, 5)
    assert (ended.code, ended.out) == (-signal.SIGINT, "")
    assert ended.err == "fedfutures: interrupted before the program has begun\n"


@pytest.mark.fault("E6")
def test_what_a_shell_prints_late_does_no_harm(ground):
    prog = ground.write("prog.py", programs.UNTIL_TOLD)
    process = ground.start("-n", "4", prog, f"{ground.directory}/enough", hosts=["good", "late"])
    heard(process, "under way")
    said = ground.read_until(process, "late: connected again")
    assert "something was written among what the host process says" in said
    ground.write("enough", "")
    ended = ground.finish(process)
    assert ended.out == "all right\n", said + ended.err
    nothing_left(ground)


def test_a_host_whose_directory_for_temporary_files_is_not_there(ground):
    prog = ground.write("prog.py", "from fedfutures import futures\nprint(*futures.map(abs, [-3]))")
    assert ground.launch("-n", "1", prog, hosts=["homeless"]).out == "3\n"


def test_an_interpreter_for_hosts_need_not_be_on_this_machine(ground):
    ended = ground.launch("-n", "1", "--python-interpreter", "/no/such/python", ground.write("prog.py", ""))
    assert ended.code == 2
    assert "good: no Python" in ended.err
    *_, why, about = ended.err.splitlines()
    assert why == "fedfutures: no host is left that could have Workers"
    assert about == "About this error: python -m fedfutures error StartFailed"


def test_output_that_nobody_reads_does_not_stop_the_links(ground):
    prog = ground.write("prog.py", SPOUTS)
    process = ground.start("-q", "-n", "4", "--tunnel", prog, hosts=["good", "homeless"])
    lines = [process.stderr.readline() for _ in range(2)]
    assert lines[0] == "True\n"
    assert float(lines[1].split()[1]) < 4
    ended = ground.finish(process)
    assert "all of it" in ended.out, ended.err
