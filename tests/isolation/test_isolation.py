"""What Futures find around them, what they leave behind, and what locks they may hold while they wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, python

pytestmark = pytest.mark.host
HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["apart.py", "locked.py"])
@pytest.mark.parametrize(
    "how", ["2", pytest.param("1", marks=pytest.mark.once), pytest.param("executor", marks=pytest.mark.once)]
)
def test_every_case_is_right(name: str, how: str) -> None:
    program = str(HERE / name)
    ended = python(program, "executor") if how == "executor" else launch("-n", how, "--no-prefix", program)
    lines = [line for line in ended.out.splitlines() if not line.startswith("said by a child")]
    assert [line for line in lines if not line.endswith(": right")] == []
    assert (ended.code, ended.err) == (0, "")
    assert len(lines) == program_cases(program)


def program_cases(program: str) -> int:
    """How many cases a program has."""
    text = Path(program).read_text()
    return text[text.index("CASES = {") : text.index("if __name__")].count("\n    ")
