"""``--output DIR``: what Workers print goes to files of the program's machine, one for each Worker, of bounded size.

``DIR/HOST/WORKER.out`` has standard output and error in the order in which they came. A file that has grown to
:data:`PART_BYTES` becomes ``WORKER.out.1``, in place of the one before, so the newest output is always there. The
Worker that replaces another one after its end goes on in the file of that one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import StartFailed
from ..wire.names import host_of_node

PART_BYTES = 32 << 20


class FiledOutput:
    """The files of one run below a directory. Raises StartFailed where that cannot be written."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory).absolute()  # the program may change its directory
        self._sizes: dict[Path, int] = {}
        self._gone: dict[Path, int] = {}  # how many bytes of a Worker's are in no file any more
        self._workers: dict[Path, str] = {}  # whose output came last
        self._has_failed = False
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            probe = self.directory / f".{os.urandom(8).hex()}"
            probe.touch(exist_ok=False)
            probe.unlink()
        except OSError as error:
            raise StartFailed(
                f"what Workers print cannot be written below {self.directory}: {error.strerror or error}. Give another "
                "directory as output, or none"
            ) from error

    def write(self, worker: str, data: bytes, otherwise: Callable[[], object]) -> None:
        """Write what a Worker has printed. If that cannot be done, say so once, and do this instead."""
        try:
            self._write(self._file_of(worker), worker, data)
        except (OSError, ValueError) as error:
            if not self._has_failed:
                self._has_failed = True
                print(
                    f"fedfutures: what Workers print cannot be written below {self.directory}: {error}. What cannot be "
                    "written is shown here instead",
                    file=sys.stderr,
                )
            otherwise()

    def _file_of(self, worker: str) -> Path:
        place = worker.partition("+")[0]
        return self.directory / _safe(host_of_node(place) or "host") / f"{_safe(place)}.out"

    def _write(self, path: Path, worker: str, data: bytes) -> None:
        is_new = path not in self._sizes
        if is_new:
            path.parent.mkdir(exist_ok=True)
        elif self._workers[path] != worker:
            data = f"[{worker} takes the place of {self._workers[path]}]\n".encode("utf-8", "replace") + data
        elif self._sizes[path] + len(data) > PART_BYTES:
            data = self._next_part(path) + data
        with open(path, "wb" if is_new else "ab", buffering=0) as file:
            self._sizes[path] = self._sizes.get(path, 0)
            self._workers[path] = worker
            while data:
                written = file.write(data) or 0
                self._sizes[path] += written
                data = data[written:]

    def _next_part(self, path: Path) -> bytes:
        """Begin a file anew; return its first line, where something is left out before it."""
        older = path.with_name(path.name + ".1")
        had_older = path in self._gone
        self._gone[path] = self._gone.get(path, 0) + (PART_BYTES if had_older else 0)
        os.replace(path, older)
        self._sizes[path] = 0
        if not had_older:
            return b""
        return f"[... about {self._gone[path]} bytes before {older.name} are left out ...]\n".encode()


def _safe(name: str) -> str:
    """Return a name that stays in its directory, whatever a host calls its Workers."""
    made = "".join(each if each.isalnum() or each in "-_.+@:" else "_" for each in name)[:200]
    return f"_{made}" if made.startswith(".") or not made else made
