"""The directory that a batch system makes for a batch job on a host, and removes when the job ends, however it ends.

Grid Engine and PBS make one, and put its path into ``TMPDIR``. They may kill all processes of a run at once, with
SIGKILL; then nobody is left to remove a directory elsewhere. Sources: sge_conf(5), "tmpdir", and qsub(1); the guides of
PBS Professional and TORQUE, "TMPDIR". On a file system of another host, shared memory would be slow, so that it is not
put there. Sources: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_LOCAL = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"})
_MOUNTS = "/proc/self/mountinfo"
_ROOM_SHARE = 2
"""A disk is used in place of shared memory if it has room for at least one part of so many of that."""


def directory_of_job(environ: Mapping[str, str]) -> str | None:
    """Return the directory that ends with this batch job; None: there is none, or a socket's path would not fit.

    >>> directory_of_job({"JOB_ID": "7", "TMPDIR": "/scratch"}), directory_of_job({"TMPDIR": "/"})
    (None, None)
    """
    number = environ.get("PBS_JOBID", "").partition(".")[0]
    if not number and "SGE_ROOT" in environ:
        number = environ.get("JOB_ID", "")
    path = environ.get("TMPDIR", "")
    is_its_own = number and re.search(rf"(?<!\d){re.escape(number)}(?!\d)", os.path.basename(path.rstrip("/")))
    return path if is_its_own and len(path) < 64 and os.access(path, os.W_OK) else None


def suits_shared_memory(path: str, instead: str | None) -> bool:
    """Whether a directory can hold what is otherwise in shared memory, at the place `instead`."""
    return instead is None or (_file_system(path) in _LOCAL and _free(path) * _ROOM_SHARE >= _free(instead))


def _file_system(path: str) -> str:
    """Return the type of the file system that a directory is on; "" if nobody knows."""
    try:
        device = os.stat(path).st_dev
        with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
            rows = [line.partition(" - ") for line in file]
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    return next((kind.split()[0] for mount, _, kind in rows if mount.split()[2] == number), "")


def _free(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
