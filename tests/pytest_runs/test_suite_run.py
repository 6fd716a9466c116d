"""How a suite in Workers ends: after all tests, at a failure, by a test that ends its process, by Ctrl-C."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from suites import MIXED, both, lay_out, run, start, without_places

pytestmark = pytest.mark.host
CRASHES = {
    "conftest.py": """
        import os
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def session(worker_id):
            with open("begun", "a") as file:
                print(worker_id, os.getpid(), file=file)
            yield
            with open("ended", "a") as file:
                print(worker_id, os.getpid(), file=file)
    """,
    "test_it.py": """
        import os, time
        import pytest

        @pytest.mark.parametrize("number", range(40))
        def test_before(number): time.sleep(0.01)
        def test_exits(): os._exit(3)
        def test_next(): pass
        def test_kills_its_worker():
            os.kill(os.getppid(), 9)
            time.sleep(60)
        @pytest.mark.parametrize("number", range(40))
        def test_behind(number): time.sleep(0.01)
    """,
}
LONG = {
    "conftest.py": CRASHES["conftest.py"],
    "test_it.py": """
        import time
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_long(number): time.sleep(60)
    """,
}
EXIT = {
    "test_a.py": "import time\ndef test_a(): time.sleep(0.5)\n",
    "test_b.py": "import pytest\ndef test_b(): pytest.exit('enough', 7)\n",
    "test_c.py": "import pytest\n@pytest.mark.parametrize('x', range(50))\ndef test_c(x): pass\n",
}


@pytest.mark.parametrize("words", [("-x",), ("--maxfail=2",), ("--stepwise",)])
def test_failures_end_a_run_as_in_one_process(tmp_path: Path, words: tuple[str, ...]) -> None:
    one, two = both(tmp_path, MIXED, "-q", *words)
    assert without_places(two.out) == without_places(one.out)
    assert two.code == one.code
    assert "failed" in two.out


def test_the_last_failures_are_kept(tmp_path: Path) -> None:
    lay_out(tmp_path, MIXED)
    assert "6 failed, 35 passed" in run(tmp_path, "-q", "--fed", "2").out
    for words in (["--fed", "2"], []):
        assert run(tmp_path, "-q", "--lf", *words).out.splitlines()[-1].startswith("6 failed, 30 deselected, 1 error")


def test_a_test_that_ends_its_process_fails_alone(tmp_path: Path) -> None:
    lay_out(tmp_path, CRASHES)
    ended = run(tmp_path, "-q", "--fed", "2")
    assert ended.out.splitlines()[-1].startswith("2 failed, 81 passed")
    assert "the pytest process ended with code 3 in this test" in ended.out
    assert "the Worker was lost in this test: " in ended.out
    assert ended.code == 1


def test_fixtures_of_a_session_are_made_once_in_each_process(tmp_path: Path) -> None:
    lay_out(tmp_path, CRASHES)
    assert run(tmp_path, "-q", "--fed", "2", "-k", "before or behind").code == 0
    begun = (tmp_path / "begun").read_text().splitlines()
    assert sorted(line.split()[0] for line in begun) == ["gw0", "gw1"]
    assert Counter((tmp_path / "ended").read_text().splitlines()) == Counter(begun)


def test_a_test_ends_the_run(tmp_path: Path) -> None:
    one, two = both(tmp_path, EXIT, "-q")
    assert without_places(two.out) == without_places(one.out)
    assert two.code == one.code == 7


def test_ctrl_c_ends_fixtures_and_run(tmp_path: Path) -> None:
    lay_out(tmp_path, LONG)
    running = start(tmp_path, "-q", "--fed", "2")
    until = time.monotonic() + 30
    while not (tmp_path / "begun").exists() or len((tmp_path / "begun").read_text().splitlines()) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    running.process.send_signal(signal.SIGINT)
    ended = running.end(seconds=30)
    assert "KeyboardInterrupt" in ended.out
    assert ended.code == 2
    assert running.gone()
    assert Counter((tmp_path / "ended").read_text().splitlines()) == Counter(
        (tmp_path / "begun").read_text().splitlines()
    )
