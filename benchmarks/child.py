"""The fresh process of one sample: ``python -m benchmarks.child FIGURE CONTESTANT [--quick]``."""

from __future__ import annotations

import sys

from benchmarks import figures, isolation


def main(figure: str, contestant: str, *flags: str) -> None:
    """Measure one contestant of one figure and report."""
    measure = figures.load(figure, "--quick" in flags).contestants[contestant].measure
    assert measure is not None, "a launched contestant has a program of its own"
    isolation.report(measure())


if __name__ == "__main__":
    main(*sys.argv[1:])
