"""``fedfutures list`` and ``status``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.standing.places import StandingPlace
from fedfutures_launcher.verbs import listing
from fedfutures_launcher.verbs.listing import main_of_list, main_of_status


def test_one_without_a_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(listing, "runs", list)  # those of other tests
    assert main_of_list([]) == 0
    assert capsys.readouterr().out == ""
    place = StandingPlace("lab")
    place.make()
    place.write({"door": str(tmp_path / "door")})
    assert main_of_list([]) == 0
    assert "lab has no keeper any more: it was killed." in capsys.readouterr().out
    assert main_of_status(["lab"]) == 3
    assert main_of_status(["other"]) == 2
    said = capsys.readouterr().err
    assert "no Federation named other stands on this machine; these stand: lab" in said
    assert "no run of yours on this machine is called other either: fedfutures list" in said
