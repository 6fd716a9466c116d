"""``python -m benchmarks.limits``: how punctually Futures that are over their time limit end, and what goes on then.

- end: from the start of the function to the TaskTimeout, less the limit of 0.2 s;
- next: from there to the first value of a Future that was submitted then, on a machine with one Worker;
- half: 1,000 limited Futures of which every other one is over its limit: how many of the others have their value.

With ``--hosts`` and ``--ssh-config`` the Workers are on other hosts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

from fedfutures import Executor, Hosts
from fedfutures.errors import TaskTimeout

LIMIT_SECONDS = 0.2
HALF_LIMIT_SECONDS = 0.1


def spin(seconds: float) -> float:
    """Compute for a while."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return seconds


def _percentiles(name: str, values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"{name}: p50 {cuts[49]:.3f} s, p99 {cuts[98]:.3f} s, most {max(values):.3f} s"


def punctuality(executor: Any, count: int) -> str:
    """Return how late Futures end, and how soon the next one has run."""
    limited, late, following = executor.options(time_limit=LIMIT_SECONDS), [], []
    executor.submit(spin, 0.0).result()
    for _ in range(count):
        began = time.monotonic()
        assert isinstance(limited.submit(spin, 60.0).exception(), TaskTimeout)
        ended = time.monotonic()
        late.append(ended - began - LIMIT_SECONDS)
        executor.submit(spin, 0.0).result()
        following.append(time.monotonic() - ended)
    return f"{count} ends\n{_percentiles('end', late)}\n{_percentiles('next', following)}"


def half(executor: Any, count: int) -> str:
    """Return how many of those that are in time have their value, where as many are late."""
    limited = executor.options(time_limit=HALF_LIMIT_SECONDS)
    futures = [(index % 2, limited.submit(spin, 60.0 if index % 2 else 0.0)) for index in range(count)]
    ended = sum(isinstance(future.exception(), TaskTimeout) for late, future in futures if late)
    right = sum(future.exception() is None and future.result() == 0.0 for late, future in futures if not late)
    return f"half: {right} of {count // 2} in time are right, {ended} of {count // 2} late ones have ended"


def main(arguments: list[str] | None = None) -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    options.add_argument("--ends", type=int, default=100)
    options.add_argument("--futures", type=int, default=1000)
    options.add_argument("--hosts", nargs="*", default=[], help="other hosts, by ssh")
    options.add_argument("--ssh-config")
    chosen = options.parse_args(arguments)
    made: dict[str, Any] = {}
    if chosen.hosts:
        made["hosts"] = Hosts(chosen.hosts, ssh_config=chosen.ssh_config, allow_root=True)
    with Executor(max(1, len(chosen.hosts)), **made) as executor:
        print(punctuality(executor, chosen.ends))
        print(half(executor, chosen.futures))


if __name__ == "__main__":
    sys.exit(main())
