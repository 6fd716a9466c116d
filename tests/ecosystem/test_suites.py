"""The test suite of another project, in Workers: as many tests pass as in one process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from suites import run

from .test_programs import Program, need

pytestmark = [pytest.mark.host, pytest.mark.once]
SUITES = {"numpy": "numpy.polynomial", "joblib": "joblib.test.test_hashing", "sklearn": "sklearn.metrics.cluster"}


def counts(text: str) -> dict[str, int]:
    """Return the numbers of the last line: how many have passed, failed..."""
    return {
        word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|x\w+)", text.splitlines()[-1])
    }


@pytest.mark.parametrize("library", SUITES)
def test_a_suite_passes(library: str, tmp_path: Path) -> None:
    need(Program("suites", library))
    one, two = (run(tmp_path, "-q", *more, "--pyargs", SUITES[library]) for more in ([], ["--fed", "2"]))
    assert counts(two.out) == counts(one.out)
    assert counts(two.out)["passed"] > 20
    assert two.code == one.code == 0, two.out
