"""Whether a process was killed because memory was short: what the kernel counts, where it can be read."""

from __future__ import annotations

import os

OUT_OF_MEMORY = "out of memory"
_ROOT = "/sys/fs/cgroup"


class KillCounter:
    """Counts what the kernel has killed for want of memory: in the control group of this process, and on the machine.

    The control group's count speaks of our processes; the machine's may speak of others, so it only makes it probable.
    """

    def __init__(self, groups: list[str] | None = None, machine: str = "/proc/vmstat") -> None:
        self._files = [*((group, OUT_OF_MEMORY) for group in (_groups() if groups is None else groups)),
                       (machine, f"probably {OUT_OF_MEMORY}")]  # fmt: skip
        self._explained = [_count(file) for file, _ in self._files]

    def explanation(self) -> str:
        """Return why a process was killed (SIGKILL), for behind that: ", out of memory"; "" if it is not known.

        A kill that was counted explains one end.
        """
        for place, (file, why) in enumerate(self._files):
            if _count(file) > self._explained[place]:
                self._explained = [count + 1 for count in self._explained]
                return f", {why}"
        return ""


def _groups() -> list[str]:
    """Return the files with the counts of the control group (version 2, and 1)."""
    groups = [os.path.join(_ROOT, "memory.events")]
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if not controllers:
                    groups.insert(0, f"{_ROOT}{path.rstrip('/')}/memory.events")
                elif "memory" in controllers.split(","):
                    groups.append(f"{_ROOT}/memory{path.rstrip('/')}/memory.oom_control")
    except (OSError, ValueError):
        pass
    return list(dict.fromkeys(groups))


def _count(file: str) -> int:
    try:
        with open(file, encoding="utf-8") as text:
            return next((int(line.split()[1]) for line in text if line.startswith("oom_kill ")), 0)
    except (OSError, ValueError, IndexError):
        return 0
