"""What is asked of the operating system: private directories, core dumps, names, processors."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import eventually

from fedfutures.host.system import (
    disable_core_dumps,
    end_session,
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
    sight_of,
    state_of,
    stopped_itself,
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


@pytest.mark.parametrize("act", [
    lambda: os.kill(os.getpid(), signal.SIGSTOP),
    lambda: signal.raise_signal(signal.SIGTSTP),
    lambda: os.kill(0, signal.SIGSTOP),
])  # fmt: skip
def test_who_stops_itself_is_told_from_who_is_stopped(act: Callable[[], None]) -> None:
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        act()
        signal.pause()
        os._exit(0)
    try:
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
        assert stopped_itself(pid)
        os.kill(pid, signal.SIGCONT)
        assert os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1])
        while "T" in words_in(f"/proc/{pid}/stat")[2] or words_in(f"/proc/{pid}/syscall")[:1] == ["running"]:
            pass
        os.kill(pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
        assert state_of(pid) == "T"
        assert not stopped_itself(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert state_of(pid) == ""
    assert stopped_itself(pid), "of a process that is gone nobody knows"


VFORKS = """
import ctypes, os, time
libc = ctypes.PyDLL(None)
print(flush=True)
if not libc.vfork():
    time.sleep(60)
    os._exit(0)
"""
"""Until the child of a vfork(2) ends, its parent is blocked in the kernel."""


@pytest.mark.host
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="by /proc")
def test_what_is_blocked_in_the_kernel_shows_no_progress_and_what_works_does() -> None:
    with subprocess.Popen([sys.executable, "-c", VFORKS], stdout=subprocess.PIPE, start_new_session=True) as blocked:
        try:
            assert blocked.stdout is not None
            blocked.stdout.readline()
            assert eventually(lambda: sight_of(blocked.pid).state == "D", 10.0)
            first = sight_of(blocked.pid)
            time.sleep(0.1)
            assert sight_of(blocked.pid) == first
        finally:
            os.killpg(blocked.pid, signal.SIGKILL)
    before = sight_of(os.getpid())
    assert len(os.urandom(1 << 20)) == 1 << 20
    Path(__file__).read_bytes()
    assert sight_of(os.getpid()).progress != before.progress
    assert sight_of(blocked.pid).state == "", "it is gone"


@pytest.mark.host
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="by /proc")
def test_a_session_ends_with_all_its_processes_also_with_stopped_ones() -> None:
    code = "import os, signal, time; print(os.fork(), flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    end_session(leader.pid, 10.0)
    assert leader.wait(10.0) == -signal.SIGKILL
    assert words_in(f"/proc/{child}/stat", behind=")")[:1] in ([], ["Z"])
    leader.stdout.close()
