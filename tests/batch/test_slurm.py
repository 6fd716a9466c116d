"""Job scripts on a real Slurm of three nodes, with 4 processors and 2 GPUs each.

What Slurm 22.05 does, measured here (proctrack/linuxproc, KillWait 10):

- scancel, requeue and the time limit send SIGCONT and SIGTERM to every process of the script on its node, setsid or
  not, and to every process of each step, at the same time; SIGKILL follows after KillWait. What ssh has started on
  other nodes gets nothing; but the ssh client gets SIGTERM, so standard input ends there.
- SIGTERM and SIGHUP to srun kill its step at once, and so does SIGKILL to the first of its two processes. After SIGKILL
  to both, the step lives on, and its standard input does not end.
- A daemon of a step (its parent gone, a session of its own) escapes all of this.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from lab.machines import send, wait_until
from lab.slurm import Slurm

from .programs import with_programs

pytestmark = pytest.mark.batch

RUN = "python -m fedfutures"
KILLED_SECONDS = 2.0
FILES_SECONDS = 5.0


@pytest.fixture
def nodes(slurm: Slurm) -> Iterator[Slurm]:
    """The Slurm, with the programs in the home."""
    yield from with_programs(slurm)


def said(slurm: Slurm, number: int | str) -> str:
    """What a job has printed."""
    return slurm.read(f"slurm-{number}.out")


def on_terminal(slurm: Slurm, command: str, typed: str, seconds: float = 30.0) -> str:
    """Start a command that gives a shell, at a terminal on h1, and type a line; return all that is shown."""
    ended = subprocess.run(
        slurm.command("h1", "script", "-qec", command, "/dev/null"), input=f"{typed}; exit\n", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
    )  # fmt: skip
    return ended.stdout.replace("\r", "")


# -------------------------------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize(
    ("options", "expected", "threads"),
    [
        (["-N3"], "size 3 h1=1 h2=1 h3=1", 1),
        (["-N3", "-n5"], "size 5 h1=3 h2=1 h3=1", 1),
        (["-N2", "--ntasks-per-node=2"], "size 4 h1=2 h2=2", 1),
        (["-N2", "-n2", "-c2"], "size 2 h1=1 h2=1", 2),
        (["-N1", "-n3"], "size 3 h1=3", 1),
        (["-N1", "-n2", ":", "-N2", "-n2"], "size 4 h1=2 h2=1 h3=1", 1),
    ],
    ids=["nodes", "uneven", "per-node", "threads", "one-node", "heterogeneous"],
)
def test_a_batch_script_runs_on_all_that_was_allocated(
    nodes: Slurm, options: list[str], expected: str, threads: int
) -> None:
    number = nodes.batch(f"{RUN} census.py {expected.split()[1]} 3", *options)
    assert nodes.ended(number) == "FAILED"
    lines = said(nodes, number).splitlines()
    assert expected in lines, lines
    assert {line.split()[1] for line in lines if re.match(r"h\d\.\d ", line)} == {str(threads)}
    assert nodes.exit_code(number) == "3:0"


def test_salloc_on_a_host_that_is_not_in_the_job(nodes: Slurm) -> None:
    shown = nodes.run("h1", f"salloc -w h2,h3 -N2 -n4 {RUN} census.py 4 2>&1", 30.0)
    assert "size 4 h2=3 h3=1" in shown.splitlines(), shown
    nodes.assert_empty(time.monotonic())


@pytest.mark.parametrize(
    "command",
    ["salloc -N2 -n4 srun -n1 --pty bash", "srun -N2 -n4 --pty bash", "salloc -N2 -n4"],
    ids=["a-step-in-salloc", "srun-pty", "the-interactive-step"],
)
def test_a_terminal_on_the_first_node_has_the_whole_job(nodes: Slurm, command: str) -> None:
    nodes.forbid_ssh()  # else ssh would do where the step of the terminal keeps srun from the processors
    shown = on_terminal(nodes, command, f"{RUN} census.py 4")
    assert "size 4 h1=3 h2=1" in shown.splitlines(), shown


def test_copies_are_refused_in_one_line(nodes: Slurm) -> None:
    number = nodes.batch(f"srun {RUN} census.py 4", "-N2", "-n4")
    assert nodes.ended(number) == "FAILED"
    shown = said(nodes, number)
    assert shown.count("leave srun out") == 1, shown
    assert "size" not in shown
    assert nodes.exit_code(number) == "2:0"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-N2", "--ntasks-per-node=2", "--gres=gpu:2"], {"h1.1": "0", "h1.2": "1", "h2.1": "0", "h2.2": "1"}),
        (["-N2", "-n4", "--gpus-per-task=1"], {"h1.1": "0", "h1.2": "1", "h2.1": "0", "h2.2": "1"}),
        (["-N2", "-n2", "--gpus=2"], {"h1.1": "0", "h2.1": "0"}),
        (["-N2", "-n2", "--gres=gpu:2"], {"h1.1": "0,1", "h2.1": "0,1"}),
    ],
    ids=["one-each", "by-task", "by-job", "two-each"],
)
def test_gpus_are_given_out_to_workers(nodes: Slurm, options: list[str], expected: dict[str, str]) -> None:
    number = nodes.batch(f"{RUN} census.py {len(expected)}", *options)
    assert nodes.ended(number) == "COMPLETED", said(nodes, number)
    found = re.findall(r"^(h\d\.\d) \d (\S+)$", said(nodes, number), re.M)
    assert dict(found) == expected


def test_jobs_of_an_array_side_by_side(nodes: Slurm) -> None:
    number = nodes.batch(f"{RUN} census.py 2", "--array=1-3", "-N2", "-n2")
    for index in (1, 2, 3):
        assert nodes.ended(f"{number}_{index}") == "COMPLETED"
        assert "size 2" in said(nodes, f"{number}_{index}")


def test_each_copy_may_have_a_run_of_its_own(nodes: Slurm) -> None:
    number = nodes.batch(f"srun {RUN} --each census.py 1", "-N2", "-n2")
    assert nodes.ended(number) == "COMPLETED"
    shown = [line for line in said(nodes, number).splitlines() if line.startswith("size")]
    assert sorted(shown) == ["size 1 h1=1", "size 1 h2=1"]


def test_three_lines_are_enough_where_ssh_is_forbidden(nodes: Slurm) -> None:
    nodes.forbid_ssh()
    number = nodes.batch(f"#!/bin/bash\n#SBATCH --nodes=3 --output=three.out\n{RUN} census.py 3\n")
    assert nodes.ended(number) == "COMPLETED", nodes.read("three.out")
    assert "size 3 h1=1 h2=1 h3=1" in nodes.read("three.out").splitlines(), nodes.read("three.out")


def test_a_job_never_runs_on_less_than_it_has(nodes: Slurm) -> None:
    nodes.forbid_ssh(["h3"])
    number = nodes.batch(f"{RUN} --launcher ssh census.py 2", "-N3")
    assert nodes.ended(number) == "FAILED"
    assert nodes.exit_code(number) == "2:0", said(nodes, number)
    assert "h3" in said(nodes, number)
    number = nodes.batch(f"{RUN} --launcher ssh --min-hosts 2 census.py 2", "-N3")
    assert nodes.ended(number) == "COMPLETED"
    assert "size 2 h1=1 h2=1" in said(nodes, number)


# ---------------------------------------------------------------------------------------------------------------- ends


@pytest.mark.parametrize("launcher", ["srun", "ssh"])
@pytest.mark.parametrize("word", ["", "handle"], ids=["plain", "handled"])
def test_scancel_leaves_nothing(nodes: Slurm, launcher: str, word: str) -> None:
    number = nodes.batch(f"exec {RUN} --launcher {launcher} long.py 2000 {word}", "-N3", "-n6")
    nodes.await_text(f"slurm-{number}.out", "under way")
    assert len(nodes.left(["h2", "h3"])) >= 4
    nodes.run("h1", f"scancel {number}")
    nodes.assert_empty(time.monotonic(), processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)
    assert nodes.ended(number) == "CANCELLED"
    assert ("handled" in said(nodes, number)) is bool(word)


@pytest.mark.parametrize("launcher", ["srun", "ssh"])
def test_nothing_outlives_the_node_of_the_script(nodes: Slurm, launcher: str) -> None:
    number = nodes.batch(f"exec {RUN} --launcher {launcher} long.py 2000", "-N3", "-n6")
    nodes.await_text(f"slurm-{number}.out", "under way")
    send(nodes.processes("h1"), signal.SIGKILL)  # so that on h1 nobody is left who could delete its files
    nodes.assert_empty(time.monotonic(), ["h2", "h3"], processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)
    assert not nodes.left()


def test_the_time_limit_leaves_nothing(nodes: Slurm) -> None:
    number = nodes.batch(f"exec {RUN} long.py 4000", "-N3", "-n6")
    nodes.await_text(f"slurm-{number}.out", "under way")
    nodes.run("h1", f"scontrol update JobId={number} EndTime=$(date -d '+2 sec' +%FT%T)")  # --time has minutes
    nodes.await_state(number, ("COMPLETING", "TIMEOUT"), 40.0)  # Slurm looks every 30 s
    nodes.assert_empty(time.monotonic(), processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)
    assert nodes.ended(number) == "TIMEOUT"


def test_a_requeued_job_computes_what_is_missing(nodes: Slurm) -> None:
    number = nodes.batch(
        f"exec {RUN} --checkpoint kept.db long.py 150", "-N3", "-n6", "--requeue", "--open-mode=append"
    )
    nodes.await_text(f"slurm-{number}.out", "under way")
    nodes.run("h1", f"scontrol requeue {number}")
    nodes.assert_empty(time.monotonic(), processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)
    before = len(nodes.read("ran.txt").splitlines())
    assert 20 <= before < 150
    nodes.await_state(number, ("PENDING",))
    time.sleep(2)  # a node takes a job that it has just killed for that one, if the second is the same
    nodes.run("h1", f"scontrol update JobId={number} StartTime=now")  # Slurm would wait for two minutes
    assert nodes.ended(number) == "COMPLETED", said(nodes, number)
    assert said(nodes, number).splitlines()[-1] == "right"
    again = len(nodes.read("ran.txt").splitlines()) - 150
    assert 0 <= again <= 12, "what ran when the signal came, and was not kept yet"


def test_a_node_that_dies_is_done_without(nodes: Slurm) -> None:
    number = nodes.batch(f"exec {RUN} --grace 1 long.py 90", "-N3", "--no-kill")
    nodes.await_text(f"slurm-{number}.out", "under way")
    nodes.power_off("h3")
    try:
        nodes.await_text(f"slurm-{number}.out", "right", 20.0)
        nodes.assert_empty(time.monotonic(), ["h1", "h2"], processes_s=15.0, files_s=15.0)  # it says farewell to h3
    finally:
        nodes.boot("h3")
    assert nodes.ended(number) == "COMPLETED"


# ------------------------------------------------------------------------------------------------ standing Federations

STANDING = """
import collections, time
import fedfutures
from fedfutures import futures

