"""What a host says before its settings come: whether it is fit, which machine it is, and what it has installed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from fedfutures.host.room import WORKER_BYTES

from .ground import Ended, Ground
from .test_ends import nothing_left, one_client

pytestmark = pytest.mark.host

WHERE = """
import os, time
import msgpack
from fedfutures import futures, worker

def where(number):
    time.sleep(0.05)
    return f"{worker.name} {os.getcwd()}"

if __name__ == "__main__":
    print(*sorted(set(futures.map(where, range(12)))), sep="\\n")
"""
GONE = """
import os, signal
from fedfutures import futures

if __name__ == "__main__":
    pid = futures.submit(os.getpid).result()
    os.rmdir({directory!r})
    os.kill(pid, signal.SIGKILL)
    print(futures.submit(os.getcwd).result(50))
"""


def remedy(ended: Ended, text: str) -> str:
    """Return the command that is printed below what a line begins with."""
    (command,) = re.findall(rf"^{text}.*\n    (.*)$", ended.err, re.MULTILINE)
    return str(command)


def test_a_host_without_the_directory_is_refused_until_the_remedy_is_pasted(rootless, tmp_path: Path) -> None:
    ground, directory = Ground(rootless, ["h1"], str(tmp_path), "paramiko"), tmp_path / "a b"
    words = ["-n", "1", "--path", str(directory), ground.write("prog.py", WHERE)]
    ended = ground.launch(*words)
    assert (ended.code, ended.out) == (2, ""), "no Future runs in another directory"
    command = remedy(ended, "h1: there is no directory")
    subprocess.run(["sh", "-c", command], check=True, timeout=30)
    ended = ground.launch(*words)
    assert (ended.code, ended.out) == (0, f"h1.1 {directory}\n"), ended.err
    nothing_left(ground)


def test_a_directory_that_goes_while_the_run_goes_on(rootless, tmp_path: Path) -> None:
    ground, directory = Ground(rootless, ["h1"], str(tmp_path), "paramiko"), tmp_path / "wd"
    directory.mkdir()
    prog = ground.write("prog.py", GONE.format(directory=str(directory)))
    ended = ground.launch("-n", "1", "--path", str(directory), prog)
    assert (ended.code, ended.out) == (1, "")
    assert f"cannot change to {directory}: " in ended.err
    assert "FederationLost: " in ended.err
    nothing_left(ground)


@one_client
def test_a_host_whose_tmp_cannot_be_written_is_a_row_of_the_table(network) -> None:
    for place in ("/tmp", "/dev/shm"):  # mounts of its own; what is mounted below them stays
        network.lab.run("h2", f"mount -o remount,ro,bind {place}")
    try:
        ended = network.launch("-n", "2", network.write("prog.py", WHERE), hosts=["h2", "h3"])
        assert ended.code == 0, ended.err
        assert {line.partition(".")[0] for line in ended.out.splitlines()} == {"h3"}
        assert re.search(r"^h2 +0 +no private directory ", ended.err, re.MULTILINE), ended.err
        assert "df -h /tmp" in remedy(ended, "h2: a run cannot make its private directories there: /tmp")
    finally:
        network.lab.run("h2", "mount -o remount,rw,bind /tmp; mount -o remount,rw,bind /dev/shm")


def test_two_names_of_one_machine_are_one_host(rootless, tmp_path: Path) -> None:
    text = rootless.config.read_text()
    of_h1 = re.search(r"^Host h1\n(?:[ \t].*\n)*", text, re.MULTILINE)
    assert of_h1 is not None
    config = tmp_path / "config"
    config.write_text(text + of_h1[0].replace("Host h1", "Host other"))
    ground = Ground(rootless, ["h1", "h2", "other"], str(tmp_path), "paramiko")
    prog = ground.write("prog.py", WHERE)
    ended = ground.launch("-n", "4", "--ssh-config", str(config), prog)
    assert ended.code == 0, ended.err
    assert [line.split()[0] for line in ended.out.splitlines()] == ["h1.1", "h1.2", "h2.1", "h2.2"]
    assert "\nother: is the machine that h1 names, too: its Workers are counted there\n" in ended.err


def test_other_versions_of_what_the_program_imports_are_told(rootless, tmp_path: Path) -> None:
    ground, older = Ground(rootless, ["h1"], str(tmp_path), "paramiko"), tmp_path / "older"
    ground.write("older/msgpack-0.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: msgpack\nVersion: 0.9\n")
    ended = ground.launch("-n", "1", "--pythonpath", str(older), ground.write("prog.py", WHERE))
    assert ended.code == 0, ended.err
    assert " -m pip install msgpack==" in remedy(ended, "h1: msgpack is 0.9 there, here it is ")


def test_modules_of_another_python_are_no_reason_to_install_anything(rootless, tmp_path: Path) -> None:
    ground = Ground(rootless, ["h1"], str(tmp_path), "paramiko")
    ground.write("spoilt/msgpack/__init__.py", "import _of_another_python")
    prolog = ground.write("prolog.sh", f"export PYTHONPATH={tmp_path}/spoilt\n")
    ended = ground.launch("-n", "1", "--prolog", prolog, ground.write("prog.py", "print('ran')"))
    assert (ended.code, ended.out) == (2, "")
    assert re.search(r"^h1 +0 +spoilt Python ", ended.err, re.MULTILINE)
    assert "No module named '_of_another_python'. PYTHONPATH is set there, maybe for another Python\n" in ended.err
    assert "pip install" not in ended.err


def test_more_workers_than_fit_on_two_hosts_are_refused_before_one_starts(rootless, tmp_path: Path) -> None:
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // WORKER_BYTES
    ground = Ground(rootless, ["h1", "h2"], str(tmp_path), "paramiko")
    ended = ground.launch("-n", str(2 * most + 2), ground.write("prog.py", WHERE), seconds=30)
    assert (ended.code, ended.out) == (2, "")
    assert re.search(rf"{most + 1:,} Workers on h[12] need at least .* at most {most:,} fit", ended.err), ended.err
    nothing_left(ground)
