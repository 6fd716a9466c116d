"""What the process of the command line and the Workers say to each other."""

from __future__ import annotations

import pickle

from fedfutures.pytest.suite import Exit, Portion, PortionResults, Suite, stop_of


def test_all_of_it_can_be_sent() -> None:
    suite = Suite("run", ["-q"], "/work", ["/lib"], "module", "", 2)
    results = PortionResults("h1.1", [b"reports", "died", Exit("enough", 7, False)], 0.5)
    for value in (suite, Portion(["a::b"], ""), results):
        assert pickle.loads(pickle.dumps(value)) == value


def test_each_run_has_its_own_stop() -> None:
    assert stop_of("a") != stop_of("b")
