"""``fedfutures add`` and ``remove``: their command lines. What they do is in tests/hosts/test_standing_hosts.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import Running

from fedfutures_launcher.verbs.hosts import main_of_add, main_of_remove

pytestmark = pytest.mark.host


@pytest.mark.parametrize(
    ("verb", "words", "why"),
    [
        (main_of_add, ["lab", "h1"], "no Federation named lab stands on this machine"),
        (main_of_add, ["lab"], "HOST"),
        (main_of_add, ["../x", "h1"], "cannot be the name of a standing Federation"),
        (main_of_remove, ["lab", "h1"], "no Federation named lab stands on this machine"),
        (main_of_remove, ["lab", "h1", "--grace", "soon"], "soon is not a number of seconds"),
    ],
)
def test_bad_input(verb, words, why, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        code = verb(words)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert why in capsys.readouterr().err


def test_hosts_that_cannot_be_meant(tmp_path: Path) -> None:
    def run(*words):  # type: ignore[no-untyped-def]
        return Running(list(words), env={"XDG_STATE_HOME": str(tmp_path)}).end()

    assert run("up", "lab", "-n", "1", "-q").code == 0
    try:
        for words, code, why in (
            (["add", "lab", "h1:2222"], 2, "2222 would be its number of Workers"),
            (["add", "lab", "localhost"], 2, "is the keeper's own host"),
            (["add", "lab", "h1*2"], 2, "no host name"),
            (["remove", "lab", "h1"], 3, "it is none of its hosts"),
        ):
            ended = run(*words, *["--allow-root"] * (words[0] == "add"))
            assert (ended.code, why in ended.err) == (code, True), ended.err
    finally:
        assert run("down", "lab").code == 0
