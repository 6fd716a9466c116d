"""The files of the segments that a Broker downloads and hands out: what :mod:`..broker.files` asks for, done.

What shared memory has no room for is kept on disk (:mod:`..wire.room`). The space is reserved before the first byte
comes, so a full file system is noticed while another one can still be used. Until a segment is complete, its file has a
name that begins with a dot, which nobody takes for a segment.

A segment is read under its name only. Its file may be given another name and be written anew while that goes on; so
what was read counts only if the name still stands for the same file afterwards. Copies of the user's files are kept in
the run's directory; on the host of the program their names are links to the files, the only links that are followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Callable

from .. import failpoints
from ..broker import files
from ..broker.segment_cache import SPACE_BYTES
from ..wire import codec
from ..wire.messages import GONE, Chunk
from ..wire.names import free_size, host_of, is_segment, is_user_file, maker_of
from ..wire.room import HANDED_OVER, MADE, OF_HERE, Places, free_bytes, reserve
from ..wire.segments import Segments

NOT_HERE = GONE, b""
LOOK_AT_EVERY = 256
"""So many segments handed to one Worker are remembered before it is looked which of them are still there."""
SendData = Callable[[str, bytes, "bytes | None"], None]
"""To a peer: a frame, and data behind it."""


class Storage:
    """The segments of a host: in shared memory (`shared`) or else in `disk`, and copies of the user's files (`run`)."""

    def __init__(self, shared: str, run: str, owner: str, disk: str = "") -> None:
        self._shared, self._run, self._owner = shared, run, owner
        self._places = Places(host_of(owner), shared, disk)
        self._claims = Segments(shared, owner, disk=disk)
        self._open: dict[str, tuple[int, str]] = {}  # descriptor and path of what is being fetched
        self._handed: dict[str, set[str]] = {}  # by Worker of this host: segments of outcomes that were for it
        self._count = 0
        for directory in (run, *self._places.directories):  # what a Broker of this name has left that ended
            for name in os.listdir(directory):
                if name.startswith(f".{owner}-"):
                    _unlink(os.path.join(directory, name))

    def do(self, action: files.Action, send: SendData) -> files.Event | None:
        """Do what the machine asks for; return what it is to hear of that."""
        if type(action) is files.Read:
            size, data = self.read(action.name, action.offset, action.count)
            send(action.peer, codec.encode(Chunk(action.name, action.offset, size)), data or None)
            return None
        try:
            if type(action) is files.Write:
                self.write(action.name, action.offset, action.data)
            elif type(action) is files.Begin:
                self.begin(action.name, action.size)
            elif type(action) is files.Finish:
                return files.Stored(action.name) if self.finish(action.name) else None
            elif type(action) is files.Abandon:
                self.abandon(action.name)
            elif type(action) is files.HandOver:
                self.hand_over(action.names, action.to)
            elif type(action) is files.Discard:
                self._remove_made(action.names)
            elif type(action) is files.Sweep:
                self.sweep(action.worker)
            else:
                assert type(action) is files.Remove
                self.remove(action.names, reuse=action.reuse)
        except OSError as error:
            return files.Unwritable(getattr(action, "name", ""), str(error))
        return None

    def account(self) -> dict[str, int]:
        """Return how many segments are on this host, and how many bytes they have, in all and by who made them."""
        names: set[str] = set()
        for directory in self._places.directories:
            with contextlib.suppress(OSError):  # the run is over
                names.update(os.listdir(directory))
        segments = [name for name in names if is_segment(name) and not is_user_file(name)]
        sizes = Counter[str]()
        for name in segments:
            sizes[maker_of(name)] += max(0, self.size_of(name))
        by_maker = {f"segment_bytes of {maker}": size for maker, size in sorted(sizes.items())}
        free = sum(free_size(name) or 0 for name in names)
        return {"segments": len(segments), "segment_bytes": sizes.total(), "free_bytes": free, **by_maker}

    def space(self) -> int:
        """How much of arguments that nobody needs now may stay."""
        return min(SPACE_BYTES, sum(map(free_bytes, self._places.directories)) // 4)

    def _path(self, name: str) -> str:
        path = self._places.find(name)
        return os.path.join(self._run, name) if is_user_file(name) and not os.path.exists(path) else path

    def size_of(self, name: str) -> int:
        """Return how large a segment is, -1 if it is not here."""
        try:
            found = os.stat(self._path(name), follow_symlinks=is_user_file(name))
        except OSError:
            return -1
        return found.st_size if stat.S_ISREG(found.st_mode) else -1

    @failpoints.delayed("storage.read")
    def read(self, name: str, offset: int, count: int) -> tuple[int, bytes]:
        """Return the size of a segment and a part of it; -1 and nothing if it is not here."""
        path = self._path(name)
        links = os.O_NONBLOCK if is_user_file(name) else os.O_NOFOLLOW
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | links)
            try:
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    return NOT_HERE
                data = os.pread(descriptor, count, offset)
            finally:
                os.close(descriptor)
            after = os.stat(path)
        except OSError:
            return NOT_HERE
        same = (after.st_dev, after.st_ino, after.st_size) == (before.st_dev, before.st_ino, before.st_size)
        complete = len(data) == max(0, min(count, before.st_size - offset))
        return (before.st_size, data) if same and complete else NOT_HERE

    @failpoints.delayed("storage.begin")
    def begin(self, name: str, size: int) -> None:
        """Make room for a segment; raises OSError where there is none."""
        problems: list[OSError] = []
        directories = [self._run] if is_user_file(name) else self._places.directories
        for directory in directories:
            try:
                self._begin_in(directory, name, size)
            except OSError as error:
                problems.append(error)
            else:
                return
        found = "; ".join(
            f"its {size:,} bytes do not fit in {directory}, where {free_bytes(directory):,} are free ({error.strerror})"
            for directory, error in zip(directories, problems)
        )
        raise OSError(found)

    def _begin_in(self, directory: str, name: str, size: int) -> None:
        self._count += 1
        path = os.path.join(directory, f".{self._owner}-{self._count}")
        if directory != self._shared or not self._claims.claim(size, path):
            self._claims.make_room(directory, size)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            reserve(descriptor, size)
        except BaseException:
            os.close(descriptor)
            _unlink(path)
            raise
        self._open[name] = descriptor, path

    @failpoints.delayed("storage.write")
    def write(self, name: str, offset: int, data: bytes | memoryview) -> None:
        """Write a part; raises OSError when the file system is full. What could not begin is passed over."""
        if name in self._open:
            view = memoryview(data)
            while view:
                done = os.pwrite(self._open[name][0], view, offset)
                view, offset = view[done:], offset + done

    @failpoints.delayed("storage.finish")
    def finish(self, name: str) -> bool:
        """Give a segment its name; False if it could not begin."""
        if name not in self._open:
            return False
        descriptor, path = self._open.pop(name)
        if not is_user_file(name):
            os.fchmod(descriptor, MADE & ~OF_HERE)
        os.close(descriptor)
        os.rename(path, os.path.join(os.path.dirname(path), name))
        return True

    def abandon(self, name: str) -> None:
        """Remove what has come of a segment."""
        if name in self._open:
            descriptor, path = self._open.pop(name)
            os.close(descriptor)
            _unlink(path)

    def abandon_all(self) -> None:
        """Remove what has come of all segments that are not complete."""
        for name in list(self._open):
            self.abandon(name)

    @failpoints.delayed("storage.remove")
    def remove(self, names: list[str], *, reuse: bool = False) -> None:
        """Remove segments; who has them mapped keeps what is mapped."""
        if reuse:
            self._claims.release(names, reuse=True)
            return
        for name in names:
            _unlink(self._places.find(name))

    def hand_over(self, names: list[str], to: str = "") -> None:
        """Mark the segments of an outcome, which its receiver removes from now on: if that dies, its host does."""
        for name in names:
            self._places.hand_over(name)
        if to:
            handed = self._handed.setdefault(to, set())
            handed.update(names)
            if len(handed) % LOOK_AT_EVERY == 0:
                self._handed[to] = {name for name in handed if os.path.exists(self._places.find(name))}

    def sweep(self, worker: str) -> None:
        """A Worker has died: remove what it made and nobody was handed, and what it was handed and had not taken."""
        for directory in self._places.directories:
            self._remove_made([name for name in os.listdir(directory) if maker_of(name) == worker])
        for name in self._handed.pop(worker, ()):
            path = self._places.find(name)
            if _mode_of(path) == HANDED_OVER:
                _unlink(path)

    def _remove_made(self, names: list[str]) -> None:
        for name in names:
            path = self._places.find(name)
            if _mode_of(path) == MADE:
                _unlink(path)


def _mode_of(path: str) -> int:
    """Return the mode of a regular file, whoever has written it; 0 of anything else."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return 0
    return stat.S_IMODE(mode) | OF_HERE if stat.S_ISREG(mode) else 0


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
