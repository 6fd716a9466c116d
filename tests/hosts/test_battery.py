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


def see_everything(ground, *way):
    ended = ground.launch("-n", "6", *way, write_everything(ground), "one", "--two")
    assert ended.out == programs.EVERYTHING_PRINTS, ended.err
    assert ended.code == 0


def test_everything(ground):
    see_everything(ground)


@pytest.mark.parametrize("ground", ["loopback"], indirect=True)
def test_everything_through_ssh(ground):
    see_everything(ground, "--tunnel")


@pytest.mark.parametrize("ground", ["sites"], indirect=True)
def test_workers_are_on_all_hosts(ground):
    prog = ground.write("prog.py", programs.CENSUS_OF_WORKERS)
    ended = ground.launch("-n", "8", prog, str(len(ground.hosts)))
    assert ended.out.splitlines() == ["size 8", " ".join(["hosts", *ground.hosts])], ended.err
    assert ended.code == 0
