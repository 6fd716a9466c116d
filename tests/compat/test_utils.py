"""``scoop.utils``, and SCOOP's own command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fedfutures.compat.scoop import utils
from fedfutures.compat.scoop.command_line import translated
from fedfutures_launcher.cli.options import parse

HOSTS = [("host1", 8), ("host2", 4), ("host3", 2), ("host4", 2)]
BATCH = ("SLURM_NODELIST", "SLURM_NTASKS", "SLURM_TASKS_PER_NODE", "PBS_ENVIRONMENT", "PBS_NP", "PE_HOSTFILE", "NSLOTS")


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BATCH:
        monkeypatch.delenv(name, raising=False)


def test_outside_of_a_job() -> None:
    assert utils.getEnv() == "other"
    assert utils.getHosts() == [("127.0.0.1", utils.getCPUcount())] == utils.getDefaultHosts()
    assert utils.getHosts(hostlist=["a", "b", "a"]) == [("a", 2), ("b", 1)]
    assert utils.getWorkerQte(HOSTS) == 16
    assert utils.groupTogether(["b", "a", "b"]) == ["b", "b", "a"]


@pytest.mark.parametrize("between", ["\n", " "])
def test_pbs(between: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = tmp_path / "nodes"
    nodes.write_text(between.join(host for host, count in HOSTS for _ in range(count)))
    monkeypatch.setenv("PBS_ENVIRONMENT", "PBS_BATCH")
    monkeypatch.setenv("PBS_NODEFILE", str(nodes))
    monkeypatch.setenv("PBS_NP", "16")
    assert (utils.getEnv(), utils.getHosts(), utils.getWorkerQte(())) == ("PBS", HOSTS, 16)


def test_grid_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = tmp_path / "nodes"
    nodes.write_text("\n".join(f"{host} {count} all.q UNDEFINED" for host, count in HOSTS))
    monkeypatch.setenv("PE_HOSTFILE", str(nodes))
    monkeypatch.setenv("NSLOTS", "16")
    assert (utils.getEnv(), utils.getHosts(), utils.getWorkerQte(())) == ("SGE", HOSTS, 16)


def test_a_file_of_hosts(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("host1 worker=8\nhost2 workers = 4\n\nhost3 2\nhost4\nn[1-2]\n")
    assert utils.getHosts(str(path)) == [*HOSTS[:3], ("host4", 0), ("n1", 1), ("n2", 1)]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("n[1-4]", ["n1", "n2", "n3", "n4"]),
        ("n[08-10]", ["n08", "n09", "n10"]),
        ("x[1-2]y[1-2]", ["x1y1", "x1y2", "x2y1", "x2y2"]),
        ("n[1,5-6],login", ["n1", "n5", "n6", "login"]),
        ("a,b", ["a", "b"]),
    ],
)
def test_slurm(text: str, hosts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NODELIST", text)
    assert utils.getEnv() == "SLURM"
    assert utils.getHosts() == [(host, 1) for host in hosts]
    monkeypatch.setenv("SLURM_TASKS_PER_NODE", f"4(x{len(hosts)})")
    assert utils.getHosts() == [(host, 4) for host in hosts]


@pytest.mark.parametrize("said", ["many", "2(x9)"])
def test_slurm_says_what_cannot_be(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_TASKS_PER_NODE", said)
    with pytest.raises(ValueError, match="SLURM_TASKS_PER_NODE"):
        utils.parseSLURM("n[1-2]")


def test_names() -> None:
    assert utils.externalHostname([("a", 1)]) == "a"
    assert utils.externalHostname([("localhost", 1), ("a", 1)]) in {*utils.localHostnames}
    assert {"localhost", "127.0.0.1", os.uname().nodename} <= {*utils.localHostnames}
    assert (utils.isStr("a"), utils.isStr(b"a")) == (True, False)
    with pytest.raises(KeyboardInterrupt):
        utils.KeyboardInterruptHandler(2, None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prog.py -n 3", "--as scoop prog.py -n 3"),
        ("--host a b -vv -n 16 prog.py x", "--hosts a b -n 16 -v -v --as scoop prog.py x"),
        ("--hosts a b prog.py -n 2", "--hosts a b -n 2 --as scoop prog.py"),
        ("--hostfile f -p /data --nice 3 prog.py", "--hostfile f --path /data --nice 3 --as scoop prog.py"),
        ("-b 4 --hosts a b -q prog.py", "--hosts a b -b 2 -q --as scoop prog.py"),
        ("--rsh --tunnel --debug prog.py", "--launcher rsh --tunnel --debug --as scoop prog.py"),
        ("--pythonpath a:b --prolog p prog.py", "--prolog p --pythonpath a --pythonpath b --as scoop prog.py"),
        ("--profile --verbose prog.py", "-v --profile profile --as scoop prog.py"),
        ("--external-hostname n --python-interpreter p prog.py",
         "--external-hostname n --python-interpreter p --as scoop prog.py"),
        ("-e --broker-hostname n prog.py", "--external-hostname n --tunnel --as scoop prog.py"),
        ("--backend TCP --ssh-executable s prog.py", "--ssh-executable s --as scoop prog.py"),
    ],
)  # fmt: skip
def test_a_command_line_says_the_same(line: str, words: str) -> None:
    found, notes = translated(line.split())
    assert found == words.split()
    options = parse(found)
    assert (options.place, options.written_for) == ("prog.py", "scoop")
    assert notes == (["--backend has no effect: all messages go through ZeroMQ"] if "--backend" in line else [])


@pytest.mark.parametrize("line", ["--backend UDP prog.py", "-n many prog.py", "--hosts a --hostfile f prog.py"])
def test_what_scoop_does_not_take(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        translated(line.split())
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err
