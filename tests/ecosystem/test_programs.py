"""Programs with libraries that people use: what they print by Executor and launched is what they print serially.

The programs are in ``programs/``, one for each library or way to use it. One whose library is not installed is left out
by name. With FEDFUTURES_REQUIRE_ECOSYSTEM=small, which CI sets, that is a failure for what stands in
``requirements.txt``, and with ``all`` for every program.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from launching import Ended, launch, python

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
REQUIREMENTS = {"small": ("requirements.txt",), "all": ("requirements.txt", "requirements-large.txt")}
IMPORTED = {"scikit-learn": "sklearn"}
"""Libraries that are imported by another name."""
SECONDS = 100.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A sum over two threads may differ in its last bit from one over one thread, and results are compared exactly."""


@dataclass(frozen=True)
class Program:
    """A program by its name, and the library that it needs by the name of its import."""

    name: str
    library: str


ALL = [
    Program("adaptive_learners", "adaptive"),
    Program("dask_graphs", "dask"),
    Program("deap_genetic", "deap"),
    Program("deap_swarm", "deap"),
    Program("deap_trees", "deap"),
    Program("emcee_walkers", "emcee"),
    Program("joblib_parallel", "joblib"),
    Program("nevergrad_search", "nevergrad"),
    Program("optuna_study", "optuna"),
    Program("pandas_groups", "pandas"),
    Program("pymoo_front", "pymoo"),
    Program("scipy_workers", "scipy"),
    Program("sklearn_search", "sklearn"),
    Program("torch_tensors", "torch"),
    Program("xarray_grids", "xarray"),
]


def required(which: str) -> set[str]:
    """Return the libraries without which a run fails."""
    texts = [(HERE / name).read_text() for name in REQUIREMENTS.get(which, ())]
    names = {name for text in texts for name in re.findall(r"^([\w-]+)<=", text, re.MULTILINE)}
    return {IMPORTED.get(name, name) for name in names}


def need(program: Program) -> None:
    """Leave a program out whose library is not here, or fail if it is required."""
    if importlib.util.find_spec(program.library) is not None:
        return
    why = f"{program.name}: {program.library} is not installed (make ecosystem installs it)"
    if program.library in required(os.environ.get("FEDFUTURES_REQUIRE_ECOSYSTEM", "")):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def run(program: Program, way: str) -> Ended:
    """Run a program one way."""
    start = functools.partial(launch, "-n", "2") if way == "launched" else python
    return start(f"{program.name}.py", way, cwd=PROGRAMS, env=ONE_THREAD, seconds=SECONDS)


@functools.cache
def right(program: Program) -> Ended:
    """Return what a program prints if each call is made at once, in its own process."""
    ended = run(program, "serial")
    assert ended.code == 0, ended.err
    assert ended.out.count("\n") > 2
    return ended


@pytest.mark.host
@pytest.mark.parametrize("way", ["executor", "launched"])
@pytest.mark.parametrize("program", ALL, ids=lambda program: program.name)
def test_a_program_prints_what_it_prints_serially(program: Program, way: str) -> None:
    need(program)
    ended = run(program, way)
    assert ended.code == 0, ended.err
    assert ended.out == right(program).out
    assert ended.err == right(program).err


def test_each_program_is_in_the_list_and_its_library_in_a_file_of_requirements() -> None:
    helpers = {"ways"}
    assert {path.stem for path in PROGRAMS.glob("*.py")} - helpers == {program.name for program in ALL}
    assert {program.library for program in ALL} <= required("all")


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left out where it is wanted by nobody, and a failure where CI counts on it."""
    missing = Program("nowhere", "dask")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("FEDFUTURES_REQUIRE_ECOSYSTEM", raising=False)
    with pytest.raises(pytest.skip.Exception, match="nowhere: dask is not installed"):
        need(missing)
    monkeypatch.setenv("FEDFUTURES_REQUIRE_ECOSYSTEM", "small")
    with pytest.raises(pytest.fail.Exception, match="nowhere: dask is not installed"):
        need(missing)
    with pytest.raises(pytest.skip.Exception, match="torch"):
        need(Program("tensors", "torch"))
