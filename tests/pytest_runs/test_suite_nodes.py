"""Numbers of processes, and what plug-ins see."""

from __future__ import annotations

import pytest

from fedfutures.pytest.suite_nodes import Numbers, SuiteNode


def test_each_worker_has_one_number() -> None:
    numbers = Numbers()
    for worker in ("h1.2", "h2.1", "h1.2"):
        numbers.give(worker)
    assert numbers.all() == {"h1.2": 0, "h2.1": 1}


def test_a_plug_in_finds_the_names_of_xdist(pytestconfig: pytest.Config) -> None:
    node = SuiteNode(pytestconfig, "gw1", {"key": 1})
    assert (node.gateway.id, node.workeroutput) == ("gw1", {"key": 1})
    assert node.nodemanager.roots == [str(pytestconfig.rootpath)]
