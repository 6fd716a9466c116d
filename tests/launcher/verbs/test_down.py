"""``fedfutures down`` where nothing stands. That it ends what stands is in tests/standing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures_launcher.verbs.down import main


def test_nothing_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["lab"]) == 2
    assert "no Federation named lab stands on this machine; try: fedfutures up lab" in capsys.readouterr().err
