"""What the host process asks of the operating system. Sources: prctl(2), proc(5), cgroups(7)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from ..supervision.standstills import Sight
from .flags import QUIET

DESCRIPTORS_AT_MOST = 1 << 16
KEPT_SCORE, WORKER_SCORE = -500, 500
"""Added to the badness of a process when the kernel is out of memory, in thousandths of all memory (proc(5))."""
_SCORE = "/proc/self/oom_score_adj"
PREFIX = "fedfutures-h"
"""How the names of private directories begin whose processes hold them (:mod:`.directories`); 15 hex digits follow."""
REMOVALS_AT_MOST = 20
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 4, 15, 36

_KILL_CALLS = {"x86_64": ("62", "200", "234"), "aarch64": ("129", "130", "131")}
"""The numbers of kill, tkill and tgkill."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 32 << 20  # the most that glibc accepts as a threshold


def _prctl(option: int, value: int | bytes) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def become_subreaper() -> None:
    """Make orphaned descendants children of this process, so that it can end them (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


@contextlib.contextmanager
def subreaper_paused() -> Iterator[None]:
    """Let processes whose parent ends meanwhile be children of somebody further up."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 0)
    try:
        yield
    finally:
        become_subreaper()


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent, whose pid was `parent` before the fork (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class _NeverRaised(Warning):
    """The category of a filter that matches nothing."""


class FormerState(NamedTuple):
    """What a process had before it became a host process; its Workers get it back."""

    umask: int
    core: int  # the limit of core dumps
    ignored: frozenset[int]  # signals
    score: int = 0  # its oom_score_adj
    files: int = resource.RLIM_INFINITY  # the limit of descriptors


def disable_core_dumps() -> FormerState:
    """Forbid core dumps, debuggers (Linux) and files that others can read: this process holds keys.

    Returns what :func:`restore_core_dumps` needs, for children that run user code.
    """
    score = _keep_in_memory()  # first: a process that is not dumpable may not write its files in /proc
    _prctl(_PR_SET_DUMPABLE, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FormerState(os.umask(0o077), soft, ignored_signals(), score, files)


def _keep_in_memory() -> int:
    """Have the kernel, out of memory, end this process late: as late as this user may ask for. Return what it was."""
    words = words_in(_SCORE)
    before = int(words[0]) if words else 0
    for score in (KEPT_SCORE, 0):
        if score < before and _set_score(score):
            break
    return before


def _set_score(score: int) -> bool:
    try:
        with open(_SCORE, "w") as file:
            file.write(str(score))
    except OSError:  # lower than what root has set needs root; or this is not Linux
        return False
    return True


def offer_memory(before: FormerState) -> None:
    """Have the kernel, out of memory, end this Worker and what it starts first; among Workers it takes the largest."""
    _set_score(min(1000, before.score + WORKER_SCORE))


def ignored_signals() -> frozenset[int]:
    """Return the signals that end a run and that this process ignores, as under ``nohup``."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return frozenset(int(number) for number in ending if signal.getsignal(number) == signal.SIG_IGN)


def restore_core_dumps(before: FormerState) -> None:
    """Undo :func:`disable_core_dumps`, in a child that runs user code."""
    _prctl(_PR_SET_DUMPABLE, 1)
    os.umask(before.umask)
    if warnings.filters[:1] == [QUIET]:
        del warnings.filters[0]  # type: ignore[attr-defined]
        warnings.filterwarnings("default", category=_NeverRaised, append=True)  # empties the registries of modules
        del warnings.filters[-1]  # type: ignore[attr-defined]
    resource.setrlimit(resource.RLIMIT_CORE, (before.core, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if before.files != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before.files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def raise_descriptor_limit() -> None:
    """Let this process have as many files and sockets as it may: each peer is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_AT_MOST if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_AT_MOST)
    if wanted > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def wake_for_children() -> int:
    """Return a descriptor that can be read when a child's state may have changed, or another signal has come."""
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return read


def keep_freed_memory() -> None:
    """Have glibc reuse freed memory for large buffers: new pages cost as much as filling them (mallopt(3))."""
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
    path = os.path.join(base, PREFIX + os.urandom(8).hex()[1:])
    os.mkdir(path, 0o700)
    return path


def shared_memory_base() -> str | None:
    """Return the directory of the memory file system, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def make_disk_directory() -> str:
    """Make a private directory in ``TMPDIR`` for values that shared memory has no room for; "" where that fails."""
    for base in (os.environ.get("TMPDIR", "/tmp"), "/tmp", "/var/tmp"):
        with contextlib.suppress(OSError):
            return make_private_directory(base)
    return ""


def end_session(leader: int, seconds: float) -> None:
    """Kill all processes of a session, and wait until they are gone, for a bounded time (Linux).

    While the leader was not reaped, no other session can have its number.
    """
    deadline = time.monotonic() + seconds
    while (members := _members(leader)) and time.monotonic() < deadline:
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def _members(session: int) -> list[int]:
    """Return the pids of the processes of a session, but for those that are dead and were not reaped."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            words = words_in(f"/proc/{name}/stat", behind=")")
            if len(words) > 3 and words[3] == str(session) and words[0] not in "ZX":
                found.append(int(name))
    return found


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data` to a descriptor that blocks."""
    while data:
        data = data[os.write(descriptor, data) :]


def remove(path: str) -> None:
    """Remove a file, or a directory with all that is in it; never raise. No symbolic link is followed."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:
        import shutil  # few runs have directories in theirs

        shutil.rmtree(path, ignore_errors=True)


def remove_tree(path: str) -> None:
    """Remove a directory and its files, as far as possible; never raise.

    A Worker that is being killed may add a file meanwhile: then it is tried again.
    """
    for _ in range(REMOVALS_AT_MOST):
        try:
            for name in os.listdir(path):
                remove(os.path.join(path, name))
            os.rmdir(path)
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                return
            time.sleep(0.002)


def orphans() -> list[int]:
    """Return the pids of all children of this process, adopted ones included (Linux)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return []


def state_of(pid: int) -> str:
    """Return the letter of a process's state, "T" if a signal has stopped it; "" if it is gone (Linux)."""
    return ("".join(words_in(f"/proc/{pid}/stat")).rpartition(")")[2])[:1]


def sight_of(pid: int) -> Sight:
    """Return what is seen of a process's main thread: state, page faults, CPU time, input and output (Linux)."""
    thread = f"/proc/{pid}/task/{pid}"
    words = [*words_in(f"{thread}/stat", behind=")"), *[""] * 13]
    return Sight(words[0], (words[7], words[9], *words[11:13], *words_in(f"{thread}/io")[1::2]))


def stopped_itself(pid: int) -> bool:
    """Whether a process that a signal has stopped has sent that itself, or nobody knows (Linux).

    A thread that sends itself a signal stops inside of the system call (proc_pid_syscall(5)).
    """
    calls = _KILL_CALLS.get(os.uname().machine)
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    words = [words_in(f"/proc/{pid}/task/{thread}/syscall") for thread in threads]
    return calls is None or not any(words) or any(found[:1] and found[0] in calls for found in words)


def memory() -> int:
    """Return the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def processors() -> int:
    """Return how many processors this process may use: affinity, and the quota of its control group.

    >>> processors() >= 1
    True
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    version_1 = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"
    if pair := pair_in("/sys/fs/cgroup/cpu.max") or pair_in(*version_1):
        count = min(count, int(pair[0] / pair[1] + 0.5))
    return max(1, count)


def pair_in(*paths: str) -> tuple[int, int] | None:
    """Return the two numbers in files of the kernel's; None for anything else, as "max" or "-1": no limit."""
    words = [word for path in paths for word in words_in(path)]
    return (int(words[0]), int(words[1])) if len(words) == 2 and all(map(str.isdigit, words)) else None


def words_in(path: str, *, behind: str = "") -> list[str]:
    """Return the words of a file of the kernel's, those behind the last such mark; none if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace" if behind else "strict") as file:
            text = file.read()
            return (text.rpartition(behind)[2] if behind else text).split()
    except (OSError, ValueError):
        return []


def number_behind(word: str, path: str) -> int | None:
    """Return the number that stands behind a word in a file of the kernel's."""
    words = [*words_in(path), "", ""]
    value = words[words.index(word) + 1] if word in words else ""
    return int(value) if value.isdigit() else None
