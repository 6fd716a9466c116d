"""Where standing Federations are recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fedfutures.errors import StartFailed
from fedfutures.standing import places
from fedfutures.standing.places import StandingPlace, checked_name


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-n", "a b", "x" * 65, "é"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(StartFailed, match="cannot be the name"):
        checked_name(name)


def test_what_is_written_is_read() -> None:
    place = StandingPlace("lab")
    assert place.record() is None
    place.make()
    place.write({"door": "/d", "slots": 2})
    assert place.record() == {"door": "/d", "slots": 2}
    assert places.names() == ["lab"]
    place.forget()
    assert places.names() == []


def test_what_was_cut_off_is_no_record() -> None:
    place = StandingPlace("lab")
    place.make()
    for text in ('{"door": "/d", ', "[]", "{}", '{"door": 7}'):
        Path(place.path, "record").write_text(text)
        assert place.record() is None


def test_one_keeper_at_a_time() -> None:
    place = StandingPlace("lab")
    assert not place.is_taken()
    place.make()
    assert place.take()
    assert StandingPlace("lab").is_taken()
    assert not StandingPlace("lab").take()
    place.let_go()
    assert not StandingPlace("lab").is_taken()


def test_others_may_not_enter(state: Path) -> None:
    place = StandingPlace("lab")
    place.make()
    os.chmod(place.path, 0o750)
    with pytest.raises(StartFailed, match=f"others may enter {place.path}.*chmod 700 {place.path}"):
        place.check()
    os.chmod(place.path, 0o700)
    os.rename(place.path, state / "elsewhere")
    os.symlink(state / "elsewhere", place.path)
    with pytest.raises(StartFailed, match="is a symbolic link"):
        place.make()


def test_a_home_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    with pytest.raises(StartFailed, match=r"cannot be recorded in .*XDG_STATE_HOME names another directory"):
        StandingPlace("lab").make()
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/h")
    assert places.base().startswith("/h/.local/state/fedfutures/")
