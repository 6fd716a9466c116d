"""A program with scikit-learn on two ssh hosts: it prints what it prints serially."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.rootless import Rootless

from tests.hosts.ground import Ground

from .test_programs import ONE_THREAD, PROGRAMS, Program, need, right

pytestmark = [pytest.mark.host, pytest.mark.once]
SEARCH = Program("sklearn_search", "sklearn")


def test_a_search_prints_the_same_on_two_hosts(rootless: Rootless, tmp_path: Path) -> None:
    need(SEARCH)
    ground = Ground(rootless, ["h1", "h2"], str(tmp_path), "paramiko", environment=ONE_THREAD)
    ended = ground.finish(ground.start("-n", "2", "sklearn_search.py", "launched", cwd=PROGRAMS), seconds=100.0)
    assert ended.code == 0, ended.err
    assert ended.out == right(SEARCH).out
    assert not ground.left()
