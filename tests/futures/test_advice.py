"""The command that is named where nothing was launched."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fedfutures.futures.advice import advice


def test_a_program_is_told_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "my prog.py"
    program.write_text("")
    monkeypatch.setattr(sys, "argv", [str(program), "--fast"])
    monkeypatch.delattr(sys, "ps1", raising=False)
    assert advice() == f"for Workers, run python -m fedfutures '{program}' --fast or use Executor().map"


def test_a_session_is_told_of_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [""])
    assert advice().startswith("for Workers: from fedfutures import Executor")
