"""Every test finds the program's modules by itself."""

from __future__ import annotations

import pytest

from .programs import look_anew


@pytest.fixture(autouse=True)
def found_anew(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """See :func:`.programs.look_anew`."""
    look_anew(monkeypatch, request.module.__name__)
