"""The hosts of a job, from what each scheduler says in its environment."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedfutures_launcher.hosts.schedulers import expand, from_environment, unpack
from fedfutures_launcher.hosts.spec import BadHosts

JOB = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "h[2-3]"}


def hosts(
    environ: Mapping[str, str], files: Mapping[str, str] | None = None
) -> tuple[str, dict[str, int | None]] | None:
    """The scheduler and the counts; files that are not there raise as open does."""

    def read(path: str) -> str:
        try:
            return (files or {})[path]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", path) from None

    found = from_environment(environ, read)
    return found and (found[0], {spec.host: spec.count for spec in found[1]})


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
    assert hosts({**job, "SLURM_CPUS_PER_TASK": "3"}) == ("Slurm", {"h2": 2, "h3": 2})
    assert hosts({**job, "SLURM_CPUS_PER_TASK": "16"}) == ("Slurm", {"h2": 1, "h3": 1})
    tasks = {**job, "SLURM_NTASKS": "5", "SLURM_TASKS_PER_NODE": "3,2"}
    assert hosts(tasks) == ("Slurm", {"h2": 3, "h3": 2})
    assert hosts(JOB) == ("Slurm", {"h2": 1, "h3": 1})
    assert hosts({"SLURM_JOBID": "7", "SLURM_NODELIST": "old"}) == ("Slurm", {"old": 1})


def test_a_batch_script_is_a_job_and_one_of_many_tasks_is_none() -> None:
    assert hosts({**JOB, "SLURM_PROCID": "0"}) is not None
    assert hosts({**JOB, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1"}) is not None
    assert hosts({**JOB, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4"}) is None
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


# ------------------------------------------------------------------------------------------------------------- the rest


def test_pbs_counts_lines() -> None:
    files = {"/f": "n1\nn2\nn1\n\n", "/once": "n1\nn2\n"}
    assert hosts({"PBS_NODEFILE": "/f"}, files) == ("PBS", {"n1": 2, "n2": 1})
    assert hosts({"PBS_NODEFILE": "/f", "PBS_ENVIRONMENT": "PBS_BATCH", "PBS_NUM_PPN": "4"}, files) == (
        "PBS", {"n1": 2, "n2": 1},
    )  # fmt: skip
    assert hosts({"PBS_NODEFILE": "/once", "PBS_NUM_PPN": "4"}, files) == ("PBS", {"n1": 4, "n2": 4})
    assert hosts({"PBS_ENVIRONMENT": "PBS_BATCH"}) is None


def test_grid_engine_sums_queues() -> None:
    text = "n1.cluster.org 4 all.q@n1.cluster.org UNDEFINED\nn2.cluster.org 2 all.q@n2 <NULL>\nn1.cluster.org 1 b.q x\n"
    found = hosts({"PE_HOSTFILE": "/p", "NSLOTS": "7"}, {"/p": text})
    assert found == ("Grid Engine", {"n1.cluster.org": 5, "n2.cluster.org": 2})


def test_lsf_prefers_what_is_whole() -> None:
    job = {"LSB_DJOB_HOSTFILE": "/d", "LSB_MCPU_HOSTS": "a 4 b 8 a 1", "LSB_HOSTS": "c c d"}
    assert hosts(job, {"/d": "e\ne\n"}) == ("LSF", {"e": 2})
    assert hosts(job) == ("LSF", {"a": 5, "b": 8})
    assert hosts({"LSB_HOSTS": "c c d"}) == ("LSF", {"c": 2, "d": 1})
    assert hosts({"LSB_HOSTS": ""}) is None


def test_the_innermost_words_of_slurm_come_before_those_that_imitate_pbs() -> None:
    found = hosts({**JOB, "PBS_NODEFILE": "/f"}, {"/f": "n1\n"})
    assert found is not None
    assert found[0] == "Slurm"


@pytest.mark.parametrize(("environ", "text", "error"), [
    ({"PBS_NODEFILE": "/x"}, "", "PBS_NODEFILE='/x': cannot be read: No such file or directory"),
    ({"PBS_NODEFILE": "/f"}, " \n", "PBS_NODEFILE='/f': the file names no hosts"),
    ({"PBS_NODEFILE": "/f"}, "-oProxyCommand=sh\n", "PBS_NODEFILE='/f': '-oProxyCommand=sh' is no host name"),
    ({"PBS_NODEFILE": "/f", "PBS_NUM_PPN": "many"}, "n1", "PBS_NUM_PPN='many': 'many' is no number of at least 1"),
    ({"PE_HOSTFILE": "/f"}, "n1 four q\n", "PE_HOSTFILE='/f': the line 'n1 four q' should be HOST SLOTS ...: 'four'"),
    ({"PE_HOSTFILE": "/f"}, "n1\n", "PE_HOSTFILE='/f': the line 'n1' should be"),
    ({"LSB_MCPU_HOSTS": "a 4 b"}, "", "LSB_MCPU_HOSTS='a 4 b': should be HOST SLOTS HOST SLOTS ..."),
    ({"LSB_MCPU_HOSTS": "a b"}, "", "LSB_MCPU_HOSTS='a b': 'b' is no number of at least 1"),
    ({"LSB_DJOB_HOSTFILE": "/x"}, "", "LSB_DJOB_HOSTFILE='/x': cannot be read"),
    ({"LSB_HOSTS": "a b;c"}, "", "LSB_HOSTS='a b;c': 'b;c' is no host name"),
])  # fmt: skip
def test_broken_variables_are_named(environ: dict[str, str], text: str, error: str) -> None:
    with pytest.raises(BadHosts) as caught:
        hosts(environ, {"/f": text})
    assert str(caught.value).startswith(error)


def test_outside_of_jobs_there_is_nothing() -> None:
    assert hosts({"PATH": "/bin", "HOME": "/root"}) is None
