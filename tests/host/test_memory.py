"""Kills for want of memory: the kernel counts them, and each explains the end of one process."""

from __future__ import annotations

from pathlib import Path

from fedfutures.host.memory import KillCounter


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
