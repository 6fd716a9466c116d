"""Which run a verb means, and what it says where none or several are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.seeing.picture import RunPicture
from fedfutures.seeing.runs import SeenRun
from fedfutures_launcher.verbs import asking
from fedfutures_launcher.verbs.asking import NotOne, main_of_explain, main_of_stack, the_run

ONE = SeenRun("/a", RunPicture("/home/ann/prog.py", 71))
TWO = SeenRun("/b", RunPicture("/home/ann/other.py", 72))
SILENT = SeenRun("/c", RunPicture(), "the host process of the run has not answered for 3.5 s")


def these(monkeypatch: pytest.MonkeyPatch, *runs: SeenRun) -> None:
    monkeypatch.setattr(asking, "runs", lambda: list(runs))


def test_the_only_one_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    these(monkeypatch, ONE, SILENT)
    assert the_run(None) is ONE
    assert the_run("71") is the_run("prog") is the_run("prog.py") is ONE


def test_of_several_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    these(monkeypatch, ONE, TWO)
    assert the_run("72") is TWO
    with pytest.raises(NotOne, match=r"name one by its pid:\n  prog.py \(pid 71\)[^\n]*\n  other.py \(pid 72\)"):
        the_run(None)


def test_none_and_one_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    these(monkeypatch)
    assert main_of_explain([]) == 2
    assert "no run of yours is on this machine. All there are: fedfutures list" in capsys.readouterr().err
    these(monkeypatch, SILENT)
    assert main_of_stack([]) == 2
    assert "the run has not answered: the host process" in capsys.readouterr().err
