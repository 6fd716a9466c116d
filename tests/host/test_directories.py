"""Locks on private directories: who removes one, and which ones a later run removes. Real processes hold them."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedfutures.host.directories import Hold, remove_abandoned, usual_places
from fedfutures.host.system import PREFIX, make_private_directory


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.fixture
def held_elsewhere() -> Iterator[Callable[[str], int]]:
    """Makes processes that hold a directory; returns their pids."""
    pids: list[int] = []

    def hold(path: str) -> int:
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            kept = Hold([path])
            os.write(write, b"x")
            while kept:
                signal.pause()
        pids.append(pid)
        os.close(write)
        assert os.read(read, 1) == b"x"
        os.close(read)
        return pid

    yield hold
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_what_nobody_holds_is_removed_with_its_files(place: str) -> None:
    path = make_private_directory(place)
    Path(path, "segment").write_bytes(b"x" * 4096)
    assert remove_abandoned([place, place]) == [path]
    assert not os.path.exists(path)


def test_what_somebody_holds_stays_until_he_is_killed(place: str, held_elsewhere: Callable[[str], int]) -> None:
    path = make_private_directory(place)
    pid = held_elsewhere(path)
    assert remove_abandoned([place]) == []
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert remove_abandoned([place]) == [path]


def test_the_last_one_removes_and_no_other(place: str, held_elsewhere: Callable[[str], int]) -> None:
    path = make_private_directory(place)
    pid = held_elsewhere(path)
    assert not Hold([path]).remove_if_last(0.0)
    assert os.path.exists(path)
    os.kill(pid, signal.SIGKILL)
    assert Hold([path]).remove_if_last(10.0)
    assert not os.path.exists(path)


def test_of_two_that_are_left_one_removes(place: str) -> None:
    path = make_private_directory(place)
    ours, theirs = Hold([path]), Hold([path])
    assert not ours.remove_if_last(0.0)
    assert theirs.remove_if_last(0.0)
    assert not os.path.exists(path)


def test_a_forked_process_lets_go_for_itself_only(place: str) -> None:
    path = make_private_directory(place)
    hold = Hold([path])
    pid = os.fork()
    if not pid:
        hold.let_go()
        os._exit(0)
    os.waitpid(pid, 0)
    assert remove_abandoned([place]) == []
    hold.let_go()
    assert remove_abandoned([place]) == [path]


def test_other_names_and_links_are_left_alone(place: str, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("x")
    link = tmp_path / f"{PREFIX}{0:015x}"
    link.symlink_to(theirs)
    for name in (f"{PREFIX}x", f"fedfutures-{0:016x}", f"{PREFIX}{0:015x}.d"):
        (tmp_path / name).mkdir()
    before = sorted(os.listdir(place))
    assert remove_abandoned([place, "/no/such/place"]) == []
    assert sorted(os.listdir(place)) == before
    assert (theirs / "file").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes directories of other users")
def test_directories_of_other_users_are_left_alone(place: str) -> None:
    path = make_private_directory(place)
    os.chown(path, 65534, -1)
    assert remove_abandoned([place]) == []
    assert os.path.exists(path)


def test_it_stops_when_its_time_is_over(place: str) -> None:
    path = make_private_directory(place)
    assert remove_abandoned([place], seconds=-1.0) == []
    assert os.path.exists(path)


def test_a_directory_that_is_removed_before_it_is_held_is_made_anew(place: str) -> None:
    made: list[str] = []

    def make() -> str:
        made.append(make_private_directory(place))
        if len(made) == 1:
            assert remove_abandoned([place]) == made
        return made[-1]

    hold = Hold(())
    assert hold.add(make) == made[1]
    assert remove_abandoned([place]) == []
    assert hold.add(str) == ""


def test_places_are_where_directories_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    monkeypatch.setenv("TMPDIR", "/scratch")
    assert usual_places() == ["/dev/shm", "/run/user/7", "/scratch", "/tmp", "/var/tmp"]


def test_those_that_are_given_are_held_and_others_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    hold = Hold(())
    made = hold.add_all([], lasting=False)
    assert len(set(made)) == 3
    assert all(map(os.path.isdir, made))
    again = Hold(())
    assert again.add_all([*made[:2], ""], lasting=False) == [*made[:2], ""]
    assert not hold.remove_if_last(0.0)
    assert list(map(os.path.isdir, made)) == [True, True, False]
    assert again.remove_if_last(0.0)
    assert not any(map(os.path.isdir, made))


def test_one_that_is_given_and_was_removed_is_made_again_and_must_be_private(tmp_path: Path) -> None:
    gone, public = tmp_path / "gone", tmp_path / "public"
    hold = Hold(())
    assert hold.add_all([str(gone)], lasting=False) == [str(gone)]
    assert stat.S_IMODE(gone.stat().st_mode) == 0o700
    public.mkdir()
    public.chmod(0o755)
    with pytest.raises(PermissionError, match="is not private"):
        hold.add_all([str(public)], lasting=False)
    hold.let_go()
