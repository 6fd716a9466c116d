"""What Slurm has given to a job, by environments that a real Slurm 22.05 has made, and by made-up ones.

The recorded environments are those of nodes with four processors; each file is named after the command.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from fedfutures_launcher.hosts.schedulers.slurm import SIMULTANEOUS_THREADS, expand, has_tasks_of_step, unpack
from fedfutures_launcher.hosts.spec import BadHosts

from .given import hosts, what

JOB = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "h[2-3]"}
RECORDED = Path(__file__).parent / "environments"


def recorded(name: str) -> dict[str, str]:
    """Return an environment of a real job."""
    lines = (RECORDED / f"{name}.txt").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


SHAPES = {
    # the job script, and what salloc starts
    "sbatch_N2": ("1 1", 1), "sbatch_N2_n4": ("3 1", 1), "sbatch_N1_c4": ("4", 1), "sbatch_array_n3": ("3", 1),
    "sbatch_N2_ntasks_per_node_2_c2": ("2 2", 2),
    "sbatch_N1_n2_het_N2_n2": ("2 1 1", 1), "sbatch_N1_c2_het_N2_c1": ("2 1 1", 1),
    "salloc_N2_n4": ("3 1", 1), "salloc_N3": ("1 1 1", 1), "salloc_n5": ("4 1", 1), "salloc_N2_exclusive": ("4 4", 1),
    "salloc_N1_n3_exclusive": ("3", 1), "salloc_N1_c4": ("4", 1), "salloc_N2_c2": ("2 2", 1), "salloc_n1_c4": ("4", 1),
    "salloc_n2_c2": ("2", 2), "salloc_N2_ntasks_per_node_1_c4": ("1 1", 4), "salloc_N1_n2_het_N2_n2": ("2 1 1", 1),
    # a step of one task: the job
    "salloc_N2_n4_srun_n1": ("3 1", 1), "salloc_N2_n4_srun_n1_pty": ("3 1", 1), "salloc_n4_srun_n1_exact": ("4", 1),
    "salloc_N3_n6_interactive_step": ("4 1 1", 1), "srun_N1_c4_pty": ("4", 1),
    # the shell of a step of several tasks: the step
    "srun_N2_n4_pty": ("3 1", 1), "srun_N2_pty": ("1 1", 1), "srun_N2_exclusive_pty": ("4 4", 1),
    "srun_n2_c2_pty": ("2", 2), "salloc_N3_n6_srun_N2_n2_pty": ("4 1", 1), "salloc_N1_n2_het_N2_n2_srun_pty": ("2", 1),
    # copies: nothing
    "srun_N2_n4_copy_0": ("", None), "srun_N2_n4_copy_3": ("", None), "srun_n2_c2_copy_0": ("", None),
    "srun_N2_exclusive_copy_0": ("", None), "salloc_het_srun_copy_3": ("", None),
}  # fmt: skip
"""By the name of a recorded environment, the Workers of the nodes from h2 on, and the threads of each."""
OF_STEP = "this step of Slurm has"
OTHERS = "the job script, or the shell of salloc, has all of them"
REMARKS = {
    "sbatch_N1_c4": "--cpus-per-task=4 without several tasks: each of the 4 processors has a Worker; "
    "for Workers of 4 processors: -n 1",
    "salloc_N1_n3_exclusive": "a Worker for each of the 3 tasks, which share the 4 processors of the job; "
    "for a Worker on each processor: -n 4",
    "salloc_N3_n6_srun_N2_n2_pty": f"{OF_STEP} 2 of the 3 nodes of the job, so h4 stays idle; {OTHERS}",
    "salloc_N1_n2_het_N2_n2_srun_pty": f"{OF_STEP} 1 of the 3 nodes of the job, so h3, h4 stay idle; {OTHERS}",
    "salloc_n4_srun_n1_exact": f"{OF_STEP} 1 of the 4 processors of the job, and the Workers use all of them; "
    "for those of the step alone: --each",
}
WITHOUT_REMARK = {
    "sbatch_N2_n4", "sbatch_N2", "salloc_n5", "salloc_n2_c2", "srun_N2_n4_pty", "salloc_N2_n4_srun_n1_pty",
    "salloc_N3_n6_interactive_step", "sbatch_N1_n2_het_N2_n2", "salloc_N2_exclusive", "srun_N2_n4_copy_3",
}  # fmt: skip


def test_each_recorded_environment_is_judged() -> None:
    assert {path.stem for path in RECORDED.iterdir()} == SHAPES.keys()


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_real_jobs(name: str) -> None:
    found = what(recorded(name), on_terminal="pty" in name or "interactive" in name)
    assert found is not None
    assert found.scheduler == "Slurm"
    workers, threads = SHAPES[name]
    expected = {f"h{number}": int(count) for number, count in enumerate(workers.split(), 2)}
    assert {spec.host: spec.count for spec in found.hosts} == expected
    assert found.threads == threads


@pytest.mark.parametrize("name", [*REMARKS, *sorted(WITHOUT_REMARK)])
def test_what_is_not_used_is_said(name: str) -> None:
    found = what(recorded(name), on_terminal="pty" in name or "interactive" in name)
    assert found is not None
    assert found.remarks(workers=None) == ([REMARKS[name]] if name in REMARKS else [])
    assert found.remarks(workers=9) == ([found.unused] if "idle" in REMARKS.get(name, "") else [])


def test_the_processors_of_a_core_go_together() -> None:
    """A task that wants one processor has a core, which may have two: then none is idle."""
    job = {**JOB, "SLURM_NTASKS": "3", "SLURM_TASKS_PER_NODE": "2,1", "SLURM_JOB_CPUS_PER_NODE": "4,2"}
    with_hyperthreads, without = what(job, {SIMULTANEOUS_THREADS: "1\n"}), what(job, {SIMULTANEOUS_THREADS: "0\n"})
    assert with_hyperthreads is not None
    assert without is not None
    assert (with_hyperthreads.note, with_hyperthreads.threads) == ("", 2)
    assert without.note.startswith("a Worker for each of the 3 tasks, which share the 6 processors")


def test_whose_tasks_they_are() -> None:
    assert has_tasks_of_step(recorded("salloc_N2_n4_srun_n1"))
    assert has_tasks_of_step({"SLURM_STEP_ID": "0"})
    assert not has_tasks_of_step(recorded("salloc_N3_n6_interactive_step"))
    assert not has_tasks_of_step(recorded("sbatch_N2_n4"))
    for special in ("4294967290", "4294967291", "4294967292", "batch", "interactive"):
        assert not has_tasks_of_step({"SLURM_STEP_ID": special})


def test_components_with_other_threads_have_the_least() -> None:
    job = {
        "SLURM_JOB_ID": "7", "SLURM_HET_SIZE": "2",
        "SLURM_JOB_NODELIST_HET_GROUP_0": "a", "SLURM_NTASKS_HET_GROUP_0": "2", "SLURM_TASKS_PER_NODE_HET_GROUP_0": "2",
        "SLURM_JOB_CPUS_PER_NODE_HET_GROUP_0": "8", "SLURM_CPUS_PER_TASK_HET_GROUP_0": "4",
        "SLURM_JOB_NODELIST_HET_GROUP_1": "a,b", "SLURM_NTASKS_HET_GROUP_1": "3",
        "SLURM_TASKS_PER_NODE_HET_GROUP_1": "1,2", "SLURM_JOB_CPUS_PER_NODE_HET_GROUP_1": "2,4",
        "SLURM_CPUS_PER_TASK_HET_GROUP_1": "2",
    }  # fmt: skip
    found = what(job)
    assert found is not None
    assert ({spec.host: spec.count for spec in found.hosts}, found.threads, found.note) == ({"a": 3, "b": 2}, 2, "")


def test_nodes_of_a_step_that_the_job_lacks_have_the_tasks_of_the_step() -> None:
    step = {**recorded("srun_N2_n4_pty"), "SLURM_STEP_NODELIST": "x[1-2]"}
    found = what(step, on_terminal=True)
    assert found is not None
    assert ({spec.host: spec.count for spec in found.hosts}, found.threads) == ({"x1": 3, "x2": 1}, None)


# ---------------------------------------------------------------------------------------------------------------- Slurm


@st.composite
def packed(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A packed element and what it stands for, worked out number by number."""
    text, found = "", [""]
    for _ in range(draw(st.integers(1, 3))):
        fixed = draw(st.from_regex(r"[a-z]([a-z-]{0,3}[a-z])?", fullmatch=True))
        text, found = text + fixed, [host + fixed for host in found]
        if draw(st.booleans()):
            continue
        parts, numbers = [], []
        for _ in range(draw(st.integers(1, 3))):
            first, length, width = draw(st.integers(0, 120)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
            own = [str(number).zfill(width) for number in range(first, first + length)]
            parts.append(own[0] if length == 1 else f"{own[0]}-{own[-1]}")
            numbers += own
        text, found = f"{text}[{','.join(parts)}]", [host + number for host in found for number in numbers]
    return text, found


def test_a_step_of_one_task_has_the_nodes_of_the_job() -> None:
    step = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1", "SLURM_TASKS_PER_NODE": "1"}
    assert hosts({**JOB, **step, "SLURM_JOB_CPUS_PER_NODE": "3,1"}) == ("Slurm", {"h2": 3, "h3": 1})
    assert hosts({**JOB, **step}) == ("Slurm", {"h2": 1, "h3": 1})


@given(st.lists(packed(), min_size=1, max_size=3))
def test_packed_lists_are_unpacked(elements: list[tuple[str, list[str]]]) -> None:
    assert expand(",".join(text for text, _ in elements)) == [host for _, found in elements for host in found]


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 5)), min_size=1))
def test_run_lengths_are_unpacked(runs: list[tuple[int, int]]) -> None:
    text = ",".join(f"{number}(x{times})" if times > 1 else str(number) for number, times in runs)
    assert unpack(text) == [number for number, times in runs for _ in range(times)]


