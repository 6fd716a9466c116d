"""Files of segments: complete or not there, and never what was written to them later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fedfutures.broker import files
from fedfutures.broker_process import storage
from fedfutures.broker_process.storage import Storage
from fedfutures.wire import codec
from fedfutures.wire.messages import Chunk
from fedfutures.wire.room import HANDED_OVER
from fedfutures.wire.segments import Segments

SIZE = 1000
DATA = bytes(number % 251 for number in range(SIZE))


class Place:
    """The directories of a host, and what a Broker there does with them."""

    def __init__(self, path: Path) -> None:
        self.shared, self.run = path / "shared", path / "run"
        self.shared.mkdir()
        self.run.mkdir()
        self.sent: list[tuple[str, Any, bytes | None]] = []
        self.storage = self.open()
        self.segments = Segments(str(self.shared), "h.1")

    def open(self) -> Storage:
        return Storage(str(self.shared), str(self.run), "h.broker")

    def do(self, action: files.Action) -> files.Event | None:
        return self.storage.do(
            action, lambda peer, frame, data: self.sent.append((peer, codec.decode(frame)[2], data and bytes(data)))
        )

    def store(self, name: str, data: bytes = DATA) -> None:
        assert self.do(files.Begin(name, len(data))) is None
        for offset in reversed(range(0, len(data), 300)):
            assert self.do(files.Write(name, offset, memoryview(data)[offset : offset + 300])) is None
        assert self.do(files.Finish(name)) == files.Stored(name)

    def read(self, name: str, offset: int = 0, count: int = 1 << 20) -> tuple[Any, bytes | None]:
        self.do(files.Read("n", name, offset, count))
        peer, chunk, data = self.sent.pop()
        assert (peer, chunk.name, chunk.offset) == ("n", name, offset)
        return chunk.size, data


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_segment_appears_when_it_is_complete(place: Place) -> None:
    place.do(files.Begin("a", SIZE))
    place.do(files.Write("a", 0, DATA[:500]))
    assert (place.storage.size_of("a"), place.read("a")) == (-1, (-1, None))
    place.do(files.Write("a", 500, DATA[500:]))
    assert place.do(files.Finish("a")) == files.Stored("a")
    assert (place.storage.size_of("a"), (place.shared / "a").read_bytes()) == (SIZE, DATA)
    assert os.listdir(place.shared) == ["a"]
    assert (place.shared / "a").stat().st_mode & 0o777 == 0o400, "it does not show that it came from another host"


def test_parts_of_a_segment(place: Place) -> None:
    name = place.segments.write(DATA)
    assert place.read(name) == (SIZE, DATA)
    assert place.read(name, 100, 50) == (SIZE, DATA[100:150])
    assert place.read(name, 990, 50) == (SIZE, DATA[990:])
    assert place.read(name, SIZE, 50) == (SIZE, None)
    assert place.read(name, 5000, 50) == (SIZE, None)
    assert place.read("none") == (-1, None)


def test_a_segment_without_bytes(place: Place) -> None:
    place.store("empty", b"")
    assert place.read("empty") == (0, None)


def test_what_was_written_meanwhile_is_not_sent(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Future has resolved in the middle of a read, and its file is being used for another argument."""
    name = place.segments.write(DATA)
    pread, used = os.pread, []

    def read_late(descriptor: int, count: int, offset: int) -> bytes:
        place.segments.release([name], reuse=True)
        used.append(place.segments.write(bytes(SIZE)))
        return pread(descriptor, count, offset)

    monkeypatch.setattr(storage.os, "pread", read_late)
    assert place.read(name) == (-1, None)
    monkeypatch.undo()
    assert place.read(used[0]) == (SIZE, bytes(SIZE))


def test_files_that_are_free_are_used_again(place: Place) -> None:
    name = place.segments.write(bytes(SIZE + 100))
    inode = (place.shared / name).stat().st_ino
    place.segments.release([name], reuse=True)
    place.store("a")
    assert (place.shared / "a").stat().st_ino == inode
    assert (place.shared / "a").read_bytes() == DATA


def test_a_worker_that_dies_takes_along_what_nobody_was_handed(place: Place) -> None:
    others = Segments(str(place.shared), "h.1+1").write(DATA), Segments(str(place.shared), "origin-1").write(DATA)
    handed, lost = place.segments.write(DATA), place.segments.write(DATA)
    place.segments.release([place.segments.write(DATA * 2)], reuse=True)
    [free] = {*os.listdir(place.shared)} - {handed, lost, *others}
    place.do(files.HandOver([handed]))
    place.do(files.Sweep("h.1"))
    assert {*os.listdir(place.shared)} == {handed, free, *others}
    place.do(files.Sweep("h.1"))
    assert place.read(handed) == (SIZE, DATA)


def test_a_worker_that_dies_takes_along_what_it_was_handed(place: Place) -> None:
    first, second, argument = (place.segments.write(DATA) for _ in range(3))
    place.do(files.HandOver([first], "h.2"))
    place.do(files.HandOver([second], "h.3"))
    place.do(files.HandOver(["gone", first], "h.2"))
    place.storage.sweep("h.4")
    assert {*os.listdir(place.shared)} == {first, second, argument}
    place.do(files.Sweep("h.2"))
    assert {*os.listdir(place.shared)} == {second, argument}


def test_what_a_worker_was_handed_and_has_taken_is_not_remembered(place: Place) -> None:
    for number in range(3 * storage.LOOK_AT_EVERY):
        place.do(files.HandOver([f"h.1-{number}"], "h.2"))
    (place.shared / "h.1-0").write_bytes(DATA)
    (place.shared / "h.1-0").chmod(HANDED_OVER)
    place.do(files.Sweep("h.2"))
    assert os.listdir(place.shared) == ["h.1-0"], "it was gone when it was looked for"


