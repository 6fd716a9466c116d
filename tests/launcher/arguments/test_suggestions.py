"""What a user may have meant: options behind the program, slips of the pen."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, write

from fedfutures_launcher.arguments.suggestions import behind_the_program


@pytest.mark.parametrize(
    ("rest", "given", "text", "found"),
    [
        ("-n 2", "", "print(1)", ["-n 2"]),
        ("x -n2 --tunnel --hosts a", "", "print(1)", ["-n2", "--tunnel", "--hosts a"]),
        ("--hostfile=x", "", "", ["--hostfile=x"]),
        ("-n 2", "-n", "", []),  # given in front, so the second is meant for the program
        ("-n 2", "", 'parser.add_argument("-n", type=int)', []),
        ("-n 2", "", '"""Usage: prog.py [-n COUNT]"""', []),
        ("-n 2", "", "x = y-n", ["-n 2"]),  # no option
        ("-n 2", "", "import typer\n", []),
        ("-- -n 2", "", "", []),
        ("-v --path x --debug", "", "", []),  # many programs have these
    ],
)
def test_options_behind_the_program(rest: str, given: str, text: str, found: list[str]) -> None:
    assert behind_the_program(rest.split(), given.split(), text) == found


@pytest.mark.host
def test_it_is_said_once_and_the_program_gets_them(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "import sys\nprint(sys.argv[1:])\n")
    ended = launch("-n", "1", "prog.py", "--tunnel", "-n", "2", cwd=tmp_path)
    assert ended.out == "['--tunnel', '-n', '2']\n"
    assert ended.err == (
        "fedfutures: --tunnel stands behind prog.py, so prog.py gets it; options of fedfutures stand in front\n"
    )
    assert launch("-q", "prog.py", "--tunnel", cwd=tmp_path).err == ""


@pytest.mark.host
def test_a_slip_of_the_pen_in_the_program(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "")
    ended = launch("progg.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith(
        "can't open file 'progg.py': [Errno 2] No such file or directory; did you mean prog.py?\n"
    )
    assert "did you mean" not in launch("elsewhere/x.py", cwd=tmp_path).err
