"""``python -m tests.simulation.mutants``: does the simulator notice bugs? Plants each of many, one at a time.

A mutant is judged by schedules of faults first, then by figure runs, then by the pure tests of the machines. Whatever
breaks with the sound code too is no evidence.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from types import FrameType

import pytest
from hypothesis import Phase, settings

from fedfutures.simulation.command_line import run_seed
from fedfutures.simulation.records import LawBroken
from fedfutures.simulation.scenario import FigureRun, Figures, FigureSettings
from fedfutures.simulation.schedule import Verdict

from .mutant_page import BY_TESTS, Row, read_page, summary, version, write_page
from .mutant_table import ALL, BY_NAME, Mutant
from .planting import planted, watched

SCHEDULE_SECONDS = 20
PURE_SECONDS = 240
STORIES = "tests/simulation/test_stories.py::test_the_story_goes_on_as_it_did"
PURE = (
    "tests/broker",
    "tests/node",
    "tests/worker",
    "tests/federation",
    "tests/wire/test_codec.py",
    "tests/wire/test_digests.py",
    STORIES,
)
"""The last is of what is said, word for word: it notices much, but does not say whether it matters."""
FIGURES = (
    FigureSettings(brokers=1, workers=4, futures=400),
    FigureSettings(brokers=8, workers=4, futures=640),
    FigureSettings(brokers=9, workers=4, futures=720, sites=True, distribution="exponential", seconds=0.1),
    FigureSettings(brokers=8, workers=2, futures=64, seconds=0.5, distribution="exponential"),
)
MEASURES = ("executions", "events", "late")
ERRORS, LEAST_CHANGE = 4.0, 0.003
"""All schedules together have noticed a mutant when they cost more by so many standard errors."""
SLOWER, MORE_MESSAGES = 1.10, 1.25
"""A figure run has noticed a mutant when it takes so many times as long, or so many times as many messages."""


@dataclass
class Finding:
    """What noticed a mutant: a law and a seed, a figure, a test; nothing has, if `by` is empty."""

    mutant: Mutant
    by: str = ""
    where: str = ""
    detail: str = ""
    seconds: float = 0.0


def overdue(number: int, frame: FrameType | None) -> None:
    """A machine does not come to an end."""
    raise TimeoutError("a step that does not end")


@contextlib.contextmanager
def in_time(seconds: int) -> Iterator[None]:
    """Raise TimeoutError if it takes more processor time."""
    before = signal.signal(signal.SIGVTALRM, overdue)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def verdict_of(seed: int) -> Verdict:
    """Run one schedule."""
    try:
        with in_time(SCHEDULE_SECONDS):
            return run_seed(seed)
    except Exception as error:  # of a machine in a state that it was not made for
        return Verdict(seed, LawBroken("crash of a machine", repr(error), seed), "")


def sound_verdict(seed: int) -> tuple[Verdict, set[str]]:
    """Run one schedule with the sound code; say which mutants would change a statement that it comes to."""
    with watched(ALL) as reached:
        return verdict_of(seed), reached


def schedules_worse(found: Sequence[Verdict], sound: Sequence[Verdict]) -> str:
    """Compare what all schedules cost; say what is worse than with the sound code, beyond chance."""
    for name in MEASURES:
        before = [float(getattr(verdict, name)) for verdict in sound]
        more = [float(getattr(verdict, name)) - old for verdict, old in zip(found, before)]
        error = stdev(more) / sqrt(len(more)) if len(more) > 1 else 0.0
        change = mean(more) / mean(before)
        if change > LEAST_CHANGE and mean(more) > ERRORS * error:
            return f"{name} of all schedules: {change:+.1%}"
    return ""


@cache
def sound_figures() -> list[Figures]:
    """Return the figures of the sound code."""
    return [FigureRun(chosen).run() for chosen in FIGURES]


def figures_worse() -> str:
    """Run the figures; say which is worse than the sound code's."""
    for number, (chosen, sound) in enumerate(zip(FIGURES, sound_figures()), 1):
        try:
            with in_time(SCHEDULE_SECONDS):
                figures = FigureRun(chosen).run()
        except Exception as error:
            return f"figure run {number}: {error!r}"
        if figures.executions != sound.executions:
            return f"figure run {number}: {figures.executions} executions of {figures.futures} Futures"
        for name, most in (("ratio", SLOWER), ("messages_per_future", MORE_MESSAGES)):
            now, before = getattr(figures, name), getattr(sound, name)
            if now > most * before:
                return f"figure run {number}: {name} {now:.2f}, not {before:.2f}"
    return ""


def judge(mutant: Mutant, sound: Sequence[Verdict]) -> Finding:
    """Find what notices a mutant; `sound` is what schedules come to with the sound code that reach its statement."""
    sound_figures()
    began, finding = time.perf_counter(), Finding(mutant)
    with planted(mutant):
        found = []
        for old in sound:
            verdict = verdict_of(old.seed)
            found.append(verdict)
            if verdict.broken is not None:
                finding.by, finding.where = verdict.broken.law, f"seed {old.seed}"
                finding.detail = verdict.broken.detail
                break
        else:
            worse = sound and (schedules_worse(found, sound) or figures_worse())
            if worse:
                finding.by, _, finding.detail = worse.partition(": ")
                finding.where = finding.detail
    finding.seconds = time.perf_counter() - began
    return finding


