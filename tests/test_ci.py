"""What ``.ci/parts.py`` makes of a part: its times, its slowest tests, and whether it kept its budget."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from lab.grid_engine import GridEngine
from lab.namespaces import NEEDS
from lab.slurm import Slurm

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = """
tests/test_one.py ..F                                                    [100%]
============================= slowest 10 durations =============================
12.50s call     tests/test_one.py::test_long[a b]
0.02s setup    tests/test_one.py::test_short
 3.00s teardown tests/test_one.py::test_other
0.30s call     tests/test_one.py::test_last
=========================== short test summary info ============================
SKIPPED [1] tests/test_one.py:19: no reason
FAILED tests/test_one.py::test_wrong[a b] - assert 1 == 2
ERROR tests/test_one.py::test_unfit
============ 1 failed, 2386 passed, 14 skipped, 1 error in 45.13s ============
45 passed, 1178 deselected in 313.16s (0:05:13)
2 failed in spirit
"""


def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the module, which is in no package."""
    spec = importlib.util.spec_from_file_location("ci_parts", ROOT / ".ci" / "parts.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ci_parts", module)
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with a record of its own, on a machine that is as fast as an idle one."""
    module = load(monkeypatch)
    monkeypatch.setattr(module, "RECORD", tmp_path / "build" / "parts.jsonl")
    monkeypatch.setattr(module, "slowness", lambda: 1.0)
    return module


def test_a_part_is_written_down_with_its_slowest_tests_and_counts(
    parts: Any, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    command = [sys.executable, "-c", f"print({OUTPUT!r})"]
    assert parts.main(["run", "pure", "0.5", *command]) == 0
    assert OUTPUT.encode() in capfdbinary.readouterr().out
    [part] = parts.recorded()
    assert [name.rpartition("::")[2] for _, name in part.slowest] == ["test_long[a b]", "test_other", "test_last"]
    assert part.counts == {"failed": 2, "passed": 2431, "skipped": 14}
    assert part.cpu_s > 0
    assert part.wall_s > 0
    assert parts.main(["report"]) == 0
    said = capfdbinary.readouterr().out.decode()
    assert "\npure " in said
    assert "12.5 s  tests/test_one.py::test_long[a b]" in said
    assert "\n    failed:   tests/test_one.py::test_wrong[a b] - assert 1 == 2\n" in said
    assert "\n    failed:   tests/test_one.py::test_unfit\n" in said
    assert said.endswith("\ntotal: 2431 passed, 2 failed, 14 skipped\n")
    parts.main(["clear"])
    assert parts.recorded() == []


def test_a_part_that_fails_fails(parts: Any) -> None:
    assert parts.main(["run", "hosts", "1", sys.executable, "-c", "raise SystemExit(3)"]) == 3
    assert parts.recorded()[0].verdict == "failed"
    assert parts.main(["report"]) == 1


@pytest.mark.parametrize(
    ("minutes", "wall_min", "slowness", "verdict", "code"),
    [
        ("4", 3.9, 1.0, "ok", 0),
        ("4", 4.5, 1.0, "within the margin", 0),
        ("4", 5.5, 1.0, "OVER BUDGET", 1),
        ("4?", 5.5, 1.0, "over budget (known)", 0),
        ("4", 7.5, 2.0, "ok", 0),  # the machine was twice as slow
        ("4", 11.0, 2.0, "OVER BUDGET", 1),
        ("4", 5.5, 0.5, "OVER BUDGET", 1),  # a faster one earns nothing
    ],
)
def test_a_part_over_its_budget_is_a_failure(
    parts: Any, minutes: str, wall_min: float, slowness: float, verdict: str, code: int
) -> None:
    assert parts.main(["run", "gate", minutes, sys.executable, "-c", ""]) == 0
    [part] = parts.recorded()
    part.wall_s, part.slowness = wall_min * 60, slowness
    assert part.verdict == verdict
    parts.RECORD.write_text(parts.json.dumps(parts.asdict(part)) + "\n")
    assert parts.main(["report"]) == code


def test_the_slowness_of_a_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load(monkeypatch)
    module.PROBE = "print(2.5)"
    assert module.slowness() == 2.5 / module.PROBE_IDLE_S
    module.PROBE = load(monkeypatch).PROBE.replace("5_000_000", "50_000")
    assert 0 < module.slowness() < 10


def test_ci_installs_what_the_laboratories_need() -> None:
    programs = set(re.findall(r"(\w+):[a-z][a-z0-9-]*", (ROOT / ".ci" / "run").read_text()))
    needed = {*NEEDS, *Slurm.needs, *GridEngine.needs} - {"ssh-keygen", "nsenter", "unshare", "mount", "setpriv"}
    assert needed <= programs, "but for util-linux, which every machine has, and what comes with ssh"
