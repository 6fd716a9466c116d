"""The processes beside a program that other hosts work for are killed: the run goes on, and the hosts with it."""

from __future__ import annotations

import pytest
from lab import Machine, Rootless
from lab.machines import wait_until

from . import programs
from .ground import Ground

pytestmark = pytest.mark.host
GONE_SECONDS = 2.0
AT_ONCE = """
            kill(kinds)
            sys.exit(3)
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two hosts."""
    with Rootless([Machine("h1"), Machine("h2")], tmp_path_factory.mktemp("pair")) as lab:
        yield lab


@pytest.fixture
def ground(pair, client, tmp_path):
    ground = Ground(pair, ["localhost", "h1", "h2"], str(tmp_path), client)
    yield ground
    wait_until(lambda: not ground.left(), "everything is gone", GONE_SECONDS)


@pytest.mark.parametrize("client", ["openssh"])
def test_each_and_both_are_started_again_and_nothing_is_lost(ground, tmp_path):
    """Each time the program goes on until a file of that name is there."""
    back = ["host h1: connected again", "host h2: connected again"]
    host = "the host process was killed (signal SIGKILL); it is started again"
    connector = "the connector was killed (signal SIGKILL); another one logs in to the hosts again"
    kinds = {"host": [host], "connector": [connector, *back], "host+connector": [host, connector, *back]}
    prog = ground.write("prog.py", programs.KILLS)
    process = ground.start("-v", "-n", "3", prog, str(tmp_path), *kinds)
    said = ""
    for kind, texts in kinds.items():
        news = ground.read_until(process, *texts)
        said += news
        assert (connector in news) == ("connector" in kind)
        assert any(text in news for text in back) == ("connector" in kind), "other hosts notice nothing else"
        (tmp_path / kind).touch()
    ended = ground.finish(process)
    assert (ended.code, ended.out) == (0, "hosts 3 wrong 0\n"), said + ended.err


@pytest.mark.parametrize("client", ["paramiko"])
def test_hosts_hear_of_the_end_though_the_connector_was_killed_just_before(ground):
    prog = ground.write("prog.py", programs.KILLS.replace("            kill(kinds)\n", AT_ONCE))
    ended = ground.launch("-n", "3", prog, "", "connector")
    assert (ended.code, ended.out) == (3, ""), ended.err
    wait_until(lambda: not ground.left(), "everything is gone", GONE_SECONDS)
