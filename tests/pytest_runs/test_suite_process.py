"""The process that a Worker has for a suite, here without a Worker."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import eventually
from suites import lay_out

from fedfutures import shared
from fedfutures.pytest import suite_process
from fedfutures.pytest.suite import NOW, SOON, Exit, Portion, Suite, stop_of
from fedfutures.pytest.suite_process import end_suite, run_portion

pytestmark = pytest.mark.host
NUMBERS = {"origin": 3}
OPTIONS = "fedfutures_launcher.pytest_plugin"
SUITE = {
    "test_it.py": """
        import ctypes, os, time
        import pytest

        @pytest.fixture(scope="session")
        def session(worker_id, testrun_uid):
            print(worker_id, os.environ["PYTEST_XDIST_WORKER"], testrun_uid)
            yield
            raise RuntimeError("the session ends badly")

        @pytest.fixture(scope="module")
        def module():
            yield
            raise RuntimeError("the module ends badly")

        def test_a(session, module): print("ran", os.getpid())
        def test_b(): print("ran", os.getpid())
        def test_fails(): assert 0
        def test_slow(): time.sleep(60)
        def test_dies(): os._exit(3)
        def test_is_killed(): os.kill(os.getpid(), 9)
        def test_leaves_a_child():
            if not os.fork():
                time.sleep(5)
            os._exit(4)
        def test_exits(): pytest.exit("enough", 7)
        def test_interrupts(): raise KeyboardInterrupt
        def test_half(): time.sleep(0.5)
        class Odd(Exception):
            def __reduce__(self): raise TypeError("not to be sent")
        def test_odd(record_property): record_property("odd", Odd())
    """,
    "test_other.py": "def test_c(): pass\n",
}


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    lay_out(tmp_path, SUITE)
    monkeypatch.setitem(vars(suite_process), "_process", None)
    yield Suite(tmp_path.name, ["-q", "-p", "no:hypothesispytest"], str(tmp_path), sys.path, OPTIONS, "", 1)
    process = vars(suite_process)["_process"]
    if process is not None:
        process.kill()
    shared.set(**{stop_of(tmp_path.name): None})


def portion(*names: str, following: str = "test_it.py::test_half", **more: Any) -> Portion:
    return Portion([f"test_it.py::{name}" for name in names], following, **more)


def outcomes(results: list[Any]) -> list[Any]:
    """Of each test, the outcomes of its reports, or what there is instead."""
    found: list[Any] = []
    for result in results:
        said = pickle.loads(result) if isinstance(result, bytes) else result
        found.append([data["outcome"] for kind, data in said] if isinstance(said, list) else said)
    return found


def printed(result: Any) -> str:
    return "".join(text for _, data in pickle.loads(result) for _, text in data["sections"])


def test_a_worker_asks_for_a_number_first(suite: Suite) -> None:
    assert run_portion(suite, {}, portion("test_a")).needs_number
    assert outcomes(run_portion(suite, NUMBERS, portion("test_a")).results) == [["passed"] * 3]


def test_fixtures_stay_until_another_test_does_not_need_them(suite: Suite) -> None:
    first = run_portion(suite, NUMBERS, portion("test_a", following="test_it.py::test_b"))
    assert printed(first.results[0]).startswith("gw3 gw3 ")
    second = run_portion(suite, NUMBERS, portion("test_b", "test_fails", following="test_other.py::test_c"))
    assert outcomes(second.results) == [["passed"] * 3, ["passed", "failed", "failed"]]  # its module ends with it
    assert printed(first.results[0]).split()[-1] == printed(second.results[0]).split()[-1]  # one process


def test_the_only_test_of_a_suite_ends_all_fixtures(suite: Suite) -> None:
    found = run_portion(
        suite._replace(arguments=["-q", "test_it.py::test_a"]), NUMBERS, portion("test_a", following="")
    )
    assert outcomes(found.results) == [["passed", "passed", "failed"]]
    assert "the session ends badly" in str(pickle.loads(found.results[0])[-1][1]["longrepr"])


def test_what_ends_late_is_an_error_of_the_test_before(suite: Suite) -> None:
    run_portion(suite, NUMBERS, portion("test_a", following="test_it.py::test_b"))
    other = run_portion(suite, NUMBERS, Portion(["test_other.py::test_c"], "test_it.py::test_a"))
    said = pickle.loads(other.results[0])
    assert [(data["nodeid"], data["outcome"]) for _, data in said] == [
        ("test_it.py::test_a", "failed"), *[("test_other.py::test_c", "passed")] * 3,
    ]  # fmt: skip
    said, output = pickle.loads(end_suite(suite).last or b"")
    assert [data["nodeid"] for _, data in said] == ["test_other.py::test_c"]
    assert "the session ends badly" in str(said[0][1]["longrepr"])
    assert output == {}


@pytest.mark.parametrize(("test", "how"), [
    ("test_dies", "ended with code 3"), ("test_is_killed", "was killed by SIGKILL"),
    ("test_leaves_a_child", "ended with code 4"),
])  # fmt: skip
def test_another_process_goes_on_where_one_has_died(suite: Suite, test: str, how: str) -> None:
    found = run_portion(suite, NUMBERS, portion("test_b", test, "test_a"))
    assert outcomes(found.results) == [["passed"] * 3, f"the pytest process {how} in this test"]
    assert outcomes(run_portion(suite, NUMBERS, portion("test_a")).results) == [["passed"] * 3]


@pytest.mark.parametrize(("test", "exit"), [
    ("test_exits", Exit("enough", 7, False)), ("test_interrupts", Exit("", None, True)),
])  # fmt: skip
def test_a_test_may_end_the_run(suite: Suite, test: str, exit: Exit) -> None:
    found = run_portion(suite, NUMBERS, portion("test_a", test, "test_b"))
    assert outcomes(found.results) == [["passed"] * 3, exit]
    assert found.last is not None
    assert not found.trouble
    assert end_suite(suite).last is None


def test_a_portion_ends_at_a_failure_if_that_is_wanted(suite: Suite) -> None:
    tests = ("test_fails", "test_a")
    assert len(run_portion(suite, NUMBERS, portion(*tests, ends_at_failure=True)).results) == 1
    assert len(run_portion(suite, NUMBERS, portion(*tests)).results) == 2


def test_a_portion_that_takes_long_comes_back(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_process, "LONG_PORTION_SECONDS", 0.1)
    assert len(run_portion(suite, NUMBERS, portion("test_half", "test_a")).results) == 1


@pytest.mark.parametrize("stop", [SOON, NOW])
def test_a_portion_can_be_stopped(suite: Suite, stop: str) -> None:
    run_portion(suite, NUMBERS, portion("test_b"))
    timer = threading.Timer(0.3, lambda: shared.set(**{stop_of(suite.run): stop}))
    timer.start()
    test = "test_half" if stop == SOON else "test_slow"
    results = outcomes(run_portion(suite, NUMBERS, portion(test, "test_a")).results)
    timer.join()
    assert results == ([["passed"] * 3] if stop == SOON else [Exit("", None, True)])


def test_a_process_that_begins_is_killed_at_a_stop(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    shared.set(**{stop_of(suite.run): NOW})
    Path(suite.directory, "conftest.py").write_text("import time\ntime.sleep(60)\n")
    assert "was killed by SIGKILL before it had the tests" in run_portion(suite, NUMBERS, portion("test_a")).trouble
    assert capfd.readouterr().err == ""


def test_what_cannot_be_sent_fails_the_test(suite: Suite) -> None:
    (result,) = run_portion(suite, NUMBERS, portion("test_odd")).results
    assert result == "the reports of this test cannot be pickled: TypeError: not to be sent"


def test_a_test_that_is_not_there_says_why(suite: Suite) -> None:
    Path(suite.directory, "test_it.py").write_text("import not_here\n")
    (result,) = run_portion(suite, NUMBERS, portion("test_a")).results
    assert "No module named 'not_here'" in str(result)
    assert str(result).endswith("it must find the same tests as others do")


def test_a_process_that_cannot_begin_says_why(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    missing = run_portion(suite._replace(arguments=["nowhere.py"]), NUMBERS, portion("test_a"))
    assert "file or directory not found: nowhere.py" in missing.trouble
    assert eventually(lambda: not vars(suite_process)["_process"].is_alive(), 20.0)
    assert capfd.readouterr().err == "", "the Worker says it"
    Path(suite.directory, "conftest.py").write_text("import not_here\n")
    broken = run_portion(suite._replace(run="other"), NUMBERS, portion("test_a"))
    assert broken.trouble == "the pytest process ended with code 4 before it had the tests; what it printed says why"
    assert "not_here" in capfd.readouterr().err


def test_another_run_has_another_process(suite: Suite) -> None:
    pids = [
        printed(run_portion(suite._replace(run=run), NUMBERS, portion("test_b")).results[0]).split()[-1]
        for run in ("one", "one", "two")
    ]
    assert pids[0] == pids[1] != pids[2]
    assert not os.path.exists(f"/proc/{pids[0]}")
