"""Modules of the program that a host process has loaded others in place of."""

from __future__ import annotations

import fractions
from dataclasses import replace
from pathlib import Path

from fedfutures.host.here import settings_here
from fedfutures.host.shadowing import with_shadowed

assert fractions


def test_modules_beside_the_program(tmp_path: Path) -> None:
    (tmp_path / "fractions.py").write_text("")
    settings = replace(settings_here(1), path=[str(tmp_path)])
    assert with_shadowed(settings).shadowed == ["fractions"]
    assert with_shadowed(replace(settings, path=[])).shadowed == []
    there = replace(settings, code=True, beside=["fractions", "of_the_program"])
    assert with_shadowed(there).shadowed == ["fractions"]
