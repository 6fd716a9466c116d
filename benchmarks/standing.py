"""``python -m benchmarks.standing``: a standing Federation of this machine.

- join: from ``Executor(join=NAME)`` to the first result, in a program that has started; and a whole command, from the
  start of Python to its end, beside the same command as a run of its own;
- shares: results of programs with long backlogs, as parts of all, while all of them run;
- leaks: memory (PSS) and descriptors of the keeper after so many joins and leaves;
- resize: 2 to 16 to 2 Workers under load, and how often each call has run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import fedfutures
from fedfutures.standing.joining import status_of

NAME = "benchmark"
SECONDS = 12.0
PROGRAM = """
import sys, time
from fedfutures import futures

def work(number):
    time.sleep(0.02)
    return number

if __name__ == "__main__":
    print("begun", flush=True)
    begin, seconds = float(sys.argv[1]), float(sys.argv[2])
    count = 0
    for _ in futures.map(work, range(1_000_000)):
        count += begin <= time.time() < begin + seconds
        if time.time() >= begin + seconds:
            print(count, flush=True)
            break
    sys.stdout.flush()
    import os
    os._exit(0)
"""
SHORT = "from fedfutures import futures\nif __name__ == '__main__':\n    print(futures.submit(abs, -3).result())\n"


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "fedfutures", *words], stdout=subprocess.PIPE, text=True)


def joins(times: int) -> list[float]:
    """Return how many milliseconds each join takes to its first result."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        with fedfutures.Executor(2, join=NAME) as executor:
            executor.submit(abs, -3).result()
            found.append(1000 * (time.perf_counter() - began))
    return found


def commands(program: Path, *words: str) -> float:
    """Return how many seconds a command takes, the median of some."""
    found = []
    for _ in range(7):
        began = time.perf_counter()
        assert command(*words, str(program)).communicate()[0] == "3\n"
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def shares(program: Path, count: int) -> list[float]:
    """Return which part of all results each of so many programs has."""
    begin = time.time() + 2.0 + 0.7 * count
    running = [command("--join", NAME, str(program), str(begin), str(SECONDS)) for _ in range(count)]
    counts = [int(process.communicate()[0].split()[1]) for process in running]
    return [each / sum(counts) for each in counts]


def keeper() -> tuple[float, int]:
    """Return the memory of the keeper in MiB, and its descriptors."""
    pid = status_of(NAME).pid
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024, len(
        os.listdir(f"/proc/{pid}/fd")
    )


def note(number: int, path: str) -> int:
    with open(path, "a") as file:
        file.write(f"{number}\n")
    time.sleep(0.005)
    return number


def resizes(path: Path, rounds: int) -> str:
    """Return how often calls have run while a run was resized."""
    with fedfutures.Executor(2) as executor:
        given = [executor.submit(note, number, str(path)) for number in range(300 * rounds)]
        for workers in (16, 2) * rounds:
            executor.resize(workers)
            time.sleep(0.1)
        assert [future.result() for future in given] == list(range(len(given)))
    runs = Counter(Counter(path.read_text().split()).values())
    return f"2 to 16 to 2 Workers, {rounds} times: " + ", ".join(
        f"{calls} calls ran {'once' if times == 1 else f'{times} times'}" for times, calls in sorted(runs.items())
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print or write a page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standing", description=__doc__.splitlines()[0])
    parser.add_argument("--joins", type=int, default=1000, help="so many joins and leaves; default: 1000")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the figures into this page")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_STATE_HOME"] = directory
        program, short = Path(directory, "program.py"), Path(directory, "short.py")
        program.write_text(PROGRAM)
        short.write_text(SHORT)
        assert command("up", NAME, "-n", "2", "-q").wait() == 0
        try:
            lines = measure(program, short, Path(directory, "noted"), options.joins)
        finally:
            command("down", NAME).wait()
    text = "\n".join(f"- {line}" for line in lines) + "\n"
    print(text)
    if options.write:
        options.write.write_text(text)
    return 0


def measure(program: Path, short: Path, noted: Path, times: int) -> list[str]:
    """Return the figures in words."""
    found = joins(50)
    lines = [f"join to first result: {statistics.median(found):.1f} ms, at most {max(found):.1f} ms (50 joins)"]
    joined, own = commands(short, "-q", "--join", NAME), commands(short, "-q", "-n", "2")
    lines.append(f"a whole command: {joined:.2f} s, as a run of its own {own:.2f} s")
    for count in (2, 3, 10):
        parts = ", ".join(f"{part:.2f}" for part in sorted(shares(program, count)))
        lines.append(f"{count} programs with long backlogs on two slots, {SECONDS:g} s: {parts}")
    before = keeper()
    joins(times)
    after = keeper()
    lines.append(
        f"the keeper after {times} joins and leaves: {after[0]:.1f} MiB and {after[1]} descriptors, before "
        f"{before[0]:.1f} MiB and {before[1]}"
    )
    lines.append(resizes(noted, 10))
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
