"""Every program of the battery gives the same everywhere: what a process forked at each call gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, python, write

from program import battery

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("battery")
    battery.write_beside(made)
    write(made / "guarded.py", battery.program(battery.CASES))
    write(made / "unguarded.py", battery.program(battery.CASES, guard=False))
    write(made / "serial.py", battery.program([case for case in battery.CASES if not case.cached]))
    return made


@pytest.fixture(scope="module")
def expected(place: Path) -> list[str]:
    ended = python("guarded.py", "reference", cwd=place)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert len(lines) == sum(map(battery.lines_of, battery.CASES))
    return lines


@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize("name", ["guarded.py", "unguarded.py"])
def test_launched(place: Path, expected: list[str], name: str, count: str) -> None:
    ended = launch("-n", count, name, "launched", cwd=place)
    assert (ended.out.splitlines(), ended.err, ended.code) == (expected, "", 0)


@pytest.mark.parametrize("name", ["guarded.py", "unguarded.py"])
def test_by_an_executor(place: Path, expected: list[str], name: str) -> None:
    ended = python(name, "executor", cwd=place)
    assert (ended.out.splitlines(), ended.err, ended.code) == (expected, "", 0)


def test_a_program_of_no_file(place: Path, expected: list[str]) -> None:
    text = (place / "unguarded.py").read_text()
    ended = launch("-n", "2", "-c", text, "launched", cwd=place)
    assert (ended.out.splitlines(), ended.err, ended.code) == (expected, "", 0)
    ended = launch("-n", "2", "-", "launched", cwd=place, stdin=text)
    assert (ended.out.splitlines(), ended.err, ended.code) == (expected, "", 0)


def test_serially(place: Path, expected: list[str]) -> None:
    """But for caches, which a program that runs everything in one process keeps from one value to the next."""
    cached = {str(number) for number, case in enumerate(battery.CASES) if case.cached}
    ended = python("serial.py", "serial", cwd=place)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [line for line in expected if line.split()[0] not in cached]
