"""``python -m fedfutures checkpoint FILE``."""

from __future__ import annotations

import json
import pickle
import sqlite3
import time
from pathlib import Path

import pytest

from fedfutures.checkpoint.store import opened_store
from fedfutures_launcher.verbs.checkpoint import main

NOW = 1_700_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "c")
    store = opened_store(path)
    for number, value in enumerate([1, {"a": [None]}, {3}, "x" * 100_000]):
        store.add([bytes([number]) * 16], "work" if number < 3 else "other", [pickle.dumps(value)])
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE results SET made = ? WHERE key = ?", (time.time() - 10 * 86_400, b"\0" * 16))
    connection.close()
    return path


def test_results_are_listed(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([path]) == 0
    first, other, work = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}: 4 results, 100,")
    assert other.startswith("  other: 1 results, 100,")
    assert work.startswith("  work: 3 results, ")
    assert main([path, "--items"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [(line.split()[0], line.split()[-1]) for line in lines] == [
        ("00" * 16, "work"), ("01" * 16, "work"), ("02" * 16, "work"), ("03" * 16, "other")
    ]  # fmt: skip


def test_results_are_removed(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([path, "--remove", "wrok"]) == 1
    assert "has no results of wrok" in capsys.readouterr().err
    assert main([path, "--older", "5"]) == 0
    assert main([path, "--older", "5", "--remove", "work"]) == 0
    assert main([path, "--remove", "02" * 16, "other"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 results removed, 3 are left", "0 results removed, 3 are left", "2 results removed, 1 are left"
    ]  # fmt: skip
    assert list(Path(path + ".d").iterdir()) == []


def test_results_are_exported(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = Path(path).parent / "all.jsonl"
    assert main([path, "--export", str(target)]) == 0
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line.get("value", line.get("repr")) for line in lines] == [1, {"a": [None]}, "{3}", "x" * 100_000]
    assert {line["function"] for line in lines} == {"work", "other"}
    store = opened_store(path)
    store.add([b"9" * 16], "lost", [pickle.dumps(1).replace(b"K\x01", b"cnowhere\nthing\n")])
    store.close()
    assert main([path, "--export", "-"]) == 1
    said = capsys.readouterr()
    assert "ModuleNotFoundError" in said.out
    assert "1 results could not be loaded here" in said.err


def test_what_is_no_checkpoint_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 2
    (tmp_path / "text").write_text("text")
    assert main([str(tmp_path / "text")]) == 2
    said = capsys.readouterr().err
    assert "there is no such file" in said
    assert "it is no checkpoint" in said
    assert not (tmp_path / "none").exists()
