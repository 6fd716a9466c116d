"""``key``, ``allow`` and ``revoke``; with a Federation that stands: tests/hosts/test_coming_by_key.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fedfutures_launcher.verbs import keys

LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMrp2w2k9BS8mqp0Jx6DXUatX5j8NkmMJ77rH1wcz637 ann@node"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("FEDFUTURES_KEY", str(tmp_path / "key"))


def test_the_key_is_made_once_and_its_public_half_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert keys.main_of_key([]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("ssh-ed25519 AAAA")
    assert f"a new key is in {tmp_path / 'key'}" in first.err
    assert keys.main_of_key([]) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (first.out, "")
    (tmp_path / "key").chmod(0o644)
    assert keys.main_of_key([]) == 2
    assert f"try: chmod 600 {tmp_path / 'key'}" in capsys.readouterr().err


@pytest.mark.parametrize("main", [keys.main_of_allow, keys.main_of_revoke])
def test_a_name_that_is_unknown(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", *LINE.split()]) == 2
    assert "no Federation named lab stands" in capsys.readouterr().err
