"""``--provision``: hosts that have Python and an ssh server, and nothing of ours."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

from fedfutures_launcher.remote.installation import installation

from .ground import Ended, Ground
from .test_ends import nothing_left, one_client
from .test_network import CENSUS, tables

pytestmark = pytest.mark.host

ROOT = Path(__file__).parents[2]
SITE = Path(pytest.__file__).parents[1]
PROGRAM = """
import os, sys, time
import fedfutures
from fedfutures import futures, worker

def where(number):
    time.sleep(0.05)
    return worker.name.partition(".")[0], os.path.dirname(fedfutures.__file__)

if __name__ == "__main__":
    found = dict(futures.map(where, range(24), chunksize=1))
    print(*sorted(found))
    print(*sorted(set(found.values())))
"""


class Bare:
    """Hosts whose Python has nothing but the standard library, and whose user's cache is empty."""

    def __init__(self, lab: object, directory: Path, hosts: list[str]) -> None:
        venv.create(directory / "bare", symlinks=True)
        self.python, self.cache = directory / "bare" / "bin" / "python", directory / "cache"
        self.place = self.cache / "fedfutures" / installation().digest
        self.ground = Ground(lab, hosts, str(directory), "paramiko")
        self.prog = self.ground.write("prog.py", PROGRAM)
        self.use_cache(self.cache)

    def use_cache(self, place: Path | str, more: str = "") -> None:
        self.prolog = self.ground.write("prolog.sh", f"export XDG_CACHE_HOME={shlex.quote(str(place))}\n{more}")

    def provide(self, module: str, text: str = PROGRAM) -> Ended:
        """Run a program with the packages of a module, too."""
        self.place = self.cache / "fedfutures" / installation((module,)).digest
        self.prog = self.ground.write("prog.py", text)
        return self.run("--provision-modules", module, provision=False)

    def run(self, *words: str, provision: bool = True) -> Ended:
        given = ["--provision"] if provision else []
        options = ["--python-interpreter", str(self.python), "--prolog", self.prolog]
        return self.ground.launch("-n", str(len(self.ground.hosts)), *given, *options, *words, self.prog)

    def is_whole(self) -> bool:
        """Whether the cache has what it should, and nothing half done."""
        name = self.place.name
        return sorted(os.listdir(self.cache / "fedfutures")) == sorted([name, f"{name}.seen", "lock"])


@pytest.fixture
def bare(rootless, tmp_path: Path) -> Iterator[Bare]:
    made = Bare(rootless, tmp_path, ["h1", "h2", "h3"])
    yield made
    nothing_left(made.ground)


def test_bare_hosts_run_a_program_by_one_word(bare: Bare) -> None:
    """All at once on one cache, and once for each version; without the word it is offered."""
    ended = bare.run(provision=False)
    assert ended.code == 2
    assert "fedfutures missing" in ended.err
    assert "run it with --provision" in ended.err
    for _ in range(2):
        ended = bare.run()
        assert (ended.code, ended.out) == (0, f"h1 h2 h3\n{bare.place}/fedfutures\n"), ended.err
        assert bare.is_whole()
    made = bare.place.stat().st_ctime
    assert bare.run().code == 0
    assert bare.place.stat().st_ctime == made, "nothing was sent again"
    assert bare.place.stat().st_mode & 0o77 == 0


WITH_MODULES = """
import os
from fedfutures import futures, worker

def where(number):
    import greenlet, hypothesis, sortedcontainers
    files = [module.__file__ for module in (greenlet, hypothesis, sortedcontainers)]
    return os.path.commonpath(files), hypothesis.__version__

if __name__ == "__main__":
    ((place, version),) = set(futures.map(where, range(12), chunksize=1))
    print(place, version)
"""


