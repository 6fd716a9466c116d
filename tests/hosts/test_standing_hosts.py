"""A standing Federation over hosts with real ssh servers: programs, and the deaths of its parts."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
from lab.rootless import Rootless
from launching import Running, eventually

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import status_of
from fedfutures.standing.places import StandingPlace

pytestmark = pytest.mark.host
PROGRAM = """
import collections, os, sys, time
import fedfutures
from fedfutures import futures

def where(number):
    time.sleep(0.01)
    return fedfutures.worker.name.rpartition(".")[0]

def until(path):
    # Yields numbers until there is a file.
    while not os.path.exists(path):
        given.append(len(given))
        yield given[-1]

if __name__ == "__main__":
    print("begun", flush=True)
    if "," in sys.argv[1]:  # until all of these hosts have run something
        names, wanted, deadline = set(), set(sys.argv[1].split(",")), time.monotonic() + 60
        while not wanted <= names and time.monotonic() < deadline:
            names.update(futures.map(where, range(100)))
        print(*sorted(names))
        sys.exit()
    if not sys.argv[1].isdigit():
        given = []
        counts = collections.Counter(futures.map(where, until(sys.argv[1]), buffersize=400))
        print(len(given) - sum(counts.values()), "lost", *sorted(counts))
        sys.exit()
    counts = collections.Counter(futures.map(where, range(int(sys.argv[1]))))
    print(sum(counts.values()), *sorted(counts))
