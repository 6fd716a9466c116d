"""``scoop.futures`` and the module's constants, in a program without a launcher; launched ones: test_seeds.py."""

from __future__ import annotations

import operator

import pytest

from fedfutures.compat import scoop
from fedfutures.compat.scoop import futures, shared
from fedfutures.errors import NotSupportedHere

pytestmark = pytest.mark.filterwarnings("ignore")


def test_each_call_of_its_documents() -> None:
    assert list(futures.map(pow, [2, 3], [5, 2], timeout=9, parallelLevel=2)) == [32, 9]
    assert sorted(futures.map_as_completed(abs, [-1, 2], timeout=9)) == [1, 2]
    assert futures.mapReduce(abs, operator.add, [-10, 20, 30]) == 60
    assert futures.mapScan(abs, operator.add, [-10, 20, 30]) == [10, 30, 60]
    future = futures.submit(pow, 2, 5)
    assert future.result() == 32
    for timeout in (-1, None, 0, 5):
        done, not_done = futures.wait([future], timeout, futures.ALL_COMPLETED)
        assert (done, not_done) == ({future}, set())
    assert list(futures.as_completed([future], timeout=1)) == [future]
    assert vars(futures)["_startup"](max, 3, 4) == 4, "what SCOOP's own tests call"
    futures.shutdown(wait=False)
    assert futures.submit(abs, -1).result() == 1, "shutdown does nothing, as in SCOOP"


def test_a_reduction_has_no_timeout() -> None:
    with pytest.raises(NotSupportedHere, match="time_limit"):
        futures.mapReduce(abs, operator.add, [1], timeout=3)


def test_constants() -> None:
    shared.setConst(one=1, function=abs)
    assert (shared.getConst("one"), shared.getConst("function")(-2)) == (1, 2)
    assert shared.getConst("none of them", timeout=0.01) is None


def test_what_programs_ask_about_the_process() -> None:
    assert (scoop.IS_ORIGIN, scoop.IS_RUNNING, scoop.SIZE) == (True, False, 0)
    name, broker = scoop.worker
    assert (name, scoop.WORKER_NAME, scoop.BROKER_NAME) == ("origin", "origin", broker)
    assert scoop.BROKER.hostname == broker.partition(".")[0]
    assert scoop.BROKER._fields == ("hostname", "task_port", "info_port", "externalHostname")
    assert scoop.logger.name == "fedfutures"
    assert isinstance(scoop.MAIN_MODULE, str)
    assert (scoop.DEBUG, scoop.SHUTDOWN_REQUESTED, scoop.CONFIGURATION, scoop.VALID) == (False, False, {}, True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = scoop.nothing
    assert [name for name in scoop.__all__ if not hasattr(scoop, name)] == []
