"""Programs of other systems whose servers are on other hosts: ssh servers, each with a Federation of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.machines import Machine
from lab.rootless import Rootless
from launching import Running, python

pytestmark = pytest.mark.host
HOSTS = ("tower", "rack")
PP = """
import os
from fedfutures.compat import pp

def who(number):
    print("number", number)
    return os.getpid()

if __name__ == "__main__":
    server = pp.Server(0, ppservers=("tower:60000", "rack"))
    print(server.get_active_nodes())
    jobs = [server.submit(who, (number,)) for number in range(12)]
    print(len({job() for job in jobs}))
    print({name: found.njobs for name, found in server.get_stats().items()})
    server.destroy()
    try:
        pp.Server(0, ppservers=("rack:60001",))
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[-2:])
"""
SEPPO = """
import os
from fedfutures.compat import seppo

def hello(value):
    return value * value, os.getpid()

if __name__ == "__main__":
    results = seppo.map_parallel(hello, [1, 2, 3, 4, 5])
    pids = [pid for _, pid in results]
    print([square for square, _ in results], [pids.index(pid) for pid in pids])
"""
EZPOOL = """
from fedfutures.compat.ezpool import BaseWorker, Pool

class Square(BaseWorker):
    def run(self, number):
        return number * number

if __name__ == "__main__":
    with Pool() as pool:
        workers = ("PYRO:worker@tower:60000", "PYRO:worker@rack:60000")
        print(pool.dmap(fun=Square, tasks=range(6), workers=workers))
"""
JOBLIB = """
import numpy
from joblib import Parallel, delayed, parallel_config
import fedfutures.joblib
from fedfutures import Hosts

def where(number, array):
    import time
    time.sleep(0.05)
    return fedfutures.worker.name.rpartition(".")[0], float(array.sum())

if __name__ == "__main__":
    large = numpy.ones(300_000)
    with parallel_config(backend="fedfutures", n_jobs=4, hosts=Hosts(["tower", "rack"], allow_root=True)):
        found = set(Parallel()(delayed(where)(number, large) for number in range(40)))
    print(sorted(found))
    fedfutures.joblib.shutdown()
"""


class Servers:
    """Two hosts, each with a standing Federation of the name 60000 and one slot."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        machines = [Machine(name, lines=[f"SetEnv XDG_STATE_HOME={directory / name}"]) for name in HOSTS]
        self.lab = Rootless(machines, directory / "lab")
        for name in HOSTS:
            assert self.on(name, "up", "60000", "-n", "1", "-q").end().code == 0

    def on(self, name: str, *words: str) -> Running:
        return Running(words, env={"XDG_STATE_HOME": str(self.directory / name)})

    def output(self, program: str, **environment: str) -> str:
        """Run a plain program of a user whose own ssh config leads to the hosts."""
        home = self.directory / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700, exist_ok=True)
        (home / ".ssh" / "config").write_text(self.lab.config.read_text())
        path = self.directory / "prog.py"
        path.write_text(program)
        ended = python(str(path), env={"HOME": str(home), "XDG_STATE_HOME": str(self.directory / "own"), **environment})
        assert ended.code == 0, ended.err
        return ended.out

    def close(self) -> None:
        for name in HOSTS:
            self.on(name, "down", "60000").end()
        self.lab.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    made = Servers(tmp_path_factory.mktemp("servers"))
    yield made
    made.close()


def test_ppservers_of_two_hosts(servers: Servers) -> None:
    lines = servers.output(PP).splitlines()
    assert lines[0] == "{'local': 0, 'tower:60000': 1, 'rack:60000': 1}"
    assert lines[1] == "number 0"
    assert lines[-3:-1] == [" 2", "{'local': 0, 'tower:60000': 6, 'rack:60000': 6}"]
    assert lines[-1].startswith("StartFailed ")
    assert "to have one there: ssh rack python -m fedfutures up 60001" in lines[-1]


def test_seppo_on_two_hosts(servers: Servers) -> None:
    assert servers.output(SEPPO, FEDFUTURES_JOIN="tower:60000 rack:60000") == "[1, 4, 9, 16, 25] [0, 0, 0, 3, 3]\n"


def test_workers_of_ezpool_on_two_hosts(servers: Servers) -> None:
    lines = servers.output(EZPOOL).splitlines()
    assert lines[:2] == [f"Worker PYRO:worker@{name}:60000 is available" for name in HOSTS]
    assert lines[-1] == "{0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: 25}"


def test_joblib_on_two_hosts(servers: Servers) -> None:
    pytest.importorskip("joblib")
    assert servers.output(JOBLIB) == "[('rack', 300000.0), ('tower', 300000.0)]\n"