def test_packages_that_the_program_imports_are_given_too(bare: Bare) -> None:
    """With what they need, and once; then the other run, without them, has a place of its own."""
    ended = bare.provide("hypothesis", WITH_MODULES)
    assert (ended.code, ended.out) == (0, f"{bare.place} {version('hypothesis')}\n"), ended.err
    made = bare.place.stat().st_ctime
    assert bare.provide("hypothesis", WITH_MODULES).code == 0
    assert bare.place.stat().st_ctime == made
    assert bare.is_whole()
    ended = bare.run("--provision-modules", "no_such_module")
    assert ended.code == 2
    assert "--provision-modules no_such_module: no installed package of here has this name, or this module" in ended.err


def test_a_package_of_another_version_is_replaced(bare: Bare) -> None:
    """It stays where it is, and fedfutures is there."""
    (site,) = bare.python.parent.parent.glob("lib/python*/site-packages")
    for path in SITE.iterdir():
        if not path.name.startswith("hypothesis"):
            (site / path.name).symlink_to(path)
    info = site / "hypothesis-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hypothesis\nVersion: 1.0\n")
    (site / "hypothesis.py").write_text("__version__ = '1.0'")
    ended = bare.provide("hypothesis", WITH_MODULES)
    assert (ended.code, ended.out) == (0, f"{bare.place} {version('hypothesis')}\n"), ended.err


@pytest.mark.parametrize("damage", ["a changed file", "a missing file", "one more file"])
def test_a_cache_that_somebody_altered_is_made_anew(bare: Bare, damage: str) -> None:
    assert bare.run().code == 0
    file = bare.place / "fedfutures" / "sizes.py"
    if damage == "a changed file":
        file.write_text(file.read_text() + "\nraise SystemExit('altered')\n")
    elif damage == "a missing file":
        file.unlink()
    else:
        (bare.place / "usercustomize.py").write_text("raise SystemExit('added')")
    ended = bare.run()
    assert (ended.code, ended.out.splitlines()[0]) == (0, "h1 h2 h3"), ended.err
    assert bare.is_whole()
    assert "altered" not in (bare.place / "fedfutures" / "sizes.py").read_text()


def test_two_runs_at_once(bare: Bare) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: bare.run(), range(2))
    assert [first.code, second.code] == [0, 0], first.err + second.err
    assert bare.is_whole()


def test_a_cache_that_cannot_be_made_is_a_row_whose_remedy_shows_why(bare: Bare) -> None:
    (Path(bare.ground.directory) / "file").write_text("no directory")
    bare.use_cache(Path(bare.ground.directory) / "file")
    ended = bare.run()
    assert (ended.code, ended.out) == (2, "")
    assert re.search(r"^h1 +0 +not provided", ended.err, re.MULTILINE), ended.err
    (command,) = re.findall(r"^h1: fedfutures could not be put .*\n    (.*)$", ended.err, re.MULTILINE)
    assert subprocess.run(["sh", "-c", command], capture_output=True, timeout=30, check=False).returncode == 0
    assert "export XDG_CACHE_HOME=DIR" in ended.err


def test_a_transfer_that_is_cut_leaves_nothing(bare: Bare) -> None:
    command = bare.ground.command("-n", "3", "--provision", "--python-interpreter", str(bare.python), "--prolog",
                                  bare.prolog, bare.prog)  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + 30
    while not list(bare.cache.rglob("*.so")) and time.monotonic() < until:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    while bare.ground.left() and time.monotonic() < until:
        time.sleep(0.1)
    assert bare.run().code == 0
    assert bare.is_whole()


KILLING = """
import subprocess
with open("/proc/self/task/%d/children" % os.getpid()) as file:
    for pid in file.read().split():
        with open(f"/proc/{pid}/comm") as name:
            if name.read().startswith("fedfut-connect"):
                os.kill(int(pid), 9)
"""


