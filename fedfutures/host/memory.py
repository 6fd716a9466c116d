"""Whether a process was killed because memory was short: what the kernel counts, where it can be read."""

from __future__ import annotations

from .system import number_behind, words_in

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
