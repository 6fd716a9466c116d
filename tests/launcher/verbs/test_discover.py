"""``discover``, and ``up --announce``, on the loopback interface."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from launching import Running

from fedfutures_launcher.connector.announcing import AnnouncedFederation
from fedfutures_launcher.verbs import discover, up

pytestmark = [pytest.mark.host, pytest.mark.once]
HERE = "127.0.0.1"


def test_a_federation_that_is_announced_is_found_until_it_is_taken_down(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        ended = Running(list(words), env={"XDG_STATE_HOME": str(tmp_path)}).end()
        assert ended.code == 0, ended.err
        return ended.out

    def found() -> list[dict[str, object]]:
        heard = json.loads(run("discover", "--interface", HERE, "--json", "--seconds", "2"))
        return [one for one in heard if one["name"] == "announced"]

    run("up", "announced", "-n", "2", "--announce", "--interface", HERE, "-q")
    try:
        heard = found() or found()
        assert [(one["workers"], one["key"], one["port"]) for one in heard] == [("2", "", 0)]
    finally:
        run("down", "announced")
    assert found() == []


def test_how_to_join_is_said_in_a_form_that_can_be_pasted() -> None:
    one = AnnouncedFederation("lab", "login", "ann", "8", "0.1.0", ("10.0.0.5",), 7070, "SHA256:" + "k" * 43)
    said = discover.described(one)
    assert "fedfutures --join ann@login:lab prog.py" in said
    assert f"fedfutures --join 'tcp://10.0.0.5:7070/lab#{one.key}' prog.py" in said
    assert "anybody on this network may have announced that" in said
    assert "tcp:" not in discover.described(AnnouncedFederation("lab", "login", "", "8", "", (), 0, ""))


def test_without_the_library_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(discover, "is_installed", lambda: False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert discover.main([]) == 2
    assert "pip install 'fedfutures[discovery]'" in capsys.readouterr().err
    assert up.main(["lab", "--announce"]) == 2
    assert "--announce: this needs the library zeroconf" in capsys.readouterr().err


def test_a_network_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert discover.main(["--interface", "10.254.254.254", "--seconds", "0.1"]) == 2
    assert "nobody can listen to 10.254.254.254" in capsys.readouterr().err