"""


class Standing:
    """A Federation on h1, h2 and h3, with two slots each."""

    def __init__(self, directory):
        self.lab = Rootless(3, directory / "lab")
        self.state = directory / "state"
        self.program = directory / "p.py"
        self.program.write_text(PROGRAM)

    def run(self, *words):
        return Running([str(word) for word in words], env={"XDG_STATE_HOME": str(self.state)})

    def up(self, *words):
        return self.run("up", "lab", *words, "--ssh-config", self.lab.config, "--allow-root").end()

    def join(self, count):
        return self.run("--join", "lab", self.program, count)

    def begun(self, count):
        joined = self.join(count)
        assert joined.process.stdout.readline() == "begun\n"
        return joined

    def keeper(self):
        with contextlib.suppress(StartFailed):
            return status_of("lab").pid
        return 0

    def close(self):
        if StandingPlace("lab").stands():
            self.run("down", "lab").end()
        self.lab.close()


@pytest.fixture
def standing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Standing(tmp_path)
    yield made
    made.close()


def test_programs_share_all_hosts_and_down_leaves_nothing(standing):
    before = processes(standing)
    ended = standing.up("--hosts", "h1", "h2", "h3", "-n", "6")
    assert ended.code == 0, ended.err
    assert [line.split()[:3] for line in ended.err.splitlines()[1:]] == [
        [host, "2", "ok"] for host in ("h1", "h2", "h3")
    ]
    assert len(processes(standing) - before) > 4, "the keeper, its connector, and what is on hosts"
    status = status_of("lab")
    assert {host: count for host, count in status.hosts.items() if count} == {"h1": 2, "h2": 2, "h3": 2}
    both = [standing.join(400), standing.join(400)]
    for joined in both:
        ended = joined.end()
        assert (ended.code, ended.out, ended.err) == (0, "begun\n400 h1 h2 h3\n", "")
    assert "h1 (2), h2 (2), h3 (2)" in standing.run("status", "lab").end().out
    assert json.loads(standing.run("list", "--json").end().out)[0]["hosts"]["h2"] == 2
    began = time.monotonic()
    assert standing.run("down", "lab").end().code == 0
    assert eventually(lambda: processes(standing) <= before, 2.0), processes(standing) - before
    assert time.monotonic() < began + 4.0


def processes(standing):
    """Return what runs of the Federation, here and on its hosts, each known by a variable of its environment."""
    port = re.search(r"Port (\d+)", standing.lab.config.read_text())[1]
    signs = [str(standing.state).encode(), f" {port}\0".encode()]  # the latter ends SSH_CONNECTION
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            if any(sign in environment for sign in signs) and int(pid) != os.getpid():
                found.add(pid)
    return found


def test_a_keeper_that_is_killed_ten_times_costs_no_future_and_takes_the_hosts_over(standing):
    assert standing.up("--hosts", "h1", "h2", "h3", "-n", "6", "-q").code == 0
    over = standing.state / "over"
    joined = standing.begun(over)
    moments = random.Random(16)
    for _ in range(10):
        time.sleep(moments.uniform(0.0, 1.0))  # the one before may still be coming back to its hosts
        killed = standing.keeper()
        assert killed > 1
        os.kill(killed, signal.SIGKILL)
        assert eventually(lambda killed=killed: standing.keeper() not in (0, killed), 10.0)
    assert joined.process.poll() is None, "it was under load the whole time"
    over.touch()
    ended = joined.end()
    assert (ended.code, ended.out) == (0, "0 lost h1 h2 h3\n"), ended.err
    assert eventually(lambda: {"h1", "h2", "h3"} <= status_of("lab").hosts.keys(), 10.0)
    ended = standing.join(200).end()
    assert (ended.code, ended.out, ended.err) == (0, "begun\n200 h1 h2 h3\n", "")


def test_a_host_that_is_gone_costs_no_future(standing):
    assert standing.up("--hosts", "h1", "h2", "h3", "-n", "6", "-q", "--grace", "2").code == 0
    joined = standing.begun(1500)
    time.sleep(0.5)
    standing.lab.stop("h2")
    ended = joined.end()
    assert ended.code == 0, ended.err
    assert ended.out.startswith("1500 h1")


def test_hosts_come_and_go_while_programs_run(standing):
    """A Federation of this machine alone gets hosts, and so does a program that has joined by then."""
    assert standing.run("up", "lab", "-n", "1", "-q").end().code == 0
    ended = standing.run("add", "lab", "h1:1", "--ssh-config", standing.lab.config, "--allow-root").end()
    assert (ended.code, ended.out) == (0, "h1 was added to lab, with 1 Worker\n"), ended.err
    here = status_of("lab").host
    joined = standing.begun(f"h1,h2,h3,{here}")
    both = standing.run("add", "lab", "h2:2", "h3:2").end()
    assert both.code == 0, both.err
    assert "it is one of its hosts already" in standing.run("add", "lab", "h2").end().err
    removed = standing.run("remove", "lab", "h1").end()
    assert (removed.code, removed.out) == (0, "h1 was removed from lab\n"), removed.err
    ended = joined.end()
    assert (ended.code, ended.out.split()) == (0, sorted(["h1", "h2", "h3", here])), ended.err
    assert "host h2 has come, with 2 Workers" in ended.err
    os.kill(killed := standing.keeper(), signal.SIGKILL)
    # On this machine the next keeper waits a while for runs of the last one.
    ended = standing.join(f"h2,h3,{here}").end()
    assert standing.keeper() not in (0, killed)
    assert (ended.code, ended.out.split()) == (0, ["begun", *sorted(["h2", "h3", here])]), ended.err
    assert "none of its hosts" in standing.run("remove", "lab", "h1").end().err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["--hosts", "nowhere"], 3, "nowhere"),
        (["--hosts", "h1", "nowhere", "--require-all"], 2, "nowhere"),
        (["--hostfile", "/no/such/file"], 2, "/no/such/file"),
    ],
    ids=["no host", "not all", "no file"],
)
def test_hosts_that_cannot_be_meant_or_used(standing, words, code, why):
    ended = standing.up(*words)
    assert (ended.code, why in ended.err) == (code, True), ended.err
    assert not StandingPlace("lab").stands()
    assert eventually(lambda: not StandingPlace("lab").is_taken(), 5.0)
