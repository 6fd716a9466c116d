"""The battery of what a Future sees, on hosts that share the program's files and on hosts that do not."""

from __future__ import annotations

import textwrap

import pytest
from launching import python, write
from program import battery

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    place = tmp_path_factory.mktemp("reference")
    battery.write_beside(place)
    ended = python(str(write(place / "prog.py", battery.program(battery.CASES))), "reference", cwd=place)
    assert (ended.code, ended.err) == (0, "")
    return ended.out.splitlines()


@pytest.mark.parametrize("guard", [True, False], ids=["guarded", "unguarded"])
@pytest.mark.parametrize("client", ["paramiko"], indirect=True)
@pytest.mark.parametrize("ground", ["loopback", "network"], indirect=True)
def test_futures_see_the_program_on_other_hosts(ground, expected, guard):
    for name, text in battery.BESIDE.items():
        ground.write(name, textwrap.dedent(text))
    ended = ground.launch("-n", "4", ground.write("prog.py", battery.program(battery.CASES, guard)), "launched")
    assert ended.out.splitlines() == expected, ended.err
    assert ended.code == 0
