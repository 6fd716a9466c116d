"""Workers that are forked from a template: what they share, what each has of its own, and when there is none."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from fedfutures.host.settings import Settings
from fedfutures.host.template import imports_program, is_wanted

BODY = """
import os, random, signal, sys, time
{top}
import fedfutures
from fedfutures import futures
from fedfutures.futures import handles
from fedfutures.host import here

sys.imported_by = IMPORTING()  # a variable of the program would come from the Origin

def look(item):
    time.sleep(0.05)
    return sys.imported_by, os.getpid(), os.getppid(), os.getpgid(0), random.random()

def template():
    host = os.getppid()
    for name in open(f"/proc/{{host}}/task/{{host}}/children").read().split():
        if "template" in open(f"/proc/{{name}}/comm").read():
            return int(name)

if __name__ == "__main__":
    plain = handles.settings_here
    handles.settings_here = lambda *given, **more: plain(*given, **more, template=True)
    with fedfutures.Executor(3) as pool:
{run}
"""
IMPORTING = "def IMPORTING():\n    with open('/proc/self/stat') as file:\n        return int(file.read().split()[0])\n"


def run_program(place: Path, run: str, top: str = "") -> str:
    """Run a program with a template; return what it has printed."""
    text = BODY.format(top=IMPORTING + textwrap.dedent(top), run=textwrap.indent(textwrap.dedent(run), " " * 8))
    (place / "prog.py").write_text(text)
    ended = subprocess.run(
        [sys.executable, "prog.py"], capture_output=True, text=True, timeout=60, cwd=place, check=False
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


LOOK = """
found = set(pool.map(look, range(24), chunksize=1))
imported, pids, parents, groups = ({row[place] for row in found} for place in range(4))
print(imported == pids, len(imported), len(pids) > 1, len(parents), groups == pids, len({row[4] for row in found}))
"""


def test_only_with_a_program_on_files_of_this_host() -> None:
    settings = Settings("h", 2, 2, program=("file", "/p.py"), template=True)
    assert is_wanted(settings)
    assert not is_wanted(Settings("h", 2, 2, program=("file", "/p.py")))
    assert not is_wanted(Settings("h", 2, 2, template=True))
    assert not is_wanted(Settings("h", 2, 2, program=("file", "/p.py"), code=True, template=True))


def test_modules_are_preloaded_whatever_the_program_is() -> None:
    for settings in (Settings("h", 2, 2), Settings("h", 2, 2, program=("file", "/p.py"), code=True)):
        assert is_wanted(replace(settings, preload=["numpy"]))
        assert not imports_program(replace(settings, preload=["numpy"], template=True))
    assert imports_program(Settings("h", 2, 2, program=("file", "/p.py"), template=True))
    assert not imports_program(Settings("h", 2, 2, program=("file", "/p.py"), preload=["numpy"]))


def test_not_where_each_worker_has_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert not is_wanted(Settings("h", 2, 2, program=("file", "/p.py"), template=True))


@pytest.mark.host
def test_workers_share_an_import_and_are_processes_of_their_own(tmp_path: Path) -> None:
    assert run_program(tmp_path, LOOK, "print('imported')") == "imported\nimported\nFalse 1 True 1 True 24\n"


@pytest.mark.host
@pytest.mark.parametrize(
    "top",
    [
        "import threading\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "FILE = open(__file__)",
        "NUMBER = os.getpid()",
        "DRAWN = random.random()",
        "OWN = random.Random()",
        "from fedfutures import worker\nNAME = worker.name",
    ],
)
def test_where_a_fork_would_not_be_safe_each_worker_imports_the_program(tmp_path: Path, top: str) -> None:
    assert run_program(tmp_path, LOOK, top).startswith("True ")


@pytest.mark.host
def test_a_seed_of_the_program_is_that_of_each_worker(tmp_path: Path) -> None:
    run = """
    first = [pool.submit(look, 0).result()[4] for _ in range(3)]
    found = set(pool.map(look, range(24), chunksize=1))
    print(len({row[0] for row in found}), first[0])
    """
    random_value = run_program(tmp_path, run, "random.seed(7)").split()
    assert random_value[0] == "1"
    assert random_value[1] == "0.32383276483316237"


@pytest.mark.host
def test_an_import_that_raises_is_an_error_of_each_future(tmp_path: Path) -> None:
    run = """
    for _ in range(3):
        try:
            print(pool.submit(look, 0).result())
        except Exception as error:
            print(type(error).__name__, "here it is" in str(error) + str(error.__cause__))
    """
    top = "if __name__ != '__main__':\n    raise ValueError('here it is')"
    printed = run_program(tmp_path, run, top)
    assert len(re.findall("True", printed)) == 3, printed


@pytest.mark.host
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_template_that_is_killed_or_stopped_costs_nothing(tmp_path: Path, number: int) -> None:
    run = f"""
    before = pool.submit(look, 0).result()
    victim = pool.submit(template).result()
    assert victim == before[0], (victim, before)
    os.kill(victim, {int(number)})
    for pid in {{row[1] for row in pool.map(look, range(12), chunksize=1)}}:
        os.kill(pid, 9)
    found = list(pool.map(look, range(24), chunksize=1))
    print(len(found), all(row[0] in (row[1], victim) for row in found if row[1] != before[1]))
    deadline = time.monotonic() + 20
    while (new := pool.submit(template).result()) in (None, victim) and time.monotonic() < deadline:
        time.sleep(0.1)
    print(new not in (None, victim))
    """
    assert run_program(tmp_path, run).split()[-3:] == ["24", "True", "True"]


@pytest.mark.host
def test_a_future_that_crashes_its_worker_leaves_the_template(tmp_path: Path) -> None:
    run = """
    first = pool.submit(template).result()
    try:
        pool.submit(os.abort).result()
    except Exception as error:
        print(type(error).__name__)
    found = list(pool.map(look, range(12), chunksize=1))
    print({row[0] for row in found} == {first}, pool.submit(template).result() == first)
    """
    assert run_program(tmp_path, run).split()[-2:] == ["True", "True"]
