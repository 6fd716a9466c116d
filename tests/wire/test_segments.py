"""Files of shared memory: written once, mapped by others, gone when nobody needs them."""

from __future__ import annotations

import gc
import os
import stat
from pathlib import Path

import pytest

from fedfutures.wire import segments
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
    assert os.listdir(tmp_path) == ["free-3-theirs-1"]


def test_a_free_file_of_about_the_size_is_written_again(ours: Segments, theirs: Segments, tmp_path: Path) -> None:
    ours.release([ours.write(b"12345678")], reuse=True)
    inode = (tmp_path / "free-8-ours-2").stat().st_ino
    small, large = theirs.write(b"123"), theirs.write(b"1" * 25)
    assert len(os.listdir(tmp_path)) == 3
    name = theirs.write(b"abcde")
    assert (tmp_path / name).stat().st_ino == inode
    assert [bytes(ours.map(each)) for each in (small, large, name)] == [b"123", b"1" * 25, b"abcde"]


def test_one_of_two_that_claim_gets_it(ours: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours.release([ours.write(b"12345678")], reuse=True)
    monkeypatch.setattr(ours, "_free_files", lambda: [("free-8-taken-1", 8), ("free-8-ours-2", 8)])
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


def test_what_a_segment_holds(ours: Segments) -> None:
    name = ours.write(b"abc")
    assert [ours.holds(name, memoryview(buffer)) for buffer in (b"abc", b"abd", b"abcd")] == [True, False, False]
    ours.remove(name)
    assert not ours.holds(name, memoryview(b"abc"))


def test_a_second_name(ours: Segments, theirs: Segments, tmp_path: Path) -> None:
    name = ours.write(b"abc" * 10)
    second = theirs.name_again(name)
    assert second == "theirs-1"
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


def test_a_link_is_not_followed(ours: Segments, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "ours-1").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError):
        ours.map("ours-1")
    with pytest.raises(FileExistsError):
        ours.write(b"over it")
    assert (tmp_path / "secret").read_bytes() == b"secret"