def where(number):
    time.sleep(0.02)
    return fedfutures.worker.name.rpartition(".")[0]

if __name__ == "__main__":
    print("begun", flush=True)
    counts = collections.Counter(futures.map(where, range(900)))
    print(sum(counts.values()), *sorted(counts), flush=True)
"""


def test_what_a_new_user_does(nodes: Slurm) -> None:
    """Up, a session joins, a second program joins, a host is added and dies, jobs come and leave, down."""
    nodes.write("standing.py", STANDING)
    nodes.write(
        "job.sh", f"#!/bin/bash\n#SBATCH --nodes=1 --nodelist=h3 --time=60\nexec {RUN} join h1:lab -n 2 --grace 3\n"
    )
    nodes.run("h1", f"{RUN} up lab -n 1 --scale 'sbatch job.sh' --max 5 --scale-idle 3 --grace 3 -q")
    session = nodes.start("h1", "python", "-i", "-q", stdin=subprocess.PIPE)
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(
        "import fedfutures\nlab = fedfutures.Executor(join='lab')\nprint(sum(lab.map(abs, range(9))))\n"
    )
    session.stdin.flush()
    assert session.stdout.readline() == "36\n"
    program = nodes.start("h1", *RUN.split(), "--join", "lab", "standing.py")
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    assert "h2 was added to lab, with 2 Workers" in nodes.run("h1", f"{RUN} add lab h2:2")
    await_status(nodes, "h2 (2), h3 (2)")  # two more for the host that was added, and two of a job
    number = nodes.run("h1", "squeue --noheader --format=%i").strip()
    nodes.power_off("h2")
    try:
        out, err = program.communicate(timeout=60)
        assert (program.returncode, out) == (0, "900 h1 h2 h3\n"), err
        assert "has come, with 2 Workers" in err
        session.stdin.write("print(sum(lab.map(abs, range(10))))\n")
        session.stdin.flush()
        assert session.stdout.readline() == "45\n", "a session that was idle meanwhile goes on"
        assert nodes.ended(number) == "COMPLETED", "the node that nobody wants any more leaves"
        assert said(nodes, number) == "h3 has joined h1:lab\nh3 has left h1:lab\n"
    finally:
        nodes.boot("h2")
    assert "h3" not in nodes.run("h1", f"{RUN} status lab")
    nodes.run("h1", f"{RUN} down lab")
    out, err = session.communicate("lab.submit(abs, 1)\n", timeout=20)
    assert "FederationLost: the standing Federation lab has ended: it was taken down" in err
    nodes.assert_empty(time.monotonic(), processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)


def await_status(nodes: Slurm, text: str) -> None:
    wait_until(lambda: text in nodes.run("h1", f"{RUN} status lab"), f"{text} in the status")


def test_a_node_leaves_before_its_walltime_and_when_it_is_cancelled(nodes: Slurm) -> None:
    nodes.write("standing.py", STANDING)
    nodes.run("h1", f"{RUN} up lab -n 1 --grace 3 -q")
    first = nodes.batch(f"exec {RUN} join h1:lab -n 2 --grace 3", "-N1", "-w", "h2")
    # The walltime of this job is said to be nearly over: what is left is 5 s, the grace, and the time to leave.
    ending = "SLURM_JOB_END_TIME=$(($(date +%s) + 14)) exec"
    second = nodes.batch(f"{ending} {RUN} join h1:lab -n 2 --grace 3", "-N1", "-w", "h3")
    nodes.await_text(f"slurm-{first}.out", "has joined h1:lab")
    nodes.await_text(f"slurm-{second}.out", "has joined h1:lab")
    joined = nodes.start("h1", *RUN.split(), "--join", "lab", "standing.py")
    assert nodes.ended(second) == "COMPLETED"
    assert "has left h1:lab" in said(nodes, second)
    out, err = joined.communicate(timeout=60)
    assert (joined.returncode, out) == (0, "begun\n900 h1 h2 h3\n"), err
    nodes.run("h1", f"scancel {first}")
    assert nodes.ended(first) == "CANCELLED"
    assert "has left h1:lab" in said(nodes, first)
    nodes.run("h1", f"{RUN} down lab")
    nodes.assert_empty(time.monotonic(), processes_s=KILLED_SECONDS, files_s=FILES_SECONDS)
