"""Files of shared memory: written once, mapped by others, gone when nobody needs them."""

from __future__ import annotations

import gc
import os
import stat
from pathlib import Path

import pytest

from fedfutures.wire import segments
from fedfutures.wire.names import maker_of, segment_name
from fedfutures.wire.room import HANDED_OVER, MADE
from fedfutures.wire.segments import Segments


@pytest.fixture
def ours(tmp_path: Path) -> Segments:
    return Segments(str(tmp_path), "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Segments:
    return Segments(str(tmp_path), "theirs")


def test_what_was_written_is_mapped(ours: Segments, theirs: Segments, tmp_path: Path) -> None:
    names = [ours.write(b"one"), ours.write(memoryview(b"two")), theirs.write(b"three")]
    assert len(set(names)) == 3
    assert [bytes(theirs.map(name)) for name in names] == [b"one", b"two", b"three"]
    assert stat.S_IMODE((tmp_path / names[0]).stat().st_mode) == 0o600


def test_elements_wider_than_a_byte(ours: Segments) -> None:
    view = memoryview(bytes(range(16))).cast("I")
    assert bytes(ours.map(ours.write(view))) == bytes(range(16))


def test_a_mapping_is_read_only(ours: Segments) -> None:
    mapped = ours.map(ours.write(b"abc"))
    with pytest.raises(TypeError):
        mapped[0] = 1


def test_a_taken_segment_is_writable_and_free_when_let_go(ours: Segments, theirs: Segments, tmp_path: Path) -> None:
    name = ours.write(b"abc")
    mapped = theirs.map(name, private=True, take=True)
    mapped[0] = ord("z")
    assert mapped[:] == b"zbc"
    assert os.listdir(tmp_path) == [name]
    del mapped
    gc.collect()
    [free] = os.listdir(tmp_path)
    assert free.startswith("free-3-theirs-")


def test_a_free_file_of_about_the_size_is_written_again(ours: Segments, theirs: Segments, tmp_path: Path) -> None:
    ours.release([ours.write(b"12345678")], reuse=True)
    [free] = tmp_path.iterdir()
    inode = free.stat().st_ino
    small, large = theirs.write(b"123"), theirs.write(b"1" * 25)
    assert len(os.listdir(tmp_path)) == 3
    name = theirs.write(b"abcde")
    assert (tmp_path / name).stat().st_ino == inode
    assert [bytes(ours.map(each)) for each in (small, large, name)] == [b"123", b"1" * 25, b"abcde"]


def test_one_of_two_that_claim_gets_it(ours: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours.release([ours.write(b"12345678")], reuse=True)
    [free] = os.listdir(tmp_path)
    monkeypatch.setattr(ours, "_free_files", lambda: [("free-8-taken-1", 8), (free, 8)])
    name = ours.write(b"abc" * 3)
    assert os.listdir(tmp_path) == [name]


def test_free_files_are_bounded(ours: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FREE_BYTES_AT_MOST", 10)
    names = [ours.write(b"12345"), ours.write(b"12345"), ours.write(b"12345")]
    assert not any(map(ours.is_shared, names))
    ours.release(names, reuse=True)
    assert [name[:7] for name in os.listdir(tmp_path)] == ["free-5-", "free-5-"]


def test_freeing_a_file_that_is_gone(ours: Segments, tmp_path: Path) -> None:
    name = ours.write(b"abc")
    ours.remove(name)
    ours.release([name], reuse=True)
    assert os.listdir(tmp_path) == []


def test_the_last_user_removes_the_file(ours: Segments, tmp_path: Path) -> None:
    name = ours.write(b"abc")
    ours.retain(name)
    mapped = ours.map(name)
    ours.release([name])
    assert os.listdir(tmp_path) == [name]
    ours.release([name])
    assert not os.listdir(tmp_path)
    assert mapped[:] == b"abc"


def test_a_file_that_is_gone_already_is_no_error(ours: Segments, tmp_path: Path) -> None:
    name = ours.write(b"abc")
    (tmp_path / name).unlink()
    ours.release([name])
    ours.release([name])


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", ".hidden", "a/b"])
def test_a_name_is_no_path(ours: Segments, name: str) -> None:
    for use in (ours.map, lambda name: ours.release([name])):
        with pytest.raises(ValueError, match="not a segment name"):
            use(name)


def test_nobody_can_guess_a_name(ours: Segments) -> None:
    names = [ours.write(b"abc") for _ in range(3)]
    assert {maker_of(name) for name in names} == {"ours"}
    assert len({name[-16:] for name in names}) == 3
    assert not set("".join(name[-16:] for name in names)) - set("0123456789abcdef")


def test_what_is_written_anew_was_handed_to_nobody(ours: Segments, tmp_path: Path) -> None:
    name = ours.write(b"abc")
    (tmp_path / name).chmod(HANDED_OVER)
    inode = (tmp_path / name).stat().st_ino
    ours.release([name], reuse=True)
    again = (tmp_path / ours.write(b"xyz")).stat()
    assert (again.st_ino, stat.S_IMODE(again.st_mode)) == (inode, MADE)


def test_what_a_segment_holds(ours: Segments) -> None:
    name = ours.write(b"abc")
    assert [ours.holds(name, memoryview(buffer)) for buffer in (b"abc", b"abd", b"abcd")] == [True, False, False]
    ours.remove(name)
    assert not ours.holds(name, memoryview(b"abc"))


def test_a_second_name(ours: Segments, theirs: Segments, tmp_path: Path) -> None:
    name = ours.write(b"abc" * 10)
    second = theirs.name_again(name)
    assert second is not None
    assert maker_of(second) == "theirs"
    ours.release([name], reuse=True)
    assert os.listdir(tmp_path) == [second]  # it is not for who writes next
    ours.write(b"xyz" * 10)
    assert bytes(theirs.map(second)) == b"abc" * 10
    theirs.release([second], reuse=True)
    assert os.listdir(tmp_path) != [second]
    assert theirs.name_again("nothing") is None


def test_a_free_file_with_a_second_name_is_not_claimed(ours: Segments, tmp_path: Path) -> None:
    ours.release([ours.write(b"abc")], reuse=True)
    [free] = os.listdir(tmp_path)
    os.link(tmp_path / free, tmp_path / "late")
    ours.write(b"xyz")
    assert (tmp_path / "late").read_bytes() == b"abc"


def test_a_link_is_not_followed(ours: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "ours-1").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError):
        ours.map("ours-1")
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / segment_name("ours", bytes(8))).symlink_to(tmp_path / "secret")
    with pytest.raises(FileExistsError):
        ours.write(b"over it")
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_what_the_dead_have_left_goes_but_for_what_is_needed_or_free(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "disk").mkdir()
    ours, theirs = (Segments(str(tmp_path / "memory"), owner, disk=str(tmp_path / "disk")) for owner in ("o-1", "o"))
    mine, shared, lost, free = ours.write(b"1"), theirs.write(b"2"), theirs.write(b"3"), theirs.write(b"4")
    theirs.release([free], reuse=True)
    kept = {mine, shared, "file-7.npy", ".part", *(name for name in os.listdir(ours.path) if name.startswith("free-"))}
    assert len(kept) == 5
    for path in ("memory/file-7.npy", "memory/.part", "disk/o-9"):
        (tmp_path / path).write_bytes(b"")
    ours.remove_others({shared})
    assert set(os.listdir(tmp_path / "memory")) == kept
    assert os.listdir(tmp_path / "disk") == []
    assert bytes(ours.map(shared)) == b"2"
    with pytest.raises(FileNotFoundError):
        ours.map(lost)
