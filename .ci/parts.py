"""The parts of a run of CI: what each took, its budget, its slowest tests, and those that did not pass.

``parts.py run NAME MINUTES COMMAND…`` runs a part and writes down what it took. With a question mark behind the minutes
a part that takes longer is shown and fails nothing: one that is known to. ``parts.py report`` prints the table of all
parts, then how many tests passed; it fails if a part took longer than its budget allows. ``parts.py clear`` forgets the
parts of an earlier run.

A budget is minutes on an idle machine of the kind that CI has, and machines are slower at times. So a fixed piece of
work is timed on all processors before and after each part, and a part is held against the time that it would have
taken if that work had taken what it takes on an idle machine. What is left of the noise gets a margin.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

RECORD = Path(__file__).resolve().parent.parent / "build" / "ci_parts.jsonl"
MARGIN = 1.25
"""How much longer than its budget a part may take, when the slowness of the machine has been taken out."""
PROBE_IDLE_S = 1.0
"""What the piece of work takes on an idle machine."""
PROBE = """
import time
start = time.perf_counter()
found = {}
for number in range(5_000_000):
    found[number % 5_003] = [number, str(number)]
print(time.perf_counter() - start)
"""
SLOWEST = 3
DURATION = re.compile(r"^ *(\d+\.\d+)s (?:call|setup|teardown) +(\S.*)$")
"""What pytest's ``--durations`` says of a test."""
SUMMARY = re.compile(r"^(?:=+ )?(?=\d+ \w+)(.* in \d+\.\d+s.*?)(?: =+)?$")
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
FAILURE = re.compile(r"^(?:FAILED|ERROR) (tests/\S*::.*)$")
"""What pytest's short summary says of a test that did not pass."""


@dataclass
class Part:
    """What a part took; `slowness` says how many times longer the fixed piece of work took than on an idle machine."""

    name: str
    budget_min: float
    wall_s: float = 0.0
    cpu_s: float = 0.0
    slowness: float = 1.0
    code: int = 0
    enforced: bool = True
    slowest: list[tuple[float, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def idle_min(self) -> float:
        """What it would have taken on an idle machine, in minutes."""
        return self.wall_s / 60 / max(1.0, self.slowness)

    @property
    def verdict(self) -> str:
        """Whether it kept its budget."""
        if self.code:
            return "failed"
        if self.idle_min <= self.budget_min:
            return "ok"
        if self.idle_min <= self.budget_min * MARGIN:
            return "within the margin"
        return "OVER BUDGET" if self.enforced else "over budget (known)"

    def read(self, line: str) -> None:
        """Take from a line of output what pytest says of tests."""
        if found := DURATION.match(line):
            self.slowest.append((float(found[1]), found[2]))
        elif found := FAILURE.match(line):
            self.failures.append(found[1])
        elif found := SUMMARY.match(line):
            for number, what in COUNT.findall(found[1]):
                what = "failed" if what.startswith("error") else what
                self.counts[what] = self.counts.get(what, 0) + int(number)


def slowness() -> float:
    """Time the piece of work, once on each processor at a time."""
    count = len(os.sched_getaffinity(0))
    started = [subprocess.Popen([sys.executable, "-c", PROBE], stdout=subprocess.PIPE, text=True) for _ in range(count)]
    took = [float(process.communicate()[0]) for process in started]
    return sum(took) / count / PROBE_IDLE_S


def run(part: Part, command: list[str]) -> Part:
    """Run a part, pass on what it prints, and write down what it took."""
    before = slowness()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            part.read(line.decode(errors="replace").rstrip("\n"))
    part.wall_s = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    part.cpu_s = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    part.code = process.returncode
    part.slowness = max(before, slowness())
    part.slowest = sorted(part.slowest, reverse=True)[:SLOWEST]
    return part


def table(parts: list[Part]) -> str:
    """Return the table of all parts, with the slowest tests of each and those that did not pass."""
    lines = [f"{'part':24} {'budget':>7} {'idle':>6} {'wall':>6} {'CPU':>6} {'slowness':>8}  (minutes)"]
    for part in parts:
        numbers = f"{part.budget_min:7.1f} {part.idle_min:6.1f} {part.wall_s / 60:6.1f} {part.cpu_s / 60:6.1f}"
        lines.append(f"{part.name:24} {numbers} {part.slowness:8.2f}  {part.verdict}")
        lines += [f"    {seconds:6.1f} s  {name}" for seconds, name in part.slowest]
        lines += [f"    failed:   {test}" for test in part.failures]
    return "\n".join(lines)


def totals(parts: list[Part]) -> str:
    """Return one line that says how many tests passed."""
    counts = {what: sum(part.counts.get(what, 0) for part in parts) for what in ("passed", "failed", "skipped")}
    return "total: " + ", ".join(f"{number} {what}" for what, number in counts.items())


def recorded() -> list[Part]:
    """Return the parts that have run."""
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    return [Part(**json.loads(line)) for line in lines]


def main(words: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    match words:
        case ["clear"]:
            RECORD.unlink(missing_ok=True)
            return 0
        case ["run", name, minutes, *command] if command:
            part = run(Part(name, float(minutes.rstrip("?")), enforced=not minutes.endswith("?")), command)
            RECORD.parent.mkdir(exist_ok=True)
            with RECORD.open("a") as record:
                print(json.dumps(asdict(part)), file=record)
            return part.code
        case ["report"]:
            parts = recorded()
            print(table(parts))
            print(totals(parts), flush=True)
            return int(any(part.code or part.verdict == "OVER BUDGET" for part in parts))
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
