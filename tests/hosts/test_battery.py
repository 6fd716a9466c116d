"""What a program sees, whichever hosts it runs on, whichever ssh client has started them, whichever way links go."""

from __future__ import annotations

import pytest

from . import programs

pytestmark = pytest.mark.host


def test_workers_are_on_all_hosts(loopback):
    prog = loopback.write("prog.py", programs.CENSUS_OF_WORKERS)
    ended = loopback.launch("-n", "6", prog)
    assert ended.out.splitlines() == ["size 6", "hosts h1 h2 h3"], ended.err
    assert ended.code == 0


@pytest.mark.parametrize("way", [[], ["--tunnel"]], ids=["ports", "tunnel"])
def test_everything(loopback, way):
    prog = loopback.write("prog.py", programs.EVERYTHING)
    loopback.write("helpers.py", programs.HELPERS)
    loopback.write("package/__init__.py", programs.PACKAGE)
    loopback.write("package/inner.py", programs.INNER)
    loopback.write("table.csv", "a,b\n")
    ended = loopback.launch("-n", "6", *way, prog, "one", "--two")
    assert ended.out == programs.EVERYTHING_PRINTS, ended.err
    assert ended.code == 0
