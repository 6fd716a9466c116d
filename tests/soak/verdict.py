"""What a soak has shown: counts, what was wrong, how long it took until there were results again. Pure."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

BAD = ("lost", "wrong", "twice")


@dataclass
class Verdict:
    """What `text` prints, and whether all is well."""

    seed: str
    seconds: float
    program: Mapping[str, float]  # what the program has counted; empty if it did not get to that
    code: int  # with which the program ended
    faults: Mapping[str, int]
    journal: Mapping[str, int]
    broken: Sequence[str]  # laws of the journal
    recovered: Mapping[str, Sequence[float]] = field(default_factory=dict)
    stalls: Sequence[float] = ()
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left: Sequence[str] = ()

    @property
    def problems(self) -> list[str]:
        """Return what must not be."""
        found = [f"{count} {what}" for what in BAD if (count := int(self.program.get(what, 0)))]
        if self.code or not self.program:
            found.append(f"the program ended with {self.code}")
        if self.broken:
            found.append(f"{len(self.broken)} lines of the journal break a law")
        return found + ([f"{len(self.left)} things left"] if self.left else [])

    def text(self) -> str:
        """Return all of it for people."""
        lines = [f"soak of {self.seconds / 60:.1f} min, seed {self.seed}: {sum(self.faults.values())} faults"]
        lines += [f"{count:7} {kind}" for kind, count in sorted(self.faults.items(), key=lambda one: -one[1])]
        lines += [f"program: {', '.join(f'{count:,} {what}' for what, count in self.program.items())}"]
        lines += [f"journal: {', '.join(f'{count:,} {what}' for what, count in self.journal.items())}"]
        lines += self.broken[:20]
        lines += [f"longest silences of the whole run: {', '.join(f'{one:.1f} s' for one in self.stalls)}"]
        lines += ["until the host of a fault had a result again (n, p50, p99, longest):"]
        for kind, seconds in sorted(self.recovered.items()):
            figures = ", ".join(f"{quantile(seconds, share):.2f}" for share in (0.5, 0.99, 1.0))
            lines.append(f"{len(seconds):7} {kind}: {figures} s")
        lines += [
            f"memory of its own, {role}: {one >> 20} -> {other >> 20} MB" for role, (one, other) in self.sizes.items()
        ]
        lines += [f"left after 2 s: {what}" for what in self.left]
        return "\n".join([*lines, f"verdict: {'; '.join(self.problems) or 'nothing lost, wrong, twice or left'}"])


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values is; of none, 0.

    >>> quantile([3.0, 1.0, 2.0], 0.5), quantile([3.0, 1.0, 2.0], 1.0), quantile([], 0.5)
    (2.0, 3.0, 0.0)
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def recoveries(
    faults: Iterable[tuple[str, str, float]], results: Mapping[str, Sequence[float]]
) -> dict[str, list[float]]:
    """Return by kind how long it took until the host of each fault had its next result.

    `faults` are (kind, host, time); `results` are the times of results by host, in order. Faults behind the last result
    of their host are left out: the load was over.

    >>> recoveries([("kill", "h1", 1.0), ("kill", "h1", 9.0), ("stop", "h2", 1.0)], {"h1": [0.5, 1.5], "h2": [4.0]})
    {'kill': [0.5], 'stop': [3.0]}
    """
    found: dict[str, list[float]] = {}
    for kind, host, time in faults:
        times = results.get(host, ())
        place = bisect.bisect_right(times, time)
        if place < len(times):
            found.setdefault(kind, []).append(times[place] - time)
    return found


def silences(times: Sequence[float], count: int) -> list[float]:
    """Return the longest times in which nothing happened, the longest first.

    >>> silences([0.0, 1.0, 4.0, 4.5], 2)
    [3.0, 1.0]
    """
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    return sorted(gaps, reverse=True)[:count]


def counted(kinds: Iterable[str]) -> dict[str, int]:
    """Return how often each kind was there."""
    return dict(Counter(kinds))
