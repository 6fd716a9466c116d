"""Each Worker in a batch job has its own part of the devices: as a rule, and in real processes."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from launching import launch, write

from fedfutures.host.devices import VARIABLES, environment_of, part

JOB = {"SLURM_JOB_ID": "7"}


@given(st.integers(1, 40), st.integers(1, 40))
def test_devices_are_given_out_evenly_and_each_one(count: int, workers: int) -> None:
    devices = [f"GPU-{number}" for number in range(count)]
    parts = [part(devices, slot, workers) for slot in range(workers)]
    given_out = Counter(device for own in parts for device in own)
    assert given_out.keys() == set(devices)
    assert max(given_out.values()) == -(-workers // count) if workers > count else 1
    assert {len(own) for own in parts} <= {max(1, count // workers), max(1, -(-count // workers))}
    if workers <= count:
        assert [device for own in parts for device in own] == devices, "neighbours, in blocks"
    else:
        assert max(given_out.values()) - min(given_out.values()) <= 1


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_is_divided(variable: str) -> None:
    parts = [environment_of({**JOB, variable: "0,1,2,3"}, slot, 2) for slot in range(2)]
    assert parts == [{variable: "0,1"}, {variable: "2,3"}]


def test_slurm_sets_all_of_them_where_the_site_names_no_vendor() -> None:
    """As a real Slurm 22.05 does for ``--gres=gpu:4`` of device files."""
    job = {**JOB, "SLURM_JOB_GPUS": "0,1,2,3", "SLURM_GPUS_ON_NODE": "4"}
    job |= dict.fromkeys(VARIABLES, "0,1,2,3")
    del job["HIP_VISIBLE_DEVICES"]
    assert environment_of(job, 1, 2) == dict.fromkeys(VARIABLES[:2] + VARIABLES[3:], "2,3")
    amd = environment_of(job, 1, 2, amd=True)
    assert (amd["ROCR_VISIBLE_DEVICES"], amd["CUDA_VISIBLE_DEVICES"], amd["GPU_DEVICE_ORDINAL"]) == (
        "2,3",
        "0,1",
        "0,1",
    )


@pytest.mark.parametrize(
    "environ",
    [
        {"CUDA_VISIBLE_DEVICES": "0,1"},  # no job
        {**JOB},
        {**JOB, "CUDA_VISIBLE_DEVICES": ""},
        {**JOB, "CUDA_VISIBLE_DEVICES": "3"},
        {**JOB, "CUDA_VISIBLE_DEVICES": "NoDevFiles"},
        {**JOB, "CUDA_VISIBLE_DEVICES": "-1,0"},
    ],
)
def test_what_is_left_as_it_is(environ: dict[str, str]) -> None:
    assert environment_of(environ, 0, 2) == {}
    assert environment_of({**JOB, "CUDA_VISIBLE_DEVICES": "0,1"}, 0, 1) == {}, "one Worker has all"


def test_jobs_of_all_schedulers_count() -> None:
    for job in ({"PBS_JOBID": "7"}, {"JOB_ID": "7", "SGE_ROOT": "/sge"}, {"LSB_JOBID": "7"}):
        assert environment_of({**job, "CUDA_VISIBLE_DEVICES": "GPU-a, MIG-b"}, 1, 2) == {
            "CUDA_VISIBLE_DEVICES": "MIG-b"
        }


def test_a_worker_that_stands_in_shares_with_one_of_the_run() -> None:
    assert environment_of({**JOB, "CUDA_VISIBLE_DEVICES": "0,1"}, 3, 2) == {"CUDA_VISIBLE_DEVICES": "1"}


def test_with_gpus_of_amd_the_second_variable_counts_what_the_first_leaves() -> None:
    environ = {**JOB, "ROCR_VISIBLE_DEVICES": "4,5,6,7", "HIP_VISIBLE_DEVICES": "0,1,2,3", "CUDA_VISIBLE_DEVICES": "0"}
    assert environment_of(environ, 1, 2, amd=True) == {
        "ROCR_VISIBLE_DEVICES": "6,7", "HIP_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "0,1",
    }  # fmt: skip
    hip_alone = {**JOB, "HIP_VISIBLE_DEVICES": "0,1"}
    assert environment_of(hip_alone, 1, 2, amd=True) == {"HIP_VISIBLE_DEVICES": "1"}


PROGRAM = """
    import os, signal, time
    from fedfutures.futures import map, submit
    from fedfutures.worker import current

    def device(_):
        time.sleep(0.02)
        return current.node.name, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("ROCR_VISIBLE_DEVICES")

    def end():
        os.kill(os.getpid(), signal.SIGKILL)

    def seen():
        found = set()
        for _ in range(100):
            found |= set(map(device, range(8)))
            if len(found) == 2:
                return sorted(found)

    if __name__ == "__main__":
        before = seen()
        print(repr(before))
        if {again}:
            submit(end).exception()
            while (after := seen()) == before:
                pass
            print(repr(after))
"""


@pytest.mark.host
def test_workers_of_a_job_have_devices_of_their_own(tmp_path: Path) -> None:
    """Also the one that replaces a Worker."""
    write(tmp_path / "prog.py", PROGRAM.replace("{again}", "True"))
    job = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b", "ROCR_VISIBLE_DEVICES": "5"}
    ended = launch("-n", "2", "prog.py", cwd=tmp_path, env=job)
    assert ended.code == 0, ended.err
    before, after = map(ast.literal_eval, ended.out.splitlines())
    assert [found[1:] for found in before] == [("GPU-a", "5"), ("GPU-b", "5")]
    assert [found[1:] for found in after] == [("GPU-a", "5"), ("GPU-b", "5")]
    assert before != after


@pytest.mark.host
def test_outside_of_jobs_all_workers_have_all_devices(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM.replace("{again}", "False"))
    ended = launch("-n", "2", "prog.py", cwd=tmp_path, env={"CUDA_VISIBLE_DEVICES": "0,1"})
    assert ended.out.count("'0,1'") == 2, ended
