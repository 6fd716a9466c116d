"""``--stage-out`` on hosts with files of their own: what Futures have written there comes into a directory per host."""

from __future__ import annotations

import re
import subprocess

import pytest

from fedfutures_launcher.connector.staging import DIRECTORY

from .ground import Ground
from .test_ends import nothing_left, one_client

pytestmark = [pytest.mark.host, pytest.mark.once]

PROGRAM = """
import os, sys, time
from fedfutures import futures, worker

def write(number):
    host = worker.name.partition(".")[0]
    os.makedirs("plots/deep", exist_ok=True)
    for name in (f"{host}.csv", f"plots/deep/{number}.png", "other.txt"):
        with open(name, "w") as file:
            file.write(f"{host} " * 1000)
    time.sleep(0.1)
    return host

if __name__ == "__main__":
    print(*sorted(set(futures.map(write, range(8), chunksize=1))))
    sys.exit(int(sys.argv[1]))
"""


def listed(network: Ground, place: str) -> list[str]:
    """The files below a directory of the launching machine."""
    command = [*network.prefix, "find", place, "-type", "f", "-printf", "%P\\n"]
    return sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@one_client
@pytest.mark.parametrize("code", [0, 3])
def test_files_that_futures_write_come_back(network: Ground, code: int) -> None:
    """Also where the program fails; those from before the run stay where they are."""
    for host in ("h2", "h3"):
        network.lab.run(
            host, "rm -rf /data && mkdir /data && echo old > /data/old.csv && touch -d '1 hour ago' /data/old.csv"
        )
    words = ["--path", "/data", "--stage-out", "*.csv", "--stage-out", "plots/**/*.png"]
    ended = network.launch("-n", "2", *words, network.write("prog.py", PROGRAM), str(code), hosts=["h2", "h3"])
    assert (ended.code, ended.out) == (code, "h2 h3\n"), ended.err
    (place,) = re.findall(r"^fedfutures: 10 files of other hosts \(0\.0 MiB\): (.*)$", ended.err, re.MULTILINE)
    found = listed(network, place)
    subprocess.run([*network.prefix, "rm", "-r", place], check=True)
    assert place.endswith(f"/{DIRECTORY}")
    assert [path for path in found if path.endswith(".csv")] == ["h2/h2.csv", "h3/h3.csv"]
    plots = [path for path in found if path not in ("h2/h2.csv", "h3/h3.csv")]
    assert sorted(path[-5:] for path in plots) == [f"{number}.png" for number in range(8)]
    assert {path.rpartition("/")[0] for path in plots} == {"h2/plots/deep", "h3/plots/deep"}
    nothing_left(network)


def test_a_run_whose_hosts_wrote_nothing_says_so(rootless, tmp_path) -> None:
    ground = Ground(rootless, ["h1"], str(tmp_path), "paramiko")
    ended = ground.launch("-n", "1", "--stage-out", "*.png", ground.write("prog.py", "print('ran')"))
    assert (ended.code, ended.out) == (0, "ran\n")
    assert "no file that was written on other hosts in this run matches *.png" in ended.err
    nothing_left(ground)
