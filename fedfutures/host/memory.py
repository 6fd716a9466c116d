"""Tells whether the kernel has killed a process because memory was short, by the kernel's own counts."""

from __future__ import annotations

import os

from .system import memory, number_behind, words_in

OUT_OF_MEMORY = "out of memory"
_ROOT = "/sys/fs/cgroup"


class KillCounter:
    """Compares the kernel's counts of kills: this control group's is proof, the machine's only makes it probable."""

    def __init__(self, groups: list[str] | None = None, machine: str = "/proc/vmstat") -> None:
        self._files = [*((group, OUT_OF_MEMORY) for group in (_groups() if groups is None else groups)),
                       (machine, f"probably {OUT_OF_MEMORY}")]  # fmt: skip
        self._explained = [_count(file) for file, _ in self._files]
        self._last = machine  # the file that has explained the last kill

    def explanation(self) -> str:
        """Return ", out of memory" if that is why SIGKILL came, else "". Each counted kill explains one end."""
        for place, (file, why) in enumerate(self._files):
            if _count(file) > self._explained[place]:
                self._explained = [count + 1 for count in self._explained]
                self._last = file
                return f", {why}"
        return ""

    def bound(self) -> int:
        """Return how many bytes the processes together might use when the kernel killed last."""
        bounds = [memory()]
        place = os.path.dirname(self._last)
        while place.startswith(_ROOT):  # a group has also the limits of those around it
            for name in ("memory.max", "memory.limit_in_bytes"):
                bounds += [int(word) for word in words_in(os.path.join(place, name)) if word.isdigit()]
            place = os.path.dirname(place)
        return min(bounds)


def _groups() -> list[str]:
    """Return the files with the counts of the control group (version 2, and 1)."""
    groups = [f"{_ROOT}/memory.events"]
    for word in words_in("/proc/self/cgroup"):
        _, controllers, path = [*word.split(":", 2), "", ""][:3]
        if not controllers:
            groups.insert(0, f"{_ROOT}{path.rstrip('/')}/memory.events")
        elif "memory" in controllers.split(","):
            groups.append(f"{_ROOT}/memory{path.rstrip('/')}/memory.oom_control")
    return list(dict.fromkeys(groups))


def _count(file: str) -> int:
    return number_behind("oom_kill", file) or 0
