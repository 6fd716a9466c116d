"""The job scripts of docs/jobs.rst, under a real Slurm and Grid Engine: they are accepted, and give what it says."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_lines.pieces import of_page
from lab.cluster import Cluster
from lab.fixtures import namespaces, need
from lab.grid_engine import GridEngine
from lab.slurm import Slurm

pytestmark = pytest.mark.batch

PAGE = (Path(__file__).parents[2] / "docs" / "jobs.rst").read_text(encoding="utf-8")
SCRIPTS = [piece for piece in of_page(PAGE) if piece.kind == "block" and "#SBATCH" in piece.text]
PLAN = "python -m fedfutures --dry-run prog.py"
PROCESSORS = 64
"""Of each node; Slurm is told so."""
SHAPES = {
    "#SBATCH --nodes=3 --ntasks-per-node=16": [16, 16, 16],
    "#SBATCH --ntasks=40": [40],
    "#SBATCH --nodes=3 --exclusive": [64, 64, 64],
    "#SBATCH --nodes=3 --ntasks-per-node=4 --cpus-per-task=8": [4, 4, 4],
    "#SBATCH --cpus-per-task=16": [16],
    "#SBATCH --nodes=2 --gres=gpu:2 --ntasks-per-node=2": [2, 2],
    "#SBATCH --array=1-8 --nodes=2": [1, 1],
    "sbatch --nodes=1 --ntasks=2 : --nodes=2 --ntasks-per-node=16 job.sh": [2, 16, 16],
    "salloc --nodes=2 --ntasks-per-node=8": [8, 8],
    "srun --nodes=2 --ntasks-per-node=8 --pty bash": [8, 8],
    "srun --ntasks=1 --pty bash": [8, 8],
}
"""By what people write, how many Workers the nodes have."""

LONG = """
import time
from fedfutures import futures

def work(item):
    time.sleep(0.15)
    with open("made", "a") as file:
        file.write(f"{item}\\n")
    return item

if __name__ == "__main__":
    count = len(list(futures.map(work, range(120))))
    with open("done", "w") as file:
        file.write(str(count))
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A Slurm whose nodes have the processors that the page asks for; in the home are a program and a Python."""
    need(*Slurm.needs, "script")
    with namespaces(lambda: Slurm(3, tmp_path_factory.mktemp("scripts"), cpus=PROCESSORS)) as made:
        put_programs(made)
        yield made


def put_programs(cluster: Cluster) -> None:
    cluster.write("prog.py", "import sys\nprint(*sys.argv)\n")
    cluster.write("fed/bin/python", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')


@pytest.mark.parametrize("text", [piece.text for piece in SCRIPTS], ids=[f"line {piece.line}" for piece in SCRIPTS])
def test_slurm_accepts_the_script(cluster: Slurm, text: str) -> None:
    cluster.write("job.sh", f"{text}\n")
    assert "to start at" in cluster.run("h1", "sbatch --test-only job.sh 2>&1")
    wrong = text.replace("#SBATCH --", "#SBATCH --no-such --", 1)
    cluster.write("job.sh", f"{wrong}\n")
    assert "unrecognized option" in cluster.run("h1", "sbatch --test-only job.sh 2>&1 || :")


def test_the_script_that_submits_itself_goes_on_until_the_program_is_done(slurm: Slurm) -> None:
    (text,) = [piece.text for piece in SCRIPTS if "sbatch job.sh" in piece.text]
    put_programs(slurm)
    slurm.write("prog.py", LONG)
    short = text.replace("--ntasks-per-node=16", "--ntasks-per-node=1").replace(
        "--checkpoint", "--walltime 6 --checkpoint"
    )
    first = slurm.batch(f"{short}\n")
    slurm.await_text("done", "120", 60.0)
    number = max(int(path.stem.partition("-")[2]) for path in slurm.home.glob("slurm-*.out"))
    slurm.ended(number)
    assert number > first
    assert "WalltimeReached" in slurm.read(f"slurm-{first}.out")
    made = slurm.read("made").split()
    assert set(made) == {str(item) for item in range(120)}
    assert len(made) < 150, "what is in the checkpoint is not computed again"


def test_grid_engine_runs_the_script(grid_engine: GridEngine) -> None:
    (text,) = [piece.text for piece in of_page(PAGE) if piece.kind == "block" and "#$ " in piece.text]
    put_programs(grid_engine)
    grid_engine.write("job.sh", text.replace(" 64 ", " 6 ").replace("prog.py", "prog.py here") + "\n")
    said = grid_engine.run("h1", "qsub -terse -sync y job.sh >/dev/null; cat job.sh.o*", 60.0)
    assert said.split() == ["prog.py", "here"]
    table = grid_engine.run("h1", "cat job.sh.e*")
    assert sorted(re.findall(r"^(h\d) +(\d+) +ok ", table, re.M)) == [("h1", "2"), ("h2", "2"), ("h3", "2")], table


def test_every_row_of_the_table_is_tried() -> None:
    table = PAGE[PAGE.index("   * - You write") : PAGE.index("``-n 20`` behind")]
    assert re.findall(r"^   \* - ``([^`]+)``", table, re.M) == list(SHAPES)
    assert len(SCRIPTS) >= 3


@pytest.mark.parametrize("written", SHAPES)
def test_people_get_the_workers_that_the_table_says(cluster: Slurm, written: str) -> None:
    plans = list(plans_of(cluster, written))
    assert len(plans) == (8 if "--array" in written else 1)
    for plan in plans:
        found = [int(count) for count in re.findall(r"\.broker: (\d+) Workers?", plan)]
        assert [count for count in found if count] == SHAPES[written], plan


def plans_of(cluster: Slurm, written: str) -> Iterator[str]:
    """Yield what --dry-run says in a job that is asked for so; of an array, in each of its jobs."""
    cluster.write("job.sh", f"#!/bin/bash\n{written if written.startswith('#') else ''}\n{PLAN}\n")
    if "batch" in written.lower():
        submit = written if written.startswith("sbatch") else "sbatch job.sh"
        submit = submit.replace("sbatch", "sbatch --parsable", 1)
        wait = 'while [ "$(squeue -h -j $number)" ]; do sleep 0.1; done'
        said = cluster.run("h1", f"rm -f slurm-*.out; number=$({submit}); {wait}; cat slurm-*.out")
        yield from re.split(r"^program: +prog.py$", said, flags=re.M)[1:]
    elif "--pty" in written:
        within = "salloc --nodes=2 --ntasks-per-node=8" if "--nodes" not in written else ""
        yield cluster.run("h1", f"printf '{PLAN}\\nexit\\n' | {within} script -qec '{written}' /dev/null")
    else:
        yield cluster.run("h1", f"{written} {PLAN}")
