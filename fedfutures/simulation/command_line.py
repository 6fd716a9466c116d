"""``python -m fedfutures.simulation``: figure runs, schedules of faults, and the gate that CI runs."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .observer import Listener
from .records import LawBroken
from .scenario import FigureRun, Figures, FigureSettings
from .schedule import MACHINE_FAILED, Schedule, Verdict
from .trace import Trace
from .transcript import Transcript
from .world import Costs

COMMAND = "python -m fedfutures.simulation"
CHUNK = 25
CHECKED_OF = 7
"""So many steps of machines are made for one that is checked; an invariant that is broken once mostly stays so."""
FAILURES_PRINTED = 20
GATE_SCHEDULES = 10_000
GATE_RATIO = 1.1
GATE_UTILISATION = 0.95
GATE_RUNS = (
    FigureSettings(brokers=200, workers=8, seconds=0.01, futures=128_000, sites=True),
    FigureSettings(brokers=200, workers=8, seconds=1.0, futures=16_000, sites=True),
)
"""Federations that are to come near the ideal: a tree of sites with 1,600 Workers, short Futures and long ones. (Larger
ones take minutes; their figures are kept in the documentation.)"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog=COMMAND, description=__doc__, allow_abbrev=False)
    found.add_argument("--seed", type=int, default=1, help="what decides everything; of many schedules, the first")
    figure = found.add_argument_group("a figure run: one Federation without faults")
    figure.add_argument("--brokers", type=int, default=1, metavar="N")
    figure.add_argument("--workers", type=int, default=4, metavar="N", help="of each Broker")
    figure.add_argument("--fan-out", type=int, default=32, metavar="N", help="neighbours below a Broker at most")
    figure.add_argument("--futures", type=int, default=0, metavar="N", help="in all; ten for each Worker if not given")
    figure.add_argument("--seconds-per-future", type=float, default=0.01, metavar="S")
    figure.add_argument("--distribution", choices=["constant", "uniform", "exponential"], default="constant")
    figure.add_argument("--latency", type=float, default=0.0001, metavar="S", help="of a link between Brokers, one way")
    figure.add_argument("--sites", action="store_true", help="group the Brokers into sites, 1 ms from each other")
    figure.add_argument("--broker-cost", type=float, default=0.0, metavar="S", help="processor time of a message")
    figure.add_argument("--worker-cost", type=float, default=0.0, metavar="S", help="processor time of a Future")
    figure.add_argument(
        "--processors", type=int, default=0, metavar="N", help="that all nodes share; 0: each has its own"
    )
    figure.add_argument("--json", action="store_true", help="print the figures as JSON")
    figure.add_argument("--trace", type=Path, metavar="FILE", help="write a timeline for https://ui.perfetto.dev")
    faults = found.add_argument_group("schedules of faults")
    faults.add_argument("--schedules", type=int, default=0, metavar="N", help="run schedules SEED to SEED + N - 1")
    faults.add_argument("--within", type=float, default=float("inf"), metavar="S", help="those that this time allows")
    faults.add_argument("--processes", type=int, default=1, metavar="N", help="how many at a time")
    both = found.add_argument_group("either")
    both.add_argument("--transcript", type=Path, metavar="FILE", help="write what happened, - to print it")
    both.add_argument("--compare", type=Path, metavar="FILE", help="fail when a transcript written before differs")
    both.add_argument("--gate", action="store_true", help="run what CI demands, and fail where a bar is missed")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    chosen = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(chosen)
    if options.gate:
        return run_gate(options)
    if options.schedules:
        return run_schedules(options, chosen)
    return run_figure(options, chosen)


# -- figure runs -------------------------------------------------------------------------------------------------------


def settings_of(options: argparse.Namespace) -> FigureSettings:
    """Return the settings that the options name."""
    return FigureSettings(
        brokers=options.brokers, workers=options.workers, fan_out=options.fan_out, futures=options.futures,
        seconds=options.seconds_per_future, distribution=options.distribution, latency=options.latency,
        sites=options.sites, seed=options.seed,
        costs=Costs(options.broker_cost, options.worker_cost, options.processors),
    )  # fmt: skip


def run_figure(options: argparse.Namespace, chosen: list[str]) -> int:
    """Run a Federation and print its figures."""
    transcript = Transcript() if options.transcript or options.compare else None
    trace = Trace() if options.trace else None
    listeners: list[Listener] = [listener for listener in (transcript, trace) if listener is not None]
    began = time.perf_counter()
    try:
        figures = FigureRun(settings_of(options), *listeners).run()
    except LawBroken as error:
        print(error, file=sys.stderr)
        return 1
    wall = time.perf_counter() - began
    if trace is not None:
        trace.write(options.trace)
    print(to_json(figures, wall) if options.json else to_text(figures, wall))
    return tell(transcript, options, chosen)


def to_json(figures: Figures, wall: float) -> str:
    """Write figures for programs."""
    more = {"ratio": figures.ratio, "messages_per_future": figures.messages_per_future}
    more |= {"wall_seconds": wall, "events_per_second": figures.events / wall}
    return json.dumps(dataclasses.asdict(figures) | more, indent=2)


