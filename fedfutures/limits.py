"""What this machine allows, and in words which limit an error has met: its name, its figure, and what to do.

libzmq aborts the process where it finds no descriptor, or no thread, for its own: :func:`check_room` looks before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import threading

LIMIT_EXIT_CODE = 82
"""How a child of a host process ends that has met a limit; its dump says which."""
DESCRIPTORS_OF_A_CONTEXT = 24
THREADS_OF_A_CONTEXT = 2
_NO_THREAD = "can't start new thread"


def check_room() -> None:
    """Raise OSError or RuntimeError if a ZeroMQ context of this process would find no descriptors or no threads."""
    held: list[int] = []
    enough = threading.Event()
    threads = [threading.Thread(target=enough.wait, daemon=True) for _ in range(THREADS_OF_A_CONTEXT)]
    begun: list[threading.Thread] = []
    try:
        held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        held += [os.dup(held[0]) for _ in range(DESCRIPTORS_OF_A_CONTEXT - 1)]
        for thread in threads:
            thread.start()
            begun.append(thread)
    finally:
        for descriptor in held:
            os.close(descriptor)
        enough.set()
        for thread in begun:
            thread.join()


def reached(error: BaseException) -> str | None:
    """Return which limit an error has met, how high it is, and what to do; None: it has met none.

    >>> reached(ValueError("7")), reached(FileNotFoundError(2, "No such file"))
    (None, None)
    """
    code = getattr(error, "errno", None)  # an OSError, or one of ZeroMQ's
    if code in (errno.EMFILE, errno.ENFILE):
        return _descriptors(every_process=code == errno.ENFILE)
    if isinstance(error, BlockingIOError) or _NO_THREAD in str(error):
        return _processes()
    if code in (errno.ENOSPC, errno.EDQUOT):
        return _room(getattr(error, "filename", None), over_quota=code == errno.EDQUOT)
    if code == errno.ENOMEM or isinstance(error, MemoryError):
        return memory()
    return None


def _descriptors(*, every_process: bool) -> str:
    if every_process:
        return "this machine has all files open that it may have (fs.file-max); as root: sysctl -w fs.file-max=1000000"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(4096, 4 * soft)
    text = f"a process may have no more than {soft:,} open files and sockets (RLIMIT_NOFILE)"
    if soft < hard or hard == resource.RLIM_INFINITY:
        return f"{text}; before the run starts: ulimit -n {hard if 0 < hard < wanted else wanted}"
    return (
        f"{text}, and that is the hard limit; as root: ulimit -Hn {wanted}, or `nofile` in /etc/security/limits.conf; "
        f"with Docker: --ulimit nofile={wanted}"
    )


def _processes() -> str:
    for used, most, file in _control_groups("pids"):
        if used >= most - max(8, most // 10):  # some may have ended since
            return (
                f"{used:,} of {most:,} processes and threads that its control group may have are there ({file}); give "
                "it more (Docker's --pids-limit, systemd's TasksMax), or start fewer Workers"
            )
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft != resource.RLIM_INFINITY and os.geteuid():
        return (
            f"user {os.geteuid()} may have no more than {soft:,} processes and threads (RLIMIT_NPROC); before the run "
            f"starts: ulimit -u {max(4096, 4 * soft)}, or start fewer Workers"
        )
    number = _number("/proc/sys/kernel/threads-max")
    return f"this machine gives no more processes or threads (kernel.threads-max is {number}); start fewer Workers"


def _room(path: object, *, over_quota: bool) -> str:
    place = os.path.dirname(path) if isinstance(path, str) and path else os.environ.get("TMPDIR", "/tmp")
    advice = "remove files there, or set TMPDIR to another directory before the run starts"
    if over_quota:
        return f"the user's quota on the file system of {place} is used up (quota -s); {advice}"
    with contextlib.suppress(OSError):
        if (state := os.statvfs(place)).f_files and not state.f_favail:
            return f"all {state.f_files:,} inodes of the file system of {place} are in use (df -i {place}); {advice}"
    return f"the file system of {place} is full (df -h {place}); {advice}"


def memory() -> str:
    """Return which limit of memory is the lowest, and what to do."""
    for name, letter in (("RLIMIT_AS", "v"), ("RLIMIT_DATA", "d")):
        soft, _ = resource.getrlimit(getattr(resource, name))
        if soft != resource.RLIM_INFINITY:
            text = f"a process may have no more than {soft:,} bytes of memory ({name})"
            return f"{text}; before the run starts: ulimit -{letter} unlimited"
    for used, most, file in _control_groups("memory"):
        if used >= 0.9 * most:
            text = f"{used:,} of {most:,} bytes that its control group may have are in use ({file})"
            return f"{text}; give it more, or start fewer Workers"
    return "this machine gives no more memory (free -m; sysctl vm.overcommit_memory); start fewer Workers"


def _control_groups(controller: str) -> list[tuple[int, int, str]]:
    """Return (used, most, file) of each control group of this process that has a limit, from the inmost outwards."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as listing:
            lines = [line.strip().split(":", 2) for line in listing]
    except (OSError, ValueError):
        return []
    found: list[tuple[int, int, str]] = []
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and controller not in controllers.split(","):
            continue  # of version 1, another hierarchy
        top = f"/sys/fs/cgroup/{controller}" if controllers else "/sys/fs/cgroup"
        files = _FILES[controller][bool(controllers)]
        parts = [part for part in path.split("/") if part and part != ".."]
        for depth in range(len(parts), -1, -1):  # in a container the path may be one of the outside; its top is here
            place = "/".join([top, *parts[:depth]])
            used, most = (_number(f"{place}/{file}") for file in files)
            if used is not None and most is not None:
                found.append((used, most, f"{place}/{files[1]}"))
    return found


_FILES = {
    "pids": (("pids.current", "pids.max"), ("pids.current", "pids.max")),
    "memory": (("memory.current", "memory.max"), ("memory.usage_in_bytes", "memory.limit_in_bytes")),
}
"""By controller: the files of use and limit in control groups of version 2, and of version 1."""


def _number(path: str) -> int | None:
    try:
        with open(path, encoding="utf-8") as file:
            return int(file.read())
    except (OSError, ValueError):  # "max", for instance
        return None
