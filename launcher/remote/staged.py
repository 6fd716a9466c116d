"""The files that another host sends as a tar archive, behind whatever its login has printed.

Only plain files are taken, and only below the directory that is theirs: what a host says is not trusted with more.
"""

from __future__ import annotations

import os
import select
import shutil
import tarfile
from typing import IO, NamedTuple, cast

from fedfutures.wire.modules import is_inside

from ..ssh.texts.command import STAGED

NOISE_AT_MOST_BYTES = 1 << 20


class StagedFiles(NamedTuple):
    """How many files have come, of how many bytes, and why not all have; "" if they have."""

    files: int
    size: int
    why: str = ""


class ArchiveReader:
    """Reads an archive from a descriptor that does not block, and writes its files below a directory.

    `seconds`: for how long the other side may be silent.
    """

    def __init__(self, descriptor: int, directory: str, seconds: float) -> None:
        self._descriptor, self._directory, self._seconds = descriptor, directory, seconds
        self._rest = b""
        self._silent = False
        self._poller = select.poll()
        self._poller.register(descriptor, select.POLLIN)

    def take(self) -> StagedFiles:
        """Take all files. Raises OSError for what cannot be written here."""
        if not self._has_begun():
            return StagedFiles(0, 0, self._why("it ended before it sent any"))
        files = size = 0
        try:
            with tarfile.open(fileobj=cast(IO[bytes], self), mode="r|", bufsize=1 << 18) as archive:
                for member in archive:
                    if (place := self._place_of(member)) is not None:
                        content = archive.extractfile(member)
                        assert content is not None
                        os.makedirs(os.path.dirname(place), exist_ok=True)
                        with open(place, "wb") as file:
                            shutil.copyfileobj(content, file, 1 << 20)
                        os.utime(place, (member.mtime, member.mtime))
                        files, size = files + 1, size + member.size
        except (tarfile.TarError, EOFError) as error:
            return StagedFiles(files, size, self._why(f"what it sent breaks off ({error})"))
        return StagedFiles(files, size)

    def _why(self, otherwise: str) -> str:
        return f"it was silent for {self._seconds:.0f} s" if self._silent else otherwise

    def _has_begun(self) -> bool:
        """Read up to the line in front of the archive; return whether there is one."""
        said = b""
        while STAGED not in said:
            data = self._read()
            said = said[-NOISE_AT_MOST_BYTES:] + data
            if not data:
                return False
        self._rest = said.partition(STAGED)[2]
        return True

    def _place_of(self, member: tarfile.TarInfo) -> str | None:
        """Return where a file is to be, None for what is none or would be somewhere else."""
        return os.path.join(self._directory, member.name) if member.isreg() and is_inside(member.name) else None

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer where the archive ends; what tarfile reads from."""
        while len(self._rest) < size and (data := self._read()):
            self._rest += data
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _read(self) -> bytes:
        """Return what has come, b"" at the end."""
        if not self._poller.poll(self._seconds * 1000):
            self._silent = True
            return b""
        return os.read(self._descriptor, 1 << 18)