def to_text(figures: Figures, wall: float) -> str:
    """Write figures for people."""
    return "\n".join(
        [
            f"{figures.futures} Futures on {figures.workers} Workers: {figures.makespan:.4g} s, "
            f"{figures.ratio:.3f} times the ideal",
            f"utilisation           {figures.utilisation:.1%}",
            f"messages per Future   {figures.messages_per_future:.2f}",
            f"messages per Broker   mean {figures.broker_messages_mean:.0f}, most {figures.broker_messages_max}",
            f"peers per Broker      most {figures.peers_max}",
            f"queued at a Broker    most {figures.queued_max}",
            f"executions            {figures.executions}",
            f"simulated in          {wall:.1f} s, {figures.events / wall:.0f} events/s",
        ]
    )


def tell(transcript: Transcript | None, options: argparse.Namespace, chosen: list[str]) -> int:
    """Write or compare what happened."""
    if transcript is None:
        return 0
    if options.compare:
        differs = transcript.differs(options.compare)
        if differs:
            print(differs, file=sys.stderr)
            return 1
    if options.transcript and str(options.transcript) == "-":
        print("\n".join(transcript.lines))
    elif options.transcript:
        without = [word for word in chosen if word not in ("--transcript", str(options.transcript))]
        transcript.write(options.transcript, " ".join([COMMAND, *without]))
    return 0


# -- schedules ---------------------------------------------------------------------------------------------------------


def run_seed(seed: int, transcript: Transcript | None = None) -> Verdict:
    """Run one schedule. If a machine fails, run it again with each step checked: the fault may have come earlier."""
    if transcript is not None:
        return Schedule(seed, transcript).run()
    verdict = Schedule(seed, checked_of=CHECKED_OF).run()
    if verdict.broken is not None and verdict.broken.law == MACHINE_FAILED:
        verdict = Schedule(seed).run()
    return verdict


def run_chunk(seeds: Sequence[int]) -> list[Verdict]:
    """Run some schedules, in a process of its own perhaps."""
    gc.disable()  # a Federation is a cycle itself, and is dropped as a whole
    try:
        return [run_seed(seed) for seed in seeds]
    finally:
        gc.enable()
        gc.collect()


def verdicts(first: int, count: int, processes: int) -> Iterator[Verdict]:
    """Run many schedules; the verdicts come in the order of the seeds."""
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    if processes < 2:
        for chunk in chunks:
            yield from run_chunk(chunk)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for found in pool.imap(run_chunk, chunks):
            yield from found


def run_schedules(options: argparse.Namespace, chosen: list[str]) -> int:
    """Run schedules; print those that break a law, and how to see more of them."""
    if options.transcript or options.compare:
        return replay(options, chosen)
    began = time.perf_counter()
    failed = count = futures = executions = events = disturbances = 0
    late = 0.0
    for verdict in verdicts(options.seed, options.schedules, options.processes):
        count += 1
        futures += verdict.futures
        executions += verdict.executions
        events += verdict.events
        disturbances += verdict.disturbances
        late = max(late, verdict.late)
        if verdict.broken is not None:
            failed += 1
            if failed <= FAILURES_PRINTED:
                print(verdict.broken)
                print(f"    faults: {verdict.swarm}")
                print(f"    replay: {COMMAND} --schedules 1 --seed {verdict.seed} --transcript -", flush=True)
        if time.perf_counter() - began > options.within:
            print(f"of {options.schedules} schedules, so many were run within {options.within:g} s:")
            break
    wall = time.perf_counter() - began
    print(
        f"{count} schedules, {failed} broke a law; {futures} Futures, {executions / max(1, futures):.3f} executions "
        f"each, {disturbances} disturbances, {events} events; the last resolved {late:.1f} s after healing\n"
        f"{wall:.1f} s, {count / wall:.1f} schedules/s"
    )
    return 1 if failed else 0


def replay(options: argparse.Namespace, chosen: list[str]) -> int:
    """Run one schedule again and tell what happened."""
    transcript = Transcript()
    verdict = run_seed(options.seed, transcript)
    code = tell(transcript, options, chosen)
    print(f"faults: {verdict.swarm}")
    if verdict.broken is not None:
        print(verdict.broken)
        return 1
    return code


# -- the gate ----------------------------------------------------------------------------------------------------------


def gate_run(settings: FigureSettings) -> tuple[Figures, float]:
    """Run one of the gate's Federations, in a process of its own; return its figures and the processor time it took."""
    began = time.process_time()
    figures = FigureRun(settings).run()
    return figures, time.process_time() - began


def run_gate(options: argparse.Namespace) -> int:
    """Run the Federations, two at a time, then the schedules."""
    missed = []
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(gate_run, GATE_RUNS, chunksize=1)
    for settings, (figures, took) in zip(GATE_RUNS, found):
        name = f"{settings.brokers} Brokers, Futures of {settings.seconds} s"
        print(f"-- {name}\n{to_text(figures, took)}", flush=True)
        if figures.ratio > GATE_RATIO:
            missed.append(f"{name}: {figures.ratio:.2f} times the ideal, not {GATE_RATIO}")
        if figures.utilisation < GATE_UTILISATION:
            missed.append(f"{name}: utilisation {figures.utilisation:.3f}, not {GATE_UTILISATION}")
        if figures.executions != figures.futures:
            missed.append(f"{name}: {figures.executions} executions of {figures.futures} Futures")
    options.schedules, options.processes = options.schedules or GATE_SCHEDULES, max(2, options.processes)
    if run_schedules(options, []):
        missed.append("a law was broken")
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0