@given(st.text("n19[],-()x", max_size=12))
def test_nothing_but_a_value_error_comes_of_nonsense(text: str) -> None:
    for function in (expand, unpack):
        try:
            found = function(text)
        except ValueError:
            continue
        assert found


@pytest.mark.parametrize("text", ["", "a,", ",a", "a[1-2", "a1-2]", "a[]", "a[2-1]", "a[1-x]", "a[[1]]", "a[0-999999]",
                                  "a[0-9999]b[0-9999]", "a[1,]"])  # fmt: skip
def test_bad_lists_name_their_variable_and_value(text: str) -> None:
    with pytest.raises(BadHosts) as caught:
        hosts({**JOB, "SLURM_JOB_NODELIST": text})
    assert str(caught.value).startswith(f"SLURM_JOB_NODELIST={text!r}: ")


def test_slurm_gives_processors_unless_tasks_were_asked_for() -> None:
    job = {**JOB, "SLURM_JOB_CPUS_PER_NODE": "8(x2)", "SLURM_TASKS_PER_NODE": "1(x2)"}
    assert hosts(job) == ("Slurm", {"h2": 8, "h3": 8})
    assert hosts({**job, "SLURM_CPUS_PER_TASK": "3"}) == ("Slurm", {"h2": 8, "h3": 8})
    tasks = {**job, "SLURM_NTASKS": "5", "SLURM_TASKS_PER_NODE": "3,2"}
    assert hosts(tasks) == ("Slurm", {"h2": 3, "h3": 2})
    assert hosts(JOB) == ("Slurm", {"h2": 1, "h3": 1})
    assert hosts({"SLURM_JOBID": "7", "SLURM_NODELIST": "old"}) == ("Slurm", {"old": 1})


