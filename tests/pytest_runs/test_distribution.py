"""``pytest --fed``: what a suite says and writes is what it says and writes in one process."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from suites import MIXED, both, lay_out, run, without_places

pytestmark = pytest.mark.host


def cases(path: Path) -> list[tuple[str, str, list[str]]]:
    """Return of each test case in a file of JUnit's kind its class, its name, and what is in it."""
    return [
        (case.get("classname", ""), case.get("name", ""), sorted(part.tag for part in case))
        for case in ElementTree.parse(path).iter("testcase")
    ]


def test_a_suite_says_the_same(tmp_path: Path) -> None:
    one, two = both(tmp_path, MIXED, "-rA", "--durations=1", "--durations-min=100", "--junitxml=report.xml")
    assert without_places(two.out.replace(f"{tmp_path}/two", f"{tmp_path}/one")) == without_places(one.out)
    assert (one.err, two.err) == ("", "")
    assert one.code == two.code == 1
    assert "fedfutures: 2 Workers\n" in two.out
    found = [cases(tmp_path / name / "report.xml") for name in ("one", "two")]
    assert found[0] == found[1]
    assert len(found[0]) == 44


def test_coverage_is_that_of_all_processes(tmp_path: Path) -> None:
    pytest.importorskip("pytest_cov")
    one, two = both(tmp_path, MIXED, "-q", "--cov=.", "--cov-report=term-missing", "-k", "number")
    assert without_places(two.out) == without_places(one.out)
    assert "TOTAL" in two.out


def test_hosts_that_cannot_be_reached(tmp_path: Path) -> None:
    lay_out(tmp_path, {"test_it.py": "def test_it(): pass\n"})
    ended = run(tmp_path, "-q", "--fed-options=--allow-root", "--fed-hosts", "nowhere.invalid")
    assert ended.code == 4
    assert "ERROR: no host is left that could have Workers" in ended.err
    assert "Traceback" not in ended.out + ended.err
