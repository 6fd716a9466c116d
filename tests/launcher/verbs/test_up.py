"""``fedfutures up``: its command line. What it starts is in tests/standing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures_launcher.verbs.up import main


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["../x"], "cannot be the name of a standing Federation"),
        (["-x"], "--help"),
        (["lab", "-n", "0"], "-n 0 needs a command"),
        (["lab", "-n", "many"], "many is not a number from 0 to"),
        (["lab", "--idle", "soon"], "soon"),
        ([], "NAME"),
    ],
)
def test_bad_input(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert why in capsys.readouterr().err
