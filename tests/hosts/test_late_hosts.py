"""A host whose start-up files take longer than a run waits: it comes in late, or the run waits for it alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Machine, Rootless

from .ground import Ground

pytestmark = pytest.mark.host

SLOW_SECONDS = 11  # longer than a run waits, shorter than a host may take
PROGRAM = """
import time
import fedfutures
from fedfutures import futures


def where(number):
    time.sleep(0.01)
    return fedfutures.worker.name.rpartition(".")[0]


if __name__ == "__main__":
    print("size", fedfutures.SIZE, flush=True)
    seen, until = set(), time.monotonic() + 60
    while "slow" not in seen and time.monotonic() < until:
        seen |= set(futures.map(where, range(8)))
    print("hosts", *sorted(seen))
    print("size", fedfutures.SIZE)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rootless]:
    slow = f'sleep {SLOW_SECONDS}; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    with Rootless([Machine("quick"), Machine("slow", force_command=slow)], tmp_path_factory.mktemp("late")) as made:
        yield made


@pytest.mark.parametrize(
    ("words", "before", "after"), [([], "size 4", "size 6"), (["-n", "6"], "size 6", "size 6")], ids=["", "-n 6"]
)
def test_a_host_that_is_late_comes_in(lab: Rootless, tmp_path: Path, words: list[str], before: str, after: str) -> None:
    ground = Ground(lab, ["quick", "slow"], str(tmp_path), "paramiko")
    prog = ground.write("prog.py", PROGRAM)
    if not words:
        ground.hostfile = ground.write("hosts", "quick slots=4\nslow slots=2\n")
    ended = ground.launch(*words, prog)
    assert (ended.out.splitlines(), ended.code) == ([before, "hosts quick slow", after], 0), ended.err
    assert "not yet" in ended.err
    assert "host slow has come, with " in ended.err


def test_a_run_waits_for_the_only_host(lab: Rootless, tmp_path: Path) -> None:
    ground = Ground(lab, ["slow"], str(tmp_path), "paramiko")
    prog = ground.write("prog.py", PROGRAM)
    ended = ground.launch("-n", "2", prog, hosts=["slow"])
    assert (ended.out.splitlines(), ended.code) == (["size 2", "hosts slow", "size 2"], 0), ended.err
