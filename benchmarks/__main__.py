"""``python -m benchmarks``: run all or chosen figures, print the table, record it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import figures, isolation, plots, report
from benchmarks.model import Figure, Judged, Outcome, Outcomes, judge

REPETITIONS = 5
QUICK_REPETITIONS = 3
RESULTS = Path(__file__).resolve().parent / "results.rst"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=figures.NAMES,
        default=list(figures.NAMES),
        help=f"figures to run, of: {', '.join(figures.NAMES)}",
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer repetitions")
    parser.add_argument(
        "--repetitions",
        type=int,
        metavar="N",
        help=f"samples of each contestant ({REPETITIONS}, quick {QUICK_REPETITIONS})",
    )
    parser.add_argument("--write", action="store_true", help=f"record the table in {RESULTS.name}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="record rows and samples in FILE")
    return parser.parse_args(arguments)


def measure(figure: Figure, repetitions: int, quick: bool) -> Outcomes:
    """All samples of one figure, the contestants in turn; one that failed is not asked again."""
    outcomes = {name: Outcome() for name in figure.contestants}
    for repetition in range(repetitions):
        # Every other time in reverse, so that a drift of the machine favours nobody.
        for name, contestant in list(figure.contestants.items())[:: -1 if repetition % 2 else 1]:
            outcome = outcomes[name]
            if outcome.failure or repetition >= (contestant.at_most or repetitions):
                continue
            start = time.monotonic()
            try:
                outcome.samples.append(isolation.run_sample(figure.name, name, contestant, quick))
                state = "done"
            except isolation.SampleFailed as failure:
                outcome.failure = state = str(failure)
            print(
                f"  {figure.name} {repetition + 1}/{repetitions} {name}: {state}, {time.monotonic() - start:.1f} s",
                file=sys.stderr,
            )
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, record; 1 if a bar is missed."""
    options = parse(arguments)
    repetitions = options.repetitions or (QUICK_REPETITIONS if options.quick else REPETITIONS)
    facts = report.machine()
    rows: list[Judged] = []
    outcomes: dict[str, Outcomes] = {}
    print(*report.heading_lines(), sep="\n", flush=True)
    for name in options.only:
        figure = figures.load(name, options.quick)
        outcomes[name] = measure(figure, repetitions, options.quick)
        rows += (judged := judge(figure, outcomes[name]))
        print(*report.text_lines(judged), sep="\n", flush=True)
    if options.json:
        report.write_json(options.json, rows, facts, outcomes)
    if options.write:
        skipped = ", ".join(name for name in figures.NAMES if name not in options.only)
        size = " (quick)" if options.quick else ""
        run = {"repetitions": f"{repetitions}{size}", "not run": skipped or "none"}
        RESULTS.write_text(report.rst(rows, facts, run))
        plots.beside_peers(rows)
    missed = [judged for judged in rows if judged.verdict == "FAIL"]
    print(f"{len(missed)} of {sum(bool(judged.verdict) for judged in rows)} bars missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
