"""What is asked of the operating system: private directories, core dumps, names, processors."""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fedfutures.host.system import (
    disable_core_dumps,
    make_disk_directory,
    make_private_directory,
    memory,
    name_process,
    number_behind,
    orphans,
    processors,
    raise_descriptor_limit,
    remove_tree,
    restore_core_dumps,
    words_in,
)


def in_a_child(check: Callable[[], bool]) -> bool:
    """Return what a check finds in a process of its own."""
    pid = os.fork()
    if not pid:
        code = 2
        try:
            code = int(not check())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_private_directory_is_nobody_elses_and_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = [make_private_directory(), make_private_directory(lasting=True), make_private_directory(str(tmp_path))]
    assert os.path.dirname(made[1]) != str(tmp_path)
    for path in made:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
        Path(path, "file").write_text("x")
        remove_tree(path)
        assert not os.path.exists(path)
    remove_tree(made[0])  # nothing is an error


def test_a_runtime_directory_with_a_long_path_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 70)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    monkeypatch.setenv("TMPDIR", str(long))
    path = make_private_directory()
    assert len(path) < 64
    remove_tree(path)


def test_a_directory_on_disk_is_made_where_one_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/no/such/place")
    path = make_disk_directory()
    assert os.path.isdir(path)
    remove_tree(path)


def test_core_dumps_are_disabled_and_restored() -> None:
    def check() -> bool:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        before = os.umask(0o022)
        inherited = disable_core_dumps()
        private = resource.getrlimit(resource.RLIMIT_CORE) == (0, hard) and os.umask(0o077) == 0o077
        restore_core_dumps(inherited)
        usual = resource.getrlimit(resource.RLIMIT_CORE) == (soft, hard) and os.umask(before) == 0o022
        return private and usual and signal.SIGHUP in inherited.ignored

    assert in_a_child(check)


def test_the_limit_of_descriptors_is_raised() -> None:
    def check() -> bool:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, hard), hard))
        raise_descriptor_limit()
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64 or hard <= 64

    assert in_a_child(check)


def test_a_process_has_a_name_of_fifteen_characters() -> None:
    def check() -> bool:
        name_process("fedfut-a-long-name")
        return Path("/proc/self/comm").read_text() == "fedfut-a-long-n\n"

    assert in_a_child(check)


def test_children_are_found() -> None:
    pid = os.fork()
    if not pid:
        signal.pause()
    try:
        assert pid in orphans()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_machine_has_memory_and_processors() -> None:
    assert memory() > 1 << 20
    assert 1 <= processors() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "found"), [("b 1\na 7\na 8\n", 7), ("a many\n", None), ("a", None), ("", None), ("ba 3\n", None)]
)
def test_numbers_of_the_kernel(text: str, found: int | None, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    assert number_behind("a", str(file)) == found
    assert number_behind("a", str(tmp_path / "missing")) is None


def test_what_is_no_text_has_no_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe")
    assert words_in(str(tmp_path / "file")) == []
