"""What a program sees, whichever hosts it runs on, whichever ssh client has started them, whichever way links go."""

from __future__ import annotations

import pytest

from . import programs

pytestmark = pytest.mark.host


def write_everything(ground):
    prog = ground.write("prog.py", programs.EVERYTHING)
    ground.write("helpers.py", programs.HELPERS)
    ground.write("package/__init__.py", programs.PACKAGE)
    ground.write("package/inner.py", programs.INNER)
    ground.write("table.csv", "a,b\n")
    return prog


@pytest.mark.parametrize("way", [[], ["--tunnel"]], ids=["ports", "tunnel"])
def test_everything(ground, way):
    prog = write_everything(ground)
    ended = ground.launch("-n", "6", *way, prog, "one", "--two")
    assert ended.out == programs.EVERYTHING_PRINTS, ended.err
    assert ended.code == 0


def test_workers_are_on_all_hosts(ground):
    prog = ground.write("prog.py", programs.CENSUS_OF_WORKERS)
    ended = ground.launch("-n", "8", prog, str(len(ground.hosts)))
    assert ended.out.splitlines() == ["size 8", " ".join(["hosts", *ground.hosts])], ended.err
    assert ended.code == 0
