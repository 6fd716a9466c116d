"""The processes below an Origin as /proc shows them: ``python -m benchmarks.processes PID`` lists them."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """One process and its CPU time, which includes that of its children already reaped."""

    pid: int
    parent: int
    session: int
    state: str
    name: str
    command: str
    cpu_seconds: float


def tree(root: int) -> list[Process]:
    """The process `root` and all below it, parents first."""
    children: dict[int, list[Process]] = defaultdict(list)
    found = []
    for process in _everything():
        children[process.parent].append(process)
        if process.pid == root:
            found.append(process)
    for process in found:
        found.extend(children[process.pid])
    return found


def session(leader: int) -> list[int]:
    """The living processes of the session that `leader` began."""
    return [process.pid for process in _everything() if process.session == leader and process.state != "Z"]


def find(root: int, word: str) -> Process | None:
    """The process below `root` whose name or, failing that, command contains `word`."""
    below = tree(root)[1:]
    by_name = [process for process in below if word in process.name.lower()]
    by_command = [process for process in below if word in process.command.lower()]
    return next(iter(by_name + by_command), None)


def cpu_seconds(root: int) -> float:
    """User and system time of `root` and all below it."""
    return sum(process.cpu_seconds for process in tree(root))


def rss_bytes(pid: int) -> int:
    """Resident memory."""
    return _memory(pid, "status", "VmRSS")


def peak_rss_bytes(pid: int) -> int:
    """The most resident memory since the start or `reset_peak`."""
    return _memory(pid, "status", "VmHWM")


def pss_bytes(pid: int) -> int:
    """Memory with each shared page divided among those who share it."""
    return _memory(pid, "smaps_rollup", "Pss")


def reset_peak(pid: int) -> None:
    """Let `peak_rss_bytes` start anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _everything() -> list[Process]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append(_read(int(entry.name)))
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended while we looked
    return found


def _read(pid: int) -> Process:
    head, _, tail = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
    fields = tail.split()
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    ticks = sum(map(int, fields[11:15]))  # utime, stime, and both of the reaped children
    return Process(
        pid, int(fields[1]), int(fields[3]), fields[0], head.partition("(")[2], command, ticks / _TICKS_PER_SECOND
    )


def _memory(pid: int, file: str, key: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no {key}: a zombie?")


def listing(root: int) -> str:
    """A table of `root` and all below it."""
    lines = [f"{'pid':>8} {'parent':>8} {'PSS MiB':>8} {'CPU s':>7}  name: command"]
    for process in tree(root):
        pss = "-" if process.state == "Z" else f"{pss_bytes(process.pid) / MIB:.1f}"
        lines.append(
            f"{process.pid:>8} {process.parent:>8} {pss:>8} {process.cpu_seconds:>7.2f}  "
            f"{process.name}: {process.command[:100]}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(listing(int(sys.argv[1])))
