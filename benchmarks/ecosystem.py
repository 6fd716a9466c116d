"""``python -m benchmarks.ecosystem``: what others run on, beside what they run on otherwise.

- pytest: suites with ``--fed 2``, and with ``-n 2`` of pytest-xdist: 2,000 short tests in 40 files, whose modules each
  have a fixture that takes 50 ms; and the tests of numpy.polynomial and numpy.ma;
- joblib: a warm call of ``Parallel`` with 10 items, and ``GridSearchCV`` where scikit-learn is installed, beside loky;
- Pool: ``Pool.map`` beside ``Executor.map``.

Each figure is a ratio of medians; the contestants take turns.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fedfutures

SUITE = """
import time
import pytest

@pytest.fixture(scope="module")
def data():
    time.sleep(0.05)
    return range(20_000)

@pytest.mark.parametrize("number", range(50))
def test_sum(number, data):
    assert sum(each for each in data) == 199_990_000
"""
GRID = """
import statistics
import sys
import time
import numpy
from joblib import parallel_config
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
import fedfutures.joblib

if __name__ == "__main__":
    draws = numpy.random.default_rng(0)
    points, classes = draws.normal(size=(600, 20)), draws.integers(0, 2, 600)
    grid = {"n_estimators": [20, 40], "max_depth": [2, 4, 8]}
    search = GridSearchCV(RandomForestClassifier(random_state=0), grid, cv=3)
    found = []
    with parallel_config(backend=sys.argv[1], n_jobs=2):
        for _ in range(8):
            began = time.perf_counter()
            search.fit(points, classes)
            found.append(time.perf_counter() - began)
    print(statistics.median(found[1:]))
    fedfutures.joblib.shutdown()
"""


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def ratio(name: str, ours: Callable[[], float], peer: Callable[[], float], times: int) -> str:
    """Return a line: the peer's time as parts of ours, both in turn."""
    pairs = [(ours(), peer()) for _ in range(times)]
    mine, others = (statistics.median(column) for column in zip(*pairs))
    return f"- {name}: {others / mine:.2f} of its speed ({mine:.3g} s, {others:.3g} s)"


def of_pytest(times: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        for number in range(40):
            Path(place, f"test_{number}.py").write_text(SUITE)

        def suite(*words: str) -> float:
            plain = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
            command = [sys.executable, "-m", "pytest", *plain, *words]
            return timed(lambda: subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL))

        def ours_and_theirs(*words: str) -> tuple[Callable[[], float], Callable[[], float]]:
            return lambda: suite("--fed", "2", *words), lambda: suite("-n", "2", *words)

        yield ratio("pytest --fed 2, 2,000 short tests, and pytest-xdist", *ours_and_theirs(), times)
        numpy = ours_and_theirs("--pyargs", "numpy.polynomial", "numpy.ma")
        yield ratio("pytest --fed 2, tests of numpy, and pytest-xdist", *numpy, times)


def of_joblib(times: int) -> Iterator[str]:
    from joblib import Parallel, delayed, parallel_config

    import fedfutures.joblib

    def call(backend: str) -> float:
        with parallel_config(backend=backend, n_jobs=2):
            return timed(lambda: Parallel()(delayed(abs)(number) for number in range(10)))

    for backend in ("fedfutures", "loky"):
        call(backend)
    yield ratio(
        "joblib, a warm call of 10 items, and loky", lambda: call("fedfutures"), lambda: call("loky"), 10 * times
    )
    fedfutures.joblib.shutdown()
    if importlib.util.find_spec("sklearn") is not None:
        with tempfile.TemporaryDirectory() as place:
            program = Path(place, "grid.py")
            program.write_text(GRID)

            def search(backend: str) -> float:
                return float(subprocess.check_output([sys.executable, str(program), backend]))

            yield ratio(
                "GridSearchCV of 18 fits, and loky", lambda: search("fedfutures"), lambda: search("loky"), times
            )


def of_pool(times: int) -> Iterator[str]:
    items = range(10_000)
    with fedfutures.Pool(2) as pool, fedfutures.Executor(2) as executor:
        calls = (lambda: timed(lambda: pool.map(abs, items)), lambda: timed(lambda: list(executor.map(abs, items))))
        for call in calls:
            call()
        yield ratio("Pool.map of 10,000 items, and Executor.map", *calls, 10 * times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ecosystem")
    parser.add_argument("--times", type=int, default=5, help="how often each of two takes its turn")
    parser.add_argument("--write", metavar="FILE", help="write the results there, too")
    given = parser.parse_args()
    lines = [line for part in (of_pytest, of_joblib, of_pool) for line in part(given.times)]
    text = f"Measured on a machine of two cores, {datetime.date.today()} (``python -m benchmarks.ecosystem``).\n\n"
    text += "\n".join(lines) + "\n"
    print(text)
    if given.write:
        Path(given.write).write_text(text)


if __name__ == "__main__":
    main()