def test_a_batch_script_is_a_job_and_one_of_many_tasks_is_none() -> None:
    assert hosts({**JOB, "SLURM_PROCID": "0"}) is not None
    assert hosts({**JOB, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1"}) is not None
    assert hosts({**JOB, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}) == ("Slurm", {})
    assert hosts({"SLURM_JOB_NODELIST": "h1"}) is None
    assert hosts({"SLURM_CONF": "/etc/slurm.conf"}) is None


@pytest.mark.parametrize(("variable", "value", "why"), [
    ("SLURM_JOB_CPUS_PER_NODE", "8(x3)", "3 nodes, but SLURM_JOB_NODELIST='h[2-3]' are 2"),
    ("SLURM_JOB_CPUS_PER_NODE", "8(y2)", "is no number"),
    ("SLURM_JOB_CPUS_PER_NODE", "0(x2)", "is no number"),
    ("SLURM_CPUS_PER_TASK", "0", "at least 1"),
])  # fmt: skip
def test_bad_counts_of_slurm(variable: str, value: str, why: str) -> None:
    with pytest.raises(BadHosts) as caught:
        hosts({**JOB, "SLURM_JOB_CPUS_PER_NODE": "8(x2)", variable: value})
    assert str(caught.value).startswith(f"{variable}={value!r}: ")
    assert why in str(caught.value)
