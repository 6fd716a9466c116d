"""``fedfutures logs``: its command line, and its last lines. How it follows is in tests/standing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fedfutures.standing.places import StandingPlace
from fedfutures_launcher.verbs.logs import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandingPlace:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = StandingPlace("lab")
    place.make()
    return place


def test_the_last_lines(place: StandingPlace, capsys: pytest.CaptureFixture[str]) -> None:
    Path(place.log).write_text("one\ntwo\nthree\n")
    for words, said in ((["lab"], "one\ntwo\nthree\n"), (["lab", "-n", "2"], "two\nthree\n"), (["lab", "-n", "0"], "")):
        assert main(words) == 0
        assert capsys.readouterr().out == said


def test_one_that_has_no_log(place: StandingPlace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab"]) == 2
    assert "no Federation named lab stands on this machine" in capsys.readouterr().err


def test_one_whose_directory_others_may_enter(place: StandingPlace, capsys: pytest.CaptureFixture[str]) -> None:
    Path(place.log).write_text("one\n")
    os.chmod(place.path, 0o755)
    assert main(["lab"]) == 2
    assert f"try: chmod 700 {place.path}" in capsys.readouterr().err


def test_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["lab", "-n", "many"])
    assert "many is not a number of lines" in capsys.readouterr().err