def test_a_host_is_come_back_to(bare: Bare) -> None:
    """The command that returns to a host process needs the same fedfutures."""
    killing = KILLING.replace("\n", "\n    ").rstrip()
    text = PROGRAM.replace('__main__":', f'__main__":{killing}').replace("range(24)", "range(200)")
    bare.prog = bare.ground.write("killing.py", text)
    ended = bare.run()
    assert (ended.code, ended.out.splitlines()[0]) == (0, "h1 h2 h3"), ended.err
    assert "logs in to the hosts again" in ended.err


@pytest.mark.once
@one_client
def test_hosts_with_no_file_of_ours_in_sight(network) -> None:
    """The whole checkout and its environment are hidden there; what is left is Python and an ssh server."""
    hosts, python, prolog = ["h2", "h3"], "/tmp/bare/bin/python", "/tmp/prolog.sh"
    base = os.path.realpath(sys.executable)
    for host in hosts:
        network.lab.run(host, f"{base} -m venv --without-pip /tmp/bare && mount -t tmpfs none {ROOT}")
        network.lab.run(host, f"echo 'export XDG_CACHE_HOME=/tmp/cache' > {prolog}")
    try:
        look = f"ls -A {ROOT}; {python} -c 'import fedfutures' 2>&1 | tail -1"
        assert network.lab.run("h2", look).strip() == "ModuleNotFoundError: No module named 'fedfutures'"
        words = ["--provision", "--python-interpreter", python, "--prolog", prolog]
        census = network.write("census.py", CENSUS.read_text())
        alone = network.launch("-n", "2", census, "--files", "60", hosts=["localhost"])
        ended = network.launch("-n", "4", *words, census, "--files", "60", hosts=hosts)
        assert ended.code == 0, ended.err
        assert len(tables(ended.out)) > 10
        assert tables(ended.out) == tables(alone.out)
        nothing_left(network)
    finally:
        for host in hosts:
            network.lab.run(host, f"umount {ROOT}; rm -rf /tmp/bare /tmp/cache {prolog}")


@pytest.mark.once
@one_client
def test_homes_that_are_unfit_are_rows_and_their_remedy_works(network) -> None:
    """A full one, and one from which nothing can be loaded; nothing half done is left; with other places both serve."""
    python, prolog, cache = "/tmp/bare/bin/python", "/tmp/prolog.sh", "/tmp/unfit"
    base = os.path.realpath(sys.executable)
    mounts = {"h2": "size=1m", "h3": "size=64m,noexec"}
    for host, options in mounts.items():
        network.lab.run(host, f"{base} -m venv --without-pip /tmp/bare; mkdir -p {cache}")
        network.lab.run(host, f"mount -t tmpfs -o {options} none {cache}")
        network.lab.run(host, f"echo 'export XDG_CACHE_HOME={cache}' > {prolog}")
    program = network.write("prog.py", PROGRAM)
    words = ["-n", "3", "--provision", "--python-interpreter", python, "--prolog", prolog, program]
    try:
        ended = network.launch(*words, hosts=[*mounts])
        assert (ended.code, ended.out) == (2, ""), ended.err
        for host, why in (("h2", "No space left"), ("h3", "no compiled module can be loaded (noexec)")):
            assert re.search(rf"^{host} +0 +not provided", ended.err, re.MULTILINE), ended.err
            assert re.search(rf"^{host}: fedfutures could not be put into .*{re.escape(why)}", ended.err, re.MULTILINE)
            assert set(network.lab.run(host, f"ls {cache}/fedfutures 2>/dev/null; true").split()) <= {"lock"}
            network.lab.run(host, f"echo 'export XDG_CACHE_HOME=/tmp/other' > {prolog}")
        assert "export XDG_CACHE_HOME=DIR in a file there that --prolog names" in ended.err
        ended = network.launch(*words, hosts=[*mounts])
        assert (ended.code, ended.out.splitlines()[0]) == (0, "h2 h3"), ended.err
        nothing_left(network)
    finally:
        for host in mounts:
            network.lab.run(host, f"umount {cache}; rm -rf /tmp/other /tmp/bare {cache} {prolog}")
