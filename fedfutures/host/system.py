"""What the host process asks of the operating system: private directories, sub-reaping, orphans, processors.

Source: prctl(2), proc(5), cgroups(7).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import warnings
from typing import NamedTuple

from .flags import QUIET

DESCRIPTORS_AT_MOST = 1 << 16
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 4, 15, 36

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 32 << 20  # the most that glibc accepts as a threshold


def _prctl(option: int, value: int | bytes) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def become_subreaper() -> None:
    """Make orphaned descendants children of this process, so that it can end them (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent, whose pid was `parent` before the fork (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class _NeverRaised(Warning):
    """Never raised."""


class FormerState(NamedTuple):
    """What a process has had before it became a host process, and what its Workers are to have again."""

    umask: int
    core: int  # the limit of core dumps
    ignored: frozenset[int]  # signals


def disable_core_dumps() -> FormerState:
    """Keep what this process knows to itself: no core dumps, no debuggers, files for nobody else (Linux).

    Returns what :func:`restore_core_dumps` needs, for children that run user code.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    return FormerState(os.umask(0o077), soft, ignored_signals())


def ignored_signals() -> frozenset[int]:
    """Return the signals by which people end a run and that this process ignores: ``nohup`` has it so."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return frozenset(int(number) for number in ending if signal.getsignal(number) == signal.SIG_IGN)


def restore_core_dumps(before: FormerState) -> None:
    """Undo :func:`disable_core_dumps`."""
    _prctl(_PR_SET_DUMPABLE, 1)
    os.umask(before.umask)
    if warnings.filters[:1] == [QUIET]:
        del warnings.filters[0]  # type: ignore[attr-defined]
        warnings.filterwarnings("default", category=_NeverRaised, append=True)  # which has what is cached forgotten
        del warnings.filters[-1]  # type: ignore[attr-defined]
    resource.setrlimit(resource.RLIMIT_CORE, (before.core, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def raise_descriptor_limit() -> None:
    """Let this process have as many files and sockets as it may: each peer is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_AT_MOST if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_AT_MOST)
    if wanted > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def keep_freed_memory() -> None:
    """Have large buffers be taken from memory that was used before: new pages cost as much as filling them (glibc).

    Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 4 * _LARGE_BYTES)


def name_process(name: str) -> None:
    """Set what ``ps -o comm`` shows, 15 characters at most (Linux)."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def make_private_directory(base: str | None = None, *, lasting: bool = False) -> str:
    """Make a directory with mode 0700 and a name that nobody can guess, and return its path.

    A `lasting` one is not in the user's runtime directory, which systemd removes soon after the last login has ended.
    """
    if base is None:
        runtime = "" if lasting else os.environ.get("XDG_RUNTIME_DIR", "")
        base = runtime if os.access(runtime, os.W_OK) and len(runtime) < 64 else os.environ.get("TMPDIR", "/tmp")
        if len(base) > 64 or not os.access(base, os.W_OK):  # the path of an ipc socket has 107 characters at most
            base = "/tmp"
    path = os.path.join(base, f"fedfutures-{os.urandom(8).hex()}")
    os.mkdir(path, 0o700)
    return path


def shared_memory_base() -> str | None:
    """Return the directory of the memory file system, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def make_disk_directory() -> str:
    """Make a private directory in ``TMPDIR`` for values that shared memory has no room for; "" where that fails."""
    for base in dict.fromkeys((os.environ.get("TMPDIR", "/tmp"), "/tmp", "/var/tmp")):
        try:
            return make_private_directory(base)
        except OSError:
            continue
    return ""


def remove_tree(path: str) -> None:
    """Remove a flat directory and its files; nothing is an error."""
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        try:
            os.unlink(os.path.join(path, name))
        except OSError:
            pass
    try:
        os.rmdir(path)
    except OSError:
        pass


def orphans() -> list[int]:
    """Return the pids of all children of this process, adopted ones included (Linux)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return []


def memory() -> int:
    """How many bytes of memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def processors() -> int:
    """How many processors this process may use: affinity, and the quota of its control group.

    >>> processors() >= 1
    True
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, count if quota is None else min(count, int(quota + 0.5)))


def _cgroup_quota() -> float | None:
    """The processor quota of this control group (version 2, then 1), in processors."""
    for files in (
        ["/sys/fs/cgroup/cpu.max"],
        ["/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"],
    ):
        numbers = [word for file in files for word in words_in(file)]
        if len(numbers) == 2 and all(map(str.isdigit, numbers)):  # "max" or "-1": no quota
            return int(numbers[0]) / int(numbers[1])
    return None


def words_in(path: str) -> list[str]:
    """Return the words of a file of the kernel's; none if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().split()
    except (OSError, ValueError):
        return []


def number_behind(word: str, path: str) -> int | None:
    """Return the number that stands behind a word in a file of the kernel's."""
    words = [*words_in(path), "", ""]
    value = words[words.index(word) + 1] if word in words else ""
    return int(value) if value.isdigit() else None
