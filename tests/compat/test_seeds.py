"""Programs of the five systems that fedfutures comes from: with one import changed, and with no line changed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually, launch, python

from fedfutures.standing import places

pytestmark = pytest.mark.host
PROGRAMS = Path(__file__).parent / "programs"
FIB = "{0: 0, 1: 1, 2: 1, 3: 2, 4: 3, 5: 5, 6: 8, 7: 13, 8: 21, 9: 34, 10: 55, 11: 89}"
PRIMES = """\
up to 100
 Sum of primes below 100 is 1060
up to 1000
 Sum of primes below 1000 is 76127
up to 1010
 Sum of primes below 1010 is 77136
Sum of primes from 10 to 100 is 1043
up to 10
 [('below', 17)] None
"""
CASES = {
    "scoop_squares.py": [
        "[0, 1, 4, 9, 16] [0, 1, 4, 9, 16]", "30 [0, 1, 5, 14, 30]", "10 None", "4 0 [0, 0, 1, 5]",
        "True True 2 origin True",
    ],
    "pp_primes.py": [*PRIMES.splitlines()[:-1], "ValueError: no primes", "1 ['local'] 6",
                     "Cannot submit jobs: server instance has been destroyed"],
    "mpi4py_pool.py": ["2 [0, 2, 6, 12, 20]", "[0, 1, 4, 9, 16] [3, 13]", "[1, 2, 5]", "[49]"],
    "zeppy_sample.py": ["[0.01, 0.02, 0.03]", "[0.25, '****ERROR****', 0.5]", "[0.5, 0.5]"],
    "ezpool_quick.py": ["Worker PYRO:worker@localhost:21001 is available", f"True {FIB}"],
}  # fmt: skip
"""By program, lines that it prints."""


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def with_import_changed(text: str) -> str:
    """Return a program that imports the layer instead of the other system."""
    text = re.sub(
        r"^from (scoop|pp|zeppy|ezpool|seppo|mpi4py\.futures) import",
        r"from fedfutures.compat.\1 import",
        text,
        flags=re.M,
    )
    return re.sub(r"^import (scoop|pp|zeppy|ezpool|seppo)$", r"from fedfutures.compat import \1", text, flags=re.M)


@pytest.fixture(params=["import", "as"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Return the options, for programs in `tmp_path`, where one import is changed unless `--as` says the same."""
    for program in PROGRAMS.glob("*.py"):
        text = program.read_text()
        if request.param == "import":
            text = with_import_changed(text)
        (tmp_path / program.name).write_text(text)
    return ["--as"] if request.param == "as" else []


def options(way: list[str], program: str) -> list[str]:
    return [*way, program.partition("_")[0]] if way else []


@pytest.mark.parametrize("program", CASES)
def test_a_program_runs(way: list[str], program: str, tmp_path: Path) -> None:
    ended = launch(*options(way, program), "-n", "2", program, cwd=tmp_path)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert [line for line in CASES[program] if line not in lines] == []


@pytest.mark.parametrize("mode", ["serial", "parallel", "distributed"])
def test_one_program_in_three_modes(way: list[str], mode: str, tmp_path: Path) -> None:
    more = ["--ncpu", "2"] if mode == "parallel" else []
    ended = launch(
        *options(way, "ezpool_"), "-n", "2", "ezpool_modes.py", "-m", mode, "-t", "5", "7", *more, cwd=tmp_path
    )
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "{5: 5, 7: 13}"), ended.err
    shown = re.findall(
        r"^Computation process \((\d)/2 - ([\d.]+)%\) - Elapsed time [\d.]+\.\.\.\t\tSUCCESS$", ended.out, re.M
    )
    assert shown == ([] if mode == "distributed" else [("1", "50.0"), ("2", "100.0")])


def test_a_program_with_its_import_changed_needs_no_launcher(tmp_path: Path) -> None:
    for program in ("pp_primes.py", "ezpool_quick.py"):
        (tmp_path / program).write_text(with_import_changed((PROGRAMS / program).read_text()))
        ended = python(program, cwd=tmp_path)
        assert ended.code == 0, ended.err
        lines = ended.out.splitlines()
        assert [line for line in CASES[program] if line not in lines] == []


@pytest.fixture
def servers(way: list[str], tmp_path: Path) -> Iterator[list[Running]]:
    started = []
    for _ in range(2):
        words = [*options(way, "seppo_"), "seppo_server.py"] if way else ["seppo_server.py"]
        started.append(
            Running(words, cwd=tmp_path, fedfutures=bool(way), env={"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]})
        )
    yield started
    for one in started:
        if one.process.poll() is None:
            os.kill(one.process.pid, signal.SIGINT)
        assert one.end().code == 0
        assert one.gone()


def test_two_servers_of_seppo(way: list[str], servers: list[Running], tmp_path: Path) -> None:
    assert eventually(lambda: len(places.names()) == 2, 20.0)
    run = launch if way else python
    ended = run(*options(way, "seppo_"), "seppo_simple.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    found = re.findall(
        r"^hello world from .*, process (\d+) \(input=([\d.]+), value\*value=([\d.]+)\)$", ended.out, re.M
    )
    assert [(float(value), float(square)) for _, value, square in found] == [(n, n * n) for n in range(1, 6)]
    pids = [pid for pid, _, _ in found]
    assert pids == [pids[0]] * 3 + [pids[3]] * 2
    assert pids[0] != pids[3]


def test_without_a_server_seppo_says_how_to_start_one(tmp_path: Path) -> None:
    for name in ("seppo_simple.py", "example_module.py"):
        (tmp_path / name).write_text(with_import_changed((PROGRAMS / name).read_text()))
    ended = python("seppo_simple.py", cwd=tmp_path)
    assert ended.code == 1
    assert (
        "SeppoNoWorkersError: no server is there; start one in another shell: python -m fedfutures.compat.seppo"
        in ended.err
    )