# -- the pure tests, in a process of their own -------------------------------------------------------------------------


class FirstFailures:
    """Notes which tests fail."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def run_pure_tests(mutant: Mutant | None, most: int, without: Sequence[str]) -> int:
    """Run the pure tests here, with a mutant; print which fail."""
    settings.register_profile("mutants", database=None, phases=[Phase.explicit, Phase.generate], deadline=None)
    settings.load_profile("mutants")
    noted = FirstFailures()
    options = [*PURE, "--ignore=tests/broker/test_exhaustive.py", "-q", "-p", "no:cacheprovider", "-mnot host",
               f"--maxfail={most}", "-Wignore::pytest.PytestAssertRewriteWarning", "--hypothesis-seed=1"]  # fmt: skip
    options += [f"--deselect={name}" for name in without]
    with planted(mutant) if mutant is not None else contextlib.nullcontext(), contextlib.redirect_stdout(sys.stderr):
        code = pytest.main(options, plugins=[noted])
    print("\n".join(noted.failed))
    return int(code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED))


def pure_failures(name: str, most: int, without: Sequence[str]) -> list[str]:
    """Return tests that fail with a mutant ("": with the sound code)."""
    command = [sys.executable, "-m", "tests.simulation.mutants", "--pure", str(most)]
    command += ["--only", name] if name else []
    for test in without:
        command += ["--without", test]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PURE_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        return ["a test that does not end"]
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


# -- all of them -------------------------------------------------------------------------------------------------------


def judge_fully(argument: tuple[str, list[Verdict], list[str] | None]) -> Finding:
    """Judge a mutant by all there is, in a process of its own; by the simulator alone if `without` is None."""
    name, sound, without = argument
    finding = judge(BY_NAME[name], sound)
    if not finding.by and without is not None:
        failed = pure_failures(name, 1, without)
        if failed:
            finding.by, finding.where = BY_TESTS, failed[0].removeprefix("tests/")
    return finding


def row_of(finding: Finding, judged: str) -> Row:
    """Return what the page says of a mutant."""
    by = finding.by or f"nothing: {REASONS.get(finding.mutant.name, 'not explained')}"
    where = f"``{finding.where}``" if finding.by == BY_TESTS else finding.where
    return Row(by, where or "-", judged)


PAGE = Path(__file__).parents[2] / "docs" / "mutants.rst"
REASONS: dict[str, str] = {}
"""Why nothing notices a mutant, where that is so."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    found.add_argument("--schedules", type=int, default=400, metavar="N", help="the seeds from 1 to N")
    found.add_argument("--at-most", type=int, default=1000, metavar="N", help="of those that reach a mutant, so many")
    found.add_argument("--processes", type=int, default=2, metavar="N", help="how many mutants at a time")
    found.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these mutants")
    found.add_argument("--again", type=int, metavar="N", help="N of those that the simulator alone has not noticed")
    found.add_argument("--simulator", action="store_true", help="no tests: what they have noticed stays as it is")
    found.add_argument("--write", type=Path, metavar="FILE", help="write what was judged into the table there")
    found.add_argument("--pure", type=int, metavar="N", help="run the pure tests with it, up to N failures")
    found.add_argument("--without", action="append", default=[], metavar="TEST", help="leave this test out")
    return found


def main() -> int:
    """Do what the command line says."""
    options = parser().parse_args()
    if options.pure:
        return run_pure_tests(BY_NAME[options.only[0]] if options.only else None, options.pure, options.without)
    page = options.write or PAGE
    rows = read_page(page.read_text(encoding="utf-8"))
    mutants = [BY_NAME[name] for name in options.only] or ALL
    if options.again:
        mutants = [mutant for mutant in mutants if mutant.name not in rows or not rows[mutant.name].by_simulator]
        mutants = sorted(mutants, key=lambda mutant: rows[mutant.name].judged if mutant.name in rows else "")
        mutants = mutants[: options.again]
    with multiprocessing.get_context("fork").Pool(options.processes) as pool:
        sound = pool.map(sound_verdict, range(1, options.schedules + 1), 10)
    broken = [verdict.seed for verdict, _ in sound if verdict.broken is not None]
    failing = None if options.simulator else pure_failures("", 99, [])
    print(f"with the sound code break a law: {broken}; fail: {failing}", flush=True)
    judged = f"{version()}, {options.schedules}"
    found = []
    work = []
    for mutant in mutants:
        fitting = [verdict for verdict, reached in sound if mutant.name in reached and verdict.broken is None]
        work.append((mutant.name, fitting[: options.at_most], failing))
    with multiprocessing.get_context("fork").Pool(options.processes, maxtasksperchild=1) as pool:
        for finding in pool.imap(judge_fully, work):
            row, name = row_of(finding, judged), finding.mutant.name
            if not finding.by and options.simulator and name in rows:
                row = rows[name]._replace(judged=judged if rows[name].by == BY_TESTS else rows[name].judged)
            found.append(row)
            said = f"{finding.by or 'SURVIVES'} {finding.where}"
            print(f"{name:<36} {said:<60} {finding.seconds:5.1f} s  {finding.detail[:90]}", flush=True)
            if options.write:
                rows |= {name: row}
                options.write.write_text(write_page(ALL, rows), encoding="utf-8")
    print(summary(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
