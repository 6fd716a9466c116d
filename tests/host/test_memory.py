"""Kills for want of memory: the kernel counts them, and each explains the end of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.host import memory
from fedfutures.host.memory import KillCounter
from fedfutures.host.system import memory as memory_of_machine


def write(path: Path, kills: int) -> str:
    path.write_text(f"low 0\noom 5\noom_kill {kills}\noom_group_kill 0\n")
    return str(path)


def test_each_kill_explains_one_end(tmp_path: Path) -> None:
    group, machine = write(tmp_path / "group", 3), write(tmp_path / "machine", 7)
    counter = KillCounter([group], machine)
    assert counter.explanation() == ""
    write(tmp_path / "group", 5)
    write(tmp_path / "machine", 9)
    assert [counter.explanation() for _ in range(3)] == [*[", out of memory"] * 2, ""]


def test_what_the_machine_has_killed_may_be_another(tmp_path: Path) -> None:
    machine = write(tmp_path / "machine", 7)
    counter = KillCounter([str(tmp_path / "no such group")], machine)
    write(tmp_path / "machine", 8)
    assert counter.explanation() == ", probably out of memory"
    assert counter.explanation() == ""


def test_files_that_cannot_be_read_explain_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("oom_kill\noom_kill many\n")
    assert KillCounter([str(tmp_path / "odd")], str(tmp_path / "missing")).explanation() == ""


def test_the_limit_of_a_group_is_also_that_of_those_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_ROOT", str(tmp_path))
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "outer" / "memory.max").write_text("5000\n")
    (tmp_path / "outer" / "inner" / "memory.max").write_text("max\n")
    group = write(tmp_path / "outer" / "inner" / "memory.events", 3)
    counter = KillCounter([group], str(tmp_path / "none"))
    write(tmp_path / "outer" / "inner" / "memory.events", 4)
    assert counter.explanation() == ", out of memory"
    assert counter.bound() == 5000
    (tmp_path / "outer" / "inner" / "memory.max").write_text("4000\n")
    assert counter.bound() == 4000


def test_what_the_machine_has_killed_might_use_all_of_it(tmp_path: Path) -> None:
    machine = write(tmp_path / "machine", 7)
    counter = KillCounter([], machine)
    write(tmp_path / "machine", 8)
    assert counter.explanation()
    assert counter.bound() == memory_of_machine()
