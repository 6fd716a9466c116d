"""Errors of Futures on a host that does not have the program's files: its lines are shown, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from launching import Running, write

pytestmark = pytest.mark.host

HERE = Path(__file__).resolve().parent
PROGRAM = """
    import json
    import linecache
    import os
    import sys

    sys.path.insert(0, sys.argv[1])
    from code_hosts import Hosts

    def outer(number):
        return inner(number)

    def inner(number):
        return 1 / number  # the program's line

    def here(number):
        import traceback
        try:
            inner(number)
        except ZeroDivisionError:
            return traceback.format_exc()

    def reads():
        return open("small.csv").read()

    def lists():
        return os.listdir("/nowhere/at/all")

    def told(function, *args):
        try:
            hosts.call(function, *args)
        except Exception as error:
            return [type(error).__name__, str(error), getattr(error, "__notes__", []), error.__cause__.text]

    if True:  # no main guard: functions go by value
        hosts = Hosts(sys.argv[2])
        linecache.getlines(__file__)
        with open(__file__, "w") as file:  # from now on, what stands under this name is as if of another host
            file.write("wrong line\\n" * 80)
        found = {
            "outer": told(outer, 0),
            "lambda": told(lambda number: 1 / number, 0),  # the lambda's line
            "reads": told(reads),
            "lists": told(lists),
            "here": hosts.call(here, 0),
        }
        hosts.end()
        print(json.dumps(found))
    """


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program finds. To Workers, a file of the program's name has other lines."""
    place, elsewhere = tmp_path_factory.mktemp("program"), tmp_path_factory.mktemp("elsewhere")
    write(place / "program.py", PROGRAM)
    ended = Running([str(place / "program.py"), str(HERE), str(elsewhere)], cwd=elsewhere, fedfutures=False).end()
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return {**found, "elsewhere": str(elsewhere)}


def test_the_lines_are_the_programs(found: dict[str, Any]) -> None:
    _, _, notes, text = found["outer"]
    assert re.search(r'program.py", line \d+, in outer\n    return inner\(number\)\n', text), text
    assert re.search(r"in inner\n    return 1 / number  # the program's line\n", text), text
    assert re.fullmatch(r"in outer\(number=0\), on h2\.[12]", notes[0])
    assert "# the lambda's line" in found["lambda"][3]
    assert "wrong line" not in json.dumps(found)


def test_a_missing_file_names_host_directory_and_next_step(found: dict[str, Any]) -> None:
    kind, text, notes, _ = found["reads"]
    assert (kind, text) == ("FileNotFoundError", "[Errno 2] No such file or directory: 'small.csv'")
    assert notes[1] == (
        f"on host h2, in {found['elsewhere']}; to read a file of the program's host, call "
        "fedfutures.shared.file('small.csv') in the program and here"
    )
    assert "shared.file('/nowhere/at/all')" in found["lists"][2][1]
