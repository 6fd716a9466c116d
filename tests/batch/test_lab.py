"""The clusters of the laboratory do what tests of batch systems rely on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from lab.grid_engine import GridEngine
from lab.machines import Failed, name_of
from lab.slurm import Slurm

pytestmark = pytest.mark.batch


def test_a_script_runs_on_all_nodes_as_the_user(slurm: Slurm) -> None:
    number = slurm.batch("srun -N3 sh -c 'echo $(hostname) $(whoami)'; python -c 'import fedfutures_launcher'", "-N3")
    assert slurm.ended(number) == "COMPLETED"
    assert sorted(slurm.read(f"slurm-{number}.out").splitlines()) == ["h1 lab", "h2 lab", "h3 lab"]


def test_ssh_can_be_forbidden_to_the_user(slurm: Slurm) -> None:
    ask = "ssh -o BatchMode=yes h2 hostname"
    assert slurm.run("h1", ask) == "h2\n"
    slurm.forbid_ssh()
    with pytest.raises(Failed, match="Permission denied"):
        slurm.run("h1", ask)
    slurm.permit_ssh()
    assert slurm.run("h1", ask) == "h2\n"


def test_what_a_user_leaves_is_seen_and_ended(slurm: Slurm) -> None:
    slurm.run("h2", "setsid sleep 600 >/dev/null 2>&1 & echo >/dev/shm/mine; mkdir /tmp/own; echo >/tmp/own/file")
    slurm.run("h2", "until pgrep sleep; do :; done")
    assert [line.split()[2:] for line in slurm.left()] == [["sleep", "600"]]
    assert slurm.files() == ["h2: /tmp/own", "h2: /tmp/own/file", "h2: /dev/shm/mine"]
    with pytest.raises(AssertionError):
        slurm.assert_empty(time.monotonic(), processes_s=0.1, files_s=0.1)
    slurm.end_processes()
    slurm.assert_empty(time.monotonic())


def test_a_cancelled_job_gets_a_signal_and_the_time_to_act(slurm: Slurm) -> None:
    number = slurm.batch("trap 'echo TERM; exit 3' TERM; echo up; while :; do sleep 0.1; done", "-N2")
    slurm.await_text(f"slurm-{number}.out", "up")
    slurm.run("h1", f"scancel {number}")
    assert slurm.ended(number) == "CANCELLED"
    assert "TERM" in slurm.read(f"slurm-{number}.out")


def test_nodes_have_gpus(slurm: Slurm) -> None:
    number = slurm.batch("echo $CUDA_VISIBLE_DEVICES $SLURM_CPUS_ON_NODE", "-N1", "-n3", "--gres=gpu:2")
    assert slurm.ended(number) == "COMPLETED"
    assert slurm.read(f"slurm-{number}.out") == "0,1 3\n"
    assert not os.path.exists("/opt/gpus")


def test_a_node_without_power_is_out_until_it_is_booted(slurm: Slurm) -> None:
    slurm.power_off("h3")
    try:
        number = slurm.batch("hostname", "-w", "h2")
        assert slurm.ended(number) == "COMPLETED"
    finally:
        slurm.boot("h3")
    assert slurm.run("h1", "srun -w h3 hostname") == "h3\n"


def test_grid_engine_gives_slots_of_all_hosts_and_starts_there(grid_engine: GridEngine) -> None:
    lines = "cut -d' ' -f1,2 $PE_HOSTFILE; for host in h1 h2 h3; do qrsh -inherit $host hostname; done"
    number = grid_engine.batch(f"{lines}; python -c 'import fedfutures_launcher' && exit 3", "-pe", "mpi", "5")
    grid_engine.ended(number)
    said = grid_engine.read(f"job.o{number}").splitlines()
    assert sorted(line.split()[0] for line in said[:3]) == ["h1", "h2", "h3"]
    assert sorted(line.split()[1] for line in said[:3]) == ["1", "2", "2"]
    assert said[3:] == ["h1", "h2", "h3"], grid_engine.read(f"job.e{number}")
    assert grid_engine.exit_code(number) == 3


@pytest.mark.parametrize("make", [Slurm, GridEngine])
def test_a_cluster_leaves_the_machine_as_it_was(make: type[Slurm] | type[GridEngine], tmp_path: Path) -> None:
    places = ("/etc/passwd", "/etc/shadow", "/etc/slurm", "/etc/munge/munge.key", "/var/spool", "/opt", "/home")
    before = {place: os.stat(place).st_mtime_ns for place in places if os.path.exists(place)}
    with make(1, tmp_path) as cluster:
        running = cluster.lab.inside("h1")
        names = {name_of(pid) for pid in running}
    assert names & {"slurmd", "sge_execd"}
    assert not any(name_of(pid) for pid in running)
    assert {place: os.stat(place).st_mtime_ns for place in before} == before
