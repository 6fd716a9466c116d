"""``python -m benchmarks.paired COMMIT``: figures of this checkout beside those of another commit, pair by pair.

Each contestant of ours runs in turn with the packages of this checkout and of the other (a git worktree of its own),
every other pair in reverse. A ratio is the median over the pairs, above 1 where this checkout has the larger value.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import figures, isolation
from benchmarks.model import Contestant

FIGURES = ("submit_rate", "round_trip", "nested", "map_rate", "cpu_per_future", "start")
OURS = ("Executor", "launched", "fedfutures")
PAIRS = 20


def packages_of(checkout: Path, place: Path) -> Path:
    """Return a directory from which the packages of a checkout are imported, with the benchmarks of this one."""
    place.mkdir()
    for name, target in (
        ("fedfutures", checkout / "fedfutures"),
        ("fedfutures_launcher", checkout / "launcher"),
        ("benchmarks", isolation.PACKAGE),
    ):
        (place / name).symlink_to(target)
    return place


def measure(
    figure: str, name: str, contestant: Contestant, roots: Sequence[Path], pairs: int
) -> dict[str, list[float]]:
    """Return the ratios of each metric, this checkout over the other."""
    ratios: dict[str, list[float]] = {}
    for pair in range(pairs):
        samples = {}
        for index in (0, 1) if pair % 2 else (1, 0):
            samples[index] = isolation.run_sample(figure, name, contestant, False, roots[index])
        for metric, value in samples[0].items():
            if samples[1].get(metric):
                ratios.setdefault(metric, []).append(value / samples[1][metric])
    return ratios


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the pairs and print a line for each metric."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paired", description=__doc__)
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("--only", nargs="+", metavar="FIGURE", choices=figures.NAMES, default=list(FIGURES))
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        other = Path(made) / "checkout"
        git = ["git", "-C", str(isolation.ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(other), options.commit], check=True)
        try:
            roots = packages_of(isolation.ROOT, Path(made) / "this"), packages_of(other, Path(made) / "other")
            for name in options.only:
                for contestant, what in figures.load(name, False).contestants.items():
                    if contestant.startswith(OURS):
                        for metric, found in measure(name, contestant, what, roots, options.pairs).items():
                            low, middle, high = min(found), statistics.median(found), max(found)
                            line = f"{name:16} {contestant:24} {metric:20} {middle:.3f}  ({low:.2f} to {high:.2f})"
                            print(line, flush=True)
        finally:
            subprocess.run([*git, "remove", "--force", str(other)], check=True)


if __name__ == "__main__":
    sys.exit(main())
