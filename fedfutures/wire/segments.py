"""Shared memory between the processes of one host: files in a private directory on a memory file system.

A :class:`Segments` writes each large buffer to a file and maps the files of others, copy on write (:mod:`.mappings`).
No file changes while anybody needs it. The host process makes the directory and removes it with its content.

Writing to pages that exist is five times as fast as writing to new ones (``benchmarks/programs/pages.py``). So a file
that nobody uses is renamed to ``free-SIZE-...`` instead of removed, and any process of the run may claim it by renaming
it again. A map shows what is in its file, so whoever claims one asks the kernel whether anybody has it open or mapped
(:mod:`.in_use`): a Future's global, a process that a Future has forked, or a Worker that was given up for lost and goes
on. A file with two names is never written again: the other name belongs to a value that was passed on.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import weakref
from collections.abc import Callable, Container, Sequence

from .. import failpoints
from ..errors import NotSupportedHere
from .in_use import is_in_use
from .manifest import segments_of
from .mappings import map_privately
from .names import free_name, free_size, is_live, is_segment, is_user_file, maker_of, segment_name
from .pages import are_equal
from .room import (
    GRACEFUL,
    MADE,
    OF_HERE,
    UNNAMED_UNKNOWN,
    Places,
    check_fits,
    create_unnamed,
    name_unnamed,
    write_file,
)

SHARED_FROM_BYTES = 1 << 18
"""Buffers and pickles from this size on travel through shared memory between the processes of one host."""

FREE_BYTES_AT_MOST = 256 << 20
LIVE_ELSEWHERE = (
    "a live array (fedfutures.shared.array(live=True)) is seen by Futures on its own host only; pass an array that is "
    "not live, or run the program without other hosts"
)
Check = Callable[[str, int], object]
"""Looks at a segment that is about to be mapped: its name, and the descriptor of its file."""


class Segments:
    """Writes and maps the segments of one process in the directories `path` and `disk` (:mod:`.room`).

    File names begin with `owner`, which is unique, and end with what nobody can guess; errors name `host`.
    """

    def __init__(self, path: str, owner: str, *, disk: str = "", host: str = "") -> None:
        self.path = path
        self._places = Places(host, path, disk)
        self._owner = owner
        self._process = os.getpid()  # a process that it has forked removes nothing: the files are not its own
        self._users: dict[str, int] = {}  # of own segments: payloads that need the file
        self._counted_elsewhere: dict[str, Callable[[int], object]] = {}

    def write(self, buffer: memoryview | bytes) -> str:
        """Copy `buffer` into a segment, a free one if there is one about this large, and return its name.

        Raises :class:`~fedfutures.errors.NoRoom` where no directory has room for it.
        """
        view = memoryview(buffer).cast("B")
        name = self._new_name()
        problems: list[OSError] = []
        for directory in self._places.directories:
            try:
                self._write_to(directory, name, view)
            except OSError as error:
                if error.errno not in GRACEFUL:
                    raise
                problems.append(error)
            else:
                self._users[name] = 1
                return name
        raise self._places.no_room(view.nbytes, problems)

    def hand_over(self, outcome: bytes) -> None:
        """Let the files of an outcome stay when this process dies: it goes to its submitter, by way of no Broker."""
        for name in segments_of(outcome):
            self._places.hand_over(name)

    def _write_to(self, directory: str, name: str, view: memoryview) -> None:
        path = os.path.join(directory, name)
        if directory != self.path or not self.claim(view.nbytes, path):
            self.make_room(directory, view.nbytes)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        write_file(path, view)

    def make_room(self, directory: str, size: int) -> None:
        """Remove free files where they leave no room for `size` bytes; raise OSError if that is not enough."""
        try:
            check_fits(directory, size)
        except OSError:
            if directory != self.path:
                raise
            for name, _ in self._free_files():
                self.remove(name)
            check_fits(directory, size)

    def create(self, size: int) -> int | None:
        """Return a descriptor of a file of `size` zeros that has no name; None where the system has no such files.

        Raises :class:`~fedfutures.errors.NoRoom` where no directory has room for it.
        """
        problems: list[OSError] = []
        for directory in self._places.directories:
            try:
                self.make_room(directory, size)
                return create_unnamed(directory, size)
            except OSError as error:
                if error.errno in UNNAMED_UNKNOWN:
                    return None
                if error.errno not in GRACEFUL:
                    raise
                problems.append(error)
        raise self._places.no_room(size, problems)

    def name_file(
        self, descriptor: int, count: Callable[[int], object] | None = None, *, live: bool = False
    ) -> str | None:  # fmt: skip
        """Make a file of :meth:`create` a segment that one payload needs; None where it cannot be given a name here.

        `count` is called with 1 when one more payload needs it, and with -1 when one does not any more. Without it, the
        segment is like one that was written. `live`: others map it so that they write to the file.
        """
        name = self._new_name(live=live)
        for directory in self._places.directories:
            with contextlib.suppress(OSError):
                name_unnamed(descriptor, os.path.join(directory, name))
                self._count_from_now_on(name, count)
                return name
        return None

    def name_anew(self, name: str, count: Callable[[int], object]) -> str | None:
        """Give a segment that no payload needs a name that nobody knows, instead of its own; None if it is gone."""
        new, path = self._new_name(live=is_live(name)), self._file(name)
        self._counted_elsewhere.pop(name, None)
        try:
            os.rename(path, os.path.join(os.path.dirname(path), new))
        except OSError:
            return None
        self._count_from_now_on(new, count)
        return new

    def _count_from_now_on(self, name: str, count: Callable[[int], object] | None) -> None:
        if count is None:
            self._users[name] = 1
        else:
            self._counted_elsewhere[name] = count

    def retain(self, name: str) -> None:
        """One more payload needs this own segment."""
        if (count := self._counted_elsewhere.get(name)) is not None:
            count(1)
        else:
            self._users[name] += 1

    def is_shared(self, name: str) -> bool:
        """Whether more than one payload needs this own segment, or may soon."""
        return name in self._counted_elsewhere or self._users[name] > 1

    @failpoints.delayed("segments.open")
    def open(self, name: str) -> int:
        """Return a descriptor of a segment, which can be mapped whatever becomes of its name."""
        return os.open(self._file(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def map(self, name: str, *, private: bool = False, take: bool = False, check: Check | None = None) -> mmap.mmap:
        """Map a segment read-only, with `private` copy on write; `take` frees it when the map is gone.

        `check` is called with the name and the open file before; what it raises is raised.
        """
        descriptor = self.open(name)
        try:
            if check is not None:
                check(name, descriptor)
            mapped = self.map_open(descriptor) if private else _map_read_only(descriptor)
        finally:
            os.close(descriptor)
        if take:
            weakref.finalize(mapped, self._free, name).atexit = False
        return mapped

    def map_live(self, name: str) -> mmap.mmap:
        """Map a live segment, so that what is written goes to its file.

        Raises :class:`~fedfutures.errors.NotSupportedHere` for the copy of one of another host.
        """
        descriptor = os.open(self._file(name), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            state = os.fstat(descriptor)
            if not state.st_mode & OF_HERE:
                raise NotSupportedHere(LIVE_ELSEWHERE)
            return mmap.mmap(descriptor, state.st_size)
        finally:
            os.close(descriptor)

    def map_open(self, descriptor: int) -> mmap.mmap:
        """Map a segment that was opened copy on write."""
        return map_privately(descriptor, os.fstat(descriptor).st_size, self._owner, self.path)

    def holds(self, name: str, buffer: memoryview) -> bool:
        """Whether a segment is there and holds what is in a buffer."""
        try:
            descriptor = self.open(name)
        except OSError:
            return False
        try:
            if os.fstat(descriptor).st_size != buffer.nbytes:
                return False
            with _map_read_only(descriptor) as mapped:
                return are_equal(mapped, buffer)
        finally:
            os.close(descriptor)

    def name_again(self, name: str) -> str | None:
        """Give a segment that is mapped here a second name, as if it had been written again; None if it is gone."""
        new, path = self._new_name(live=is_live(name)), self._file(name)
        try:
            os.link(path, os.path.join(os.path.dirname(path), new), follow_symlinks=False)
        except OSError:
            return None
        self._users[new] = 1
        return new

    def release(self, names: Sequence[str], *, reuse: bool = False) -> None:
        """A payload no longer needs these segments: remove those that no other needs, or free them for `reuse`."""
        for name in names:
            if (count := self._counted_elsewhere.get(name)) is not None:
                count(-1)
                continue
            if self._users.get(name, 1) > 1:
                self._users[name] -= 1
                continue
            self._users.pop(name, None)
            if reuse:
                self._free(name)
            else:
                self.remove(name)

    @failpoints.delayed("segments.remove")
    def remove(self, name: str) -> None:
        """Remove a segment's file; mappings of it stay valid."""
        self._counted_elsewhere.pop(name, None)
        path = self._file(name)
        if os.getpid() == self._process:
            with contextlib.suppress(FileNotFoundError):  # the run is over, or another attempt's result came first
                os.unlink(path)

    def remove_others(self, needed: Container[str]) -> None:
        """Remove the segments of all other owners, who are dead, but for those that are needed.

        Free files stay for whoever writes next, and so do the user's own and what begins with a dot (:mod:`.names`).
        """
        for directory in self._places.directories:
            for name in os.listdir(directory):
                if is_segment(name) and not is_user_file(name) and maker_of(name) != self._owner and name not in needed:
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(directory, name))

    def free(self) -> str:
        """Say how much room there is, for people."""
        return self._places.free()

    def size(self, name: str) -> int:
        """Return the bytes of a segment; 0 where it is gone."""
        try:
            return os.stat(self._file(name)).st_size
        except OSError:
            return 0

    def is_here(self, name: str) -> bool:
        """Whether a segment is on this host."""
        return os.path.exists(self._file(name))

    def _new_name(self, *, live: bool = False) -> str:
        return segment_name(self._owner, os.urandom(8), live=live)

    @failpoints.delayed("segments.free")
    def _free(self, name: str) -> None:
        """Leave a file that nobody needs to whoever writes next."""
        path = self._file(name)
        if os.getpid() != self._process:
            return
        try:
            if os.path.dirname(path) != self.path:  # on disk: writing to pages that exist gains nothing there
                os.unlink(path)
                return
            size = os.stat(path).st_size
            if size + sum(known for _, known in self._free_files()) > FREE_BYTES_AT_MOST or not _is_unused(path):
                os.unlink(path)
            else:
                os.chmod(path, MADE)
                os.rename(path, self._file(free_name(size, self._new_name())))
        except FileNotFoundError:
            pass  # as in remove()

    def link(self, name: str, target: str) -> None:
        """Make a file that is elsewhere a segment called `name`."""
        with contextlib.suppress(FileExistsError):  # the same, for the name says what it is
            os.symlink(target, self._file(name))

    @failpoints.lost("segments.claim")
    def claim(self, size: int, path: str) -> bool:
        """Rename a free file of about this size to `path`; of two processes that try, one gets it."""
        for name, known in self._free_files():
            if size // 2 <= known <= 2 * size:
                try:
                    os.rename(self._file(name), path)
                    if _is_unused(path):  # nobody knows this name: so it stays
                        return True
                    os.unlink(path)
                except FileNotFoundError:
                    continue
        return False

    def _free_files(self) -> list[tuple[str, int]]:
        sizes = [(name, free_size(name)) for name in os.listdir(self.path)]
        return [(name, size) for name, size in sizes if size is not None]

    def _file(self, name: str) -> str:
        if "/" in name or name.startswith("."):
            raise ValueError(f"not a segment name: {name!r}")
        return self._places.find(name)


def _map_read_only(descriptor: int) -> mmap.mmap:
    return mmap.mmap(descriptor, os.fstat(descriptor).st_size, access=mmap.ACCESS_READ)


def _is_unused(path: str) -> bool:
    """Whether nobody sees what is in a file, under another name or in a map."""
    return os.stat(path, follow_symlinks=False).st_nlink == 1 and not is_in_use(path)
