"""``Executor(hosts=...)``: the same from a program that nobody launched."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launching import eventually

import fedfutures
from fedfutures.errors import StartFailed
from fedfutures.futures.executor import Executor

from .test_ends import nothing_left

pytestmark = pytest.mark.host

PROGRAM = """
    import sys
    from helpers import scaled, Point
    from fedfutures import Executor, Hosts

    def where(_):
        import time
        import fedfutures
        time.sleep(0.05)
        return fedfutures.worker.name.rpartition(".")[0]

    def begin(value):
        import helpers
        helpers.SCALE = value

    def main():
        hosts = Hosts(["h1", "h2"], ssh_config=sys.argv[1], ssh_executable=sys.argv[2] or None, allow_root=True)
        with Executor(max_workers=4, hosts=hosts, initializer=begin, initargs=(7,)) as executor:
            print(sorted(set(executor.map(where, range(40)))))
            print(executor.submit(scaled, Point(2)).result().x)
            print([future.result() for future in [executor.submit(pow, 2, n) for n in range(5)]])
            print(executor, executor.num_workers)

    if __name__ == "__main__":
        main()
"""


def hosts(lab, *names, **more):
    return fedfutures.Hosts(names, ssh_config=str(lab.config), allow_root=True, **more)


def test_a_program_of_its_own(rootless, client, tmp_path):
    from .ground import Ground
    from .programs import HELPERS

    ground = Ground(rootless, ["h1", "h2"], str(tmp_path), client)
    ground.write("helpers.py", HELPERS)
    prog = ground.write("prog.py", PROGRAM)
    executable = "ssh" if client == "openssh" else ""
    command = [sys.executable, prog, str(rootless.config), executable]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.splitlines() == [
        "['h1', 'h2']", "14", "[1, 2, 4, 8, 16]", "<Executor 4 Workers on h1, h2> 4"
    ], ended.stderr  # fmt: skip
    assert ended.stderr == ""
    nothing_left(ground)


def test_in_this_process(rootless):
    with Executor(max_workers=2, hosts=hosts(rootless, "h3")) as executor:
        assert executor.submit(os.getppid).result() != os.getpid()
        assert list(executor.map(abs, [-1, 2])) == [1, 2]


def where(seconds):
    import time

    time.sleep(seconds)
    return fedfutures.worker.name.rpartition(".")[0], fedfutures.SIZE


def workers_of(executor):
    """Return how many Workers each host has, and of how many they know."""
    counts, sizes = {}, set()
    for name, host, size in set(executor.map(named, [0.05] * 60)):
        counts.setdefault(host, set()).add(name)
        sizes.add(size)
    return {host: len(names) for host, names in counts.items()}, sizes


def named(seconds):
    host, size = where(seconds)
    return fedfutures.worker.name, host, size


def has(executor, counts):
    size = sum(counts.values())
    return eventually(lambda: workers_of(executor) == (counts, {size}), 20.0)


def connector_of(pid):
    below = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for listing in below for child in listing.read_text().split()]
    return next(child for child in pids if "connector" in Path(f"/proc/{child}/cmdline").read_text())


def test_more_workers_and_fewer_on_all_hosts(rootless):
    """Also when the connector was killed."""
    with Executor(max_workers=3, hosts=hosts(rootless, "h1", "h2", "h3")) as executor:
        results = executor.map(abs, range(-200_000, 0))
        assert executor.resize(7) == 7 == executor.num_workers
        assert has(executor, {"h1": 3, "h2": 2, "h3": 2})
        assert executor.resize(1) == 1
        assert has(executor, {"h1": 1})
        os.kill(connector_of(os.getpid()), signal.SIGKILL)
        executor.resize(5)
        assert has(executor, {"h1": 2, "h2": 2, "h3": 1})
        assert list(results) == list(range(200_000, 0, -1))


def test_names_alone_are_enough_for_this_machine():
    with Executor(max_workers=2, hosts=["localhost"]) as executor:
        assert executor.submit(abs, -3).result() == 3


def test_hosts_that_cannot_be_meant():
    with pytest.raises(TypeError, match="sequence of names"):
        Executor(hosts="h1")
    with pytest.raises(ValueError, match="no host name"):
        Executor(hosts=["-oProxyCommand=x"])


def test_hosts_that_cannot_be_reached(rootless, capfd):
    executor = Executor(max_workers=2, hosts=hosts(rootless, "nowhere.invalid", "h1", require_all=True))
    with pytest.raises(StartFailed, match="require") as caught:
        executor.submit(abs, 1)
    assert caught.value.summary == "1 of the hosts cannot be used, and --require-all asks for all"
    assert list(caught.value.hosts) == ["nowhere"]
    reason = caught.value.hosts["nowhere"]
    assert reason.startswith("nowhere.invalid: no address is known for this name; try: getent hosts nowhere.invalid")
    assert str(caught.value) == f"{caught.value.summary}\n  nowhere: {reason}"
    assert pickle.loads(pickle.dumps(caught.value)).hosts == caught.value.hosts
    executor.shutdown()
    assert "nowhere.invalid" in capfd.readouterr().err
