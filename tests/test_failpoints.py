"""Failpoints: off they are not there; on they act, and a run in which they act loses nothing and breaks no law."""

from __future__ import annotations

import json
from pathlib import Path

import journal
import pytest
from launching import python, write

from fedfutures import failpoints

AT_LEAST = 30

ALL = """
    import importlib, json, pkgutil
    import fedfutures, fedfutures_launcher
    from fedfutures import failpoints
    for package in (fedfutures, fedfutures_launcher):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    print(json.dumps(failpoints.POINTS))
"""


def test_there_are_many_of_each_kind(tmp_path: Path) -> None:
    points = json.loads(python(str(write(tmp_path / "all.py", ALL))).out)
    assert len(points) >= AT_LEAST
    assert set(points.values()) == {"delays", "loses", "repeats", "fails", "shortens"}


def test_where_they_are_off_a_function_is_as_it_was() -> None:
    def function() -> None: ...

    for decorate in (
        failpoints.delayed("a"),
        failpoints.lost("b"),
        failpoints.repeated("c"),
        failpoints.failing("d", 1),
    ):
        assert decorate(function) is function
    assert failpoints.size("e", 99) == 99
    for name in "abcde":
        del failpoints.POINTS[name]


EACH = """
    from fedfutures import failpoints

    calls = []
    add = failpoints.repeated("twice")(failpoints.lost("lost")(calls.append))
    for number in range(2000):
        add(number)
    failed = 0
    fails = failpoints.failing("fails", 28)(lambda: None)
    for number in range(2000):
        try:
            fails()
        except OSError as error:
            failed += error.errno == 28
    print(len(calls) > len(set(calls)), len(set(calls)) < 2000, 0 < failed < 1000, failpoints.size("few", 1 << 16))
    print(failpoints.lost("unchosen")(calls.append) == calls.append)
"""


def test_each_does_what_it_says_now_and_then_and_writes_that_down(tmp_path: Path) -> None:
    log = tmp_path / "log"
    chosen = {"FEDFUTURES_FAILPOINTS": "seed:twice,lost,fails,few", "FEDFUTURES_FAILPOINTS_LOG": str(log)}
    ended = python(str(write(tmp_path / "each.py", EACH)), env=chosen)
    assert ended.out.split() == ["True", "True", "True", "61", "True"], ended.err
    assert set(log.read_text().split()) == {"twice", "lost", "fails", "few"}


PROGRAM = """
    import numpy
    from fedfutures import Executor, futures

    def square(number):
        return number * number

    def family(count):
        return sum(future.result() for future in [futures.submit(square, number) for number in range(count)])

    def fails(number):
        raise KeyError(number)

    if __name__ == "__main__":
        with Executor(3) as executor:
            small = [executor.submit(square, number) for number in range(500)]
            nested = [executor.submit(family, 20) for _ in range(5)]
            large = [executor.submit(numpy.negative, numpy.full(100_000, number)) for number in range(20)]
            wrong = [executor.submit(fails, number) for number in range(20)]
            assert [future.result(60) for future in small] == [number**2 for number in range(500)]
            assert [future.result(60) for future in nested] == [family(20)] * 5
            assert all((future.result(60) == -number).all() for number, future in enumerate(large))
            assert [future.exception(60).args for future in wrong] == [(number,) for number in range(20)]
            assert list(executor.map(square, range(1000), timeout=60)) == [number**2 for number in range(1000)]
"""


@pytest.mark.host
@pytest.mark.parametrize("seed", ["a", "b"])
def test_a_run_in_which_they_act_loses_nothing(tmp_path: Path, seed: str) -> None:
    notes, log = tmp_path / "journal", tmp_path / "log"
    notes.mkdir()
    env = {
        "FEDFUTURES_FAILPOINTS": seed, "FEDFUTURES_FAILPOINTS_LOG": str(log), "FEDFUTURES_JOURNAL": str(notes),
    }  # fmt: skip
    ended = python(str(write(tmp_path / "program.py", PROGRAM)), env=env)
    assert ended.code == 0, ended.err
    assert journal.broken(journal.read([notes])) == []
    assert len(set(log.read_text().split())) > 2