def test_the_account_of_segments(place: Place) -> None:
    names = place.segments.write(DATA), place.segments.write(DATA * 2), place.segments.write(DATA * 3)
    Segments(str(place.shared), "origin-1a").write(DATA)
    place.segments.release([names[2]], reuse=True)
    place.do(files.Begin("h2.1-7", SIZE))
    (place.shared / "file-1.npy").symlink_to(place.run)
    assert place.storage.account() == {
        "segments": 3, "segment_bytes": 4 * SIZE, "free_bytes": 3 * SIZE,
        "segment_bytes of h.1": 3 * SIZE, "segment_bytes of origin-1a": SIZE,
    }  # fmt: skip


def test_what_was_handed_over_is_not_discarded(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(DATA)
    (tmp_path / "elsewhere").chmod(0o600)
    handed, other = place.segments.write(DATA), place.segments.write(DATA)
    place.do(files.HandOver([handed]))
    (place.shared / "h.1-x").symlink_to(tmp_path / "elsewhere")
    place.do(files.Discard([handed, other, "h.1-x", "none"]))
    assert {*os.listdir(place.shared)} == {handed, "h.1-x"}


def test_a_segment_of_another_host_is_known_as_such_until_it_is_freed(place: Place) -> None:
    place.store("h2.1-7")
    path = place.shared / "h2.1-7"
    place.do(files.HandOver(["h2.1-7"], "h.2"))
    assert path.stat().st_mode & 0o777 == 0o500
    place.do(files.Discard(["h2.1-7"]))
    assert path.exists(), "it was handed over"
    place.do(files.Sweep("h.2"))
    assert not path.exists()
    place.store("h2.1-8")
    place.do(files.Discard(["h2.1-8"]))
    assert os.listdir(place.shared) == []
    place.store("h2.1-9")
    place.do(files.Remove(["h2.1-9"], reuse=True))
    (free,) = place.shared.iterdir()
    assert free.stat().st_mode & 0o777 == 0o600, "whoever writes it next could not"
    place.store("file-0123.csv")
    assert (place.run / "file-0123.csv").stat().st_mode & 0o777 == 0o600, "a Future may write to its copy of a file"


def test_what_is_abandoned_leaves_nothing(place: Place) -> None:
    place.do(files.Begin("a", SIZE))
    place.do(files.Write("a", 0, DATA))
    place.do(files.Abandon("a"))
    place.do(files.Abandon("a"))
    place.do(files.Write("a", 0, DATA))
    assert place.do(files.Finish("a")) is None
    assert os.listdir(place.shared) == []


def test_a_broker_that_is_started_again_clears_up(place: Place) -> None:
    place.do(files.Begin("a", SIZE))
    place.do(files.Begin("file-b", SIZE))
    (place.shared / ".h.broker2-1").write_bytes(b"of another Broker of this host")
    place.storage = place.open()
    assert os.listdir(place.shared) == [".h.broker2-1"]
    assert os.listdir(place.run) == []


def test_what_is_removed_stays_mapped(place: Place) -> None:
    for name in ("a", "b"):
        place.store(name)
    mapped = place.segments.map("a")
    place.do(files.Remove(["a", "c"]))
    assert os.listdir(place.shared) == ["b"]
    assert mapped[:] == DATA


@pytest.mark.parametrize("size", [1 << 60, (1 << 63) - 1])
def test_there_is_not_enough_space(place: Place, size: int) -> None:
    failed = place.do(files.Begin("a", size))
    assert isinstance(failed, files.Unwritable)
    assert "bytes do not fit" in failed.why
    assert place.do(files.Finish("a")) is None
    assert os.listdir(place.shared) == []


def test_the_file_system_is_full_in_the_middle(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.do(files.Begin("a", SIZE))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "pwrite", full)
    assert place.do(files.Write("a", 0, DATA)) == files.Unwritable("a", "[Errno 28] No space left on device")
    place.do(files.Abandon("a"))
    assert os.listdir(place.shared) == []


def test_space_for_arguments_is_bounded(place: Place) -> None:
    state = os.statvfs(place.shared)
    assert 0 < place.storage.space() <= min(1 << 30, state.f_bavail * state.f_frsize // 4 + (64 << 20))


# -- the user's files --------------------------------------------------------------------------------------------------


def test_links_are_followed_for_the_users_files_only(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    for name in ("file-1", "a"):
        (place.shared / name).symlink_to(secret)
    assert (place.storage.size_of("file-1"), place.read("file-1", 10, 20)) == (SIZE, (SIZE, DATA[10:30]))
    assert place.read("a") == (-1, None)


def test_a_link_to_a_directory_or_a_device_is_no_file(place: Place) -> None:
    (place.shared / "file-1").symlink_to(place.run)
    (place.shared / "file-2").symlink_to("/dev/zero")
    assert [place.read(name) for name in ("file-1", "file-2")] == [(-1, None)] * 2
    assert [place.storage.size_of(name) for name in ("file-1", "file-2")] == [-1, -1]


def test_copies_of_the_users_files_are_on_disk(place: Place) -> None:
    place.store("file-1")
    assert os.listdir(place.run) == ["file-1"]
    assert (place.storage.size_of("file-1"), place.read("file-1")) == (SIZE, (SIZE, DATA))


def test_a_chunk_says_what_it_is(place: Place) -> None:
    place.store("a")
    place.do(files.Read("n", "a", 10, 5))
    assert place.sent == [("n", Chunk("a", 10, SIZE), DATA[10:15])]
