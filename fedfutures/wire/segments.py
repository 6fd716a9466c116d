"""Shared memory between the processes of one host: files in a private directory on a memory file system.

A :class:`Segments` writes large buffers to files of their own and maps those of others, read-only unless they are the
mapper's alone. The directory belongs to the run: the host process makes it (mode 0700) and removes it with all that is
in it, so nothing outlives a run whichever way it ends. ``multiprocessing.shared_memory`` is not used: it starts a
tracker process that unlinks segments other processes still need (CPython issue 82300).

Writing to pages that exist is five times as fast as writing to new ones (``benchmarks/programs/pages.py``), so a file
that nobody uses any more is not removed but renamed to ``free-SIZE-...``, up to :data:`FREE_BYTES_AT_MOST` in all, and
any process of the run may claim it by renaming it again. "Nobody" has to be certain:

* Arguments: a Worker that finds its mapping still in use after the Future (the function kept the array) leaves a file
  ``keep-NAME``, before it sends the result. So when the last Future that needs an argument has resolved, its submitter
  knows whether the file may be written again.
* Results: only the receiver maps them, and lets go of the file when its mapping is gone.

What the memory file system has no room for is written to a second directory, on disk (:mod:`.room`).
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Sequence

from .room import GRACEFUL, Places, check_fits, write_file

SHARED_FROM_BYTES = 1 << 18
"""Buffers and pickles from this size on travel through shared memory between the processes of one host."""

FREE_BYTES_AT_MOST = 256 << 20


class Segments:
    """Writes and maps the segments of one process in the directory `path`; `owner` makes file names unique.

    What `path` has no room for goes to the directory `disk`, if there is one; `host` is named in errors.
    """

    def __init__(self, path: str, owner: str, *, disk: str = "", host: str = "") -> None:
        self._path = path
        self._places = Places(host, path, disk)
        self._owner = owner
        self._count = 0
        self._users: dict[str, int] = {}  # of own segments: payloads that need the file

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

    def _write_to(self, directory: str, name: str, view: memoryview) -> None:
        path = os.path.join(directory, name)
        if directory != self._path or not self.claim(view.nbytes, path):
            self.make_room(directory, view.nbytes)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        write_file(path, view)

    def make_room(self, directory: str, size: int) -> None:
        """Remove free files where they leave no room for `size` bytes; raise OSError if that is not enough."""
        try:
            check_fits(directory, size)
        except OSError:
            if directory != self._path:
                raise
            for name, _ in self._free_files():
                self.remove(name)
            check_fits(directory, size)

    def retain(self, name: str) -> None:
        """One more payload needs this own segment."""
        self._users[name] += 1

    def is_shared(self, name: str) -> bool:
        """Whether more than one payload needs this own segment."""
        return self._users[name] > 1

    def map(self, name: str, *, take: bool = False, private: bool = False) -> mmap.mmap:
        """Map a segment read-only; with `take`, writable: it is the caller's alone, and free when it is let go.

        With `private`, what is written to the map is seen by this process only; the segment is never written again.
        """
        if private:
            self.keep(name)
        descriptor = os.open(self._file(name), (os.O_RDWR if take else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            access = mmap.ACCESS_WRITE if take else mmap.ACCESS_COPY if private else mmap.ACCESS_READ
            mapped = mmap.mmap(descriptor, os.fstat(descriptor).st_size, access=access)
        finally:
            os.close(descriptor)
        if take:
            weakref.finalize(mapped, self._free, name).atexit = False
        return mapped

    def release(self, names: Sequence[str], *, reuse: bool = False) -> None:
        """A payload that needed these segments is done: those that no other needs are freed, or removed."""
        for name in names:
            if self._users.get(name, 1) > 1:
                self._users[name] -= 1
                continue
            self._users.pop(name, None)
            if reuse:
                self._free(name)
            else:
                self.remove(name)

    def remove(self, name: str) -> None:
        """Remove a segment's file; mappings of it stay valid."""
        try:
            os.unlink(self._file(name))
        except FileNotFoundError:
            pass  # the run is over, or another attempt's result came first

    def free(self) -> str:
        """Say how much room there is, for people."""
        return self._places.free()

    def is_here(self, name: str) -> bool:
        """Whether a segment is on this host."""
        return os.path.exists(self._file(name))

    def keep(self, name: str) -> None:
        """Have a segment's file never be written again: this process still uses what it has mapped."""
        os.close(os.open(self._file(f"keep-{name}"), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))

    def _new_name(self) -> str:
        self._count += 1
        return f"{self._owner}-{self._count}"

    def _free(self, name: str) -> None:
        """Leave a file that nobody maps to whoever wants to write next."""
        path, kept = self._file(name), self._file(f"keep-{name}")
        try:
            if os.path.exists(kept):
                os.unlink(path)
                os.unlink(kept)
                return
            if os.path.dirname(path) != self._path:  # on disk: writing to pages that exist gains nothing there
                os.unlink(path)
                return
            size = os.stat(path).st_size
            if size + sum(known for _, known in self._free_files()) > FREE_BYTES_AT_MOST:
                os.unlink(path)
            else:
                os.rename(path, self._file(f"free-{size}-{self._new_name()}"))
        except FileNotFoundError:
            pass  # as in remove()

    def link(self, name: str, target: str) -> None:
        """Let a file that is elsewhere be found under `name`."""
        try:
            os.symlink(target, self._file(name))
        except FileExistsError:
            pass  # the same, for the name says what it is

    def claim(self, size: int, path: str) -> bool:
        """Make a free file of about this size ours, under `path`; one of two that try gets it."""
        for name, known in self._free_files():
            if size // 2 <= known <= 2 * size:
                try:
                    os.rename(self._file(name), path)
                except FileNotFoundError:
                    continue
                return True
        return False

    def _free_files(self) -> list[tuple[str, int]]:
        names = [name for name in os.listdir(self._path) if name.startswith("free-")]
        return [(name, int(name.split("-")[1])) for name in names]

    def _file(self, name: str) -> str:
        if "/" in name or name.startswith("."):
            raise ValueError(f"not a segment name: {name!r}")
        return self._places.find(name)
