"""What the launcher makes of a command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from launching import write

import fedfutures
from fedfutures import Hosts
from fedfutures_launcher.cli.launch import main
from fedfutures_launcher.cli.options import parse


@pytest.mark.parametrize(
    ("line", "kind", "place", "arguments"),
    [
        ("prog.py", "file", "prog.py", []),
        ("prog.py -n 3 --debug", "file", "prog.py", ["-n", "3", "--debug"]),
        ("prog.py --help", "file", "prog.py", ["--help"]),
        ("-m package.module x", "module", "package.module", ["x"]),
        ("-m module -m other", "module", "module", ["-m", "other"]),
        ("-c print(1) -q", "code", "print(1)", ["-q"]),
        ("-mmodule x", "module", "module", ["x"]),
        ("-q -cprint(1) -q", "code", "print(1)", ["-q"]),
        ("- a -", "stdin", "-", ["a", "-"]),
        ("-- -prog.py -- x", "file", "-prog.py", ["--", "x"]),
        ("-q -- prog.py", "file", "prog.py", []),
        ("-n 2 prog.py", "file", "prog.py", []),
        ("-n2 prog.py", "file", "prog.py", []),
        ("--nice 5 -m module", "module", "module", []),
        ("--nice=5 prog.py", "file", "prog.py", []),
        ("--profile prog.py", "file", "prog.py", []),
        ("--profile=out prog.py", "file", "prog.py", []),
        ("--profile out prog.py", "file", "prog.py", []),
        ("--profile -n 2 prog.py", "file", "prog.py", []),
        ("--profile prog.py x", "file", "prog.py", ["x"]),
        ("--profile out -m module", "module", "module", []),
        ("-vn 2 prog.py", "file", "prog.py", []),
        ("-vqe -vn2 prog.py", "file", "prog.py", []),
        ("-qm module -q", "module", "module", ["-q"]),
        ("--hosts a b -n 2 prog.py x", "file", "prog.py", ["x"]),
        ("--hosts a b -- prog.py x", "file", "prog.py", ["x"]),
        ("--hosts a b -m module", "module", "module", []),
        ("--hosts=a -n 2 prog.py", "file", "prog.py", []),
        ("--rsh ssh --ssh-config c -e prog.py", "file", "prog.py", []),
    ],
)
def test_the_program_begins_where_options_end(line: str, kind: str, place: str, arguments: list[str]) -> None:
    options = parse(line.split())
    assert (options.kind, options.place, options.arguments) == (kind, place, arguments)


def test_defaults() -> None:
    options = parse(["prog.py"])
    assert options.workers is None
    assert options.brokers == 1
    assert (options.verbosity, options.quiet) == (0, False)
    assert options.hosts == Hosts([], pythonpath=[], env=[], provision_modules=[], preload=[], stage_out=[])
    assert (options.profile, options.debug, options.dry_run) == (None, False, False)
    assert parse(["--profile", "out", "prog.py"]).profile == "out"
    assert parse(["--profile", "prog.py"]).profile == "."
    assert parse(["-vn", "2", "prog.py"]).workers == 2
    assert options.prefix


def test_hosts() -> None:
    line = "--hosts a u@b:22 --hosts [::1]:22 -n 3 --tunnel --min-hosts 2 --require-all -q prog.py"
    options = parse(line.split())
    assert options.hosts.names == ["a", "u@b:22", "[::1]:22"]
    hosts = options.hosts
    assert (hosts.tunnel, hosts.min_hosts, hosts.require_all, options.workers) == (True, 2, True, 3)
    line = "--hostfile f --rsh /bin/ssh --host-key-policy accept-new --broker-hostname me prog.py"
    hosts = parse(line.split()).hosts
    assert (hosts.file, hosts.ssh_executable, hosts.host_key_policy) == ("f", "/bin/ssh", "accept-new")
    assert hosts.external_hostname == "me"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("--hosts a nowhere.py", "no program given; nowhere.py, among the hosts, is no file here"),
        ("--hosts a --hostfile f prog.py", "--hosts and --hostfile exclude each other"),
        ("--hosts -n 2 prog.py", "--hosts: expected at least one argument"),
        ("--host-key-policy trust prog.py", "invalid choice"),
        ("--min-hosts 0 prog.py", "not at least 1"),
    ],
)
def test_bad_hosts(line: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(line.split())
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_options() -> None:
    line = (
        "-n 16 -b 3 -vv -q --prolog env.sh --nice 7 --python-interpreter /bin/py --pythonpath a --pythonpath b "
        "--path dir --memory-per-worker 1.5G --profile=out --debug --no-prefix --drain 2.5 --dry-run prog.py"
    )
    options = parse(line.split())
    assert (options.workers, options.brokers, options.verbosity, options.quiet) == (16, 3, 2, True)
    hosts = options.hosts
    assert (hosts.prolog, hosts.nice, hosts.python) == ("env.sh", 7, "/bin/py")
    assert hosts.memory_per_worker == 3 << 29
    assert (hosts.pythonpath, hosts.path, options.profile) == (["a", "b"], "dir", "out")
    assert (options.debug, options.prefix, options.dry_run) == (True, False, True)
    assert options.drain == 2.5


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "no program given"),
        ("-n 2", "no program given"),
        ("--", "no program given"),
        ("-n 0 prog.py", "0 is not at least 1"),
        ("-n -3 prog.py", "-3 is not at least 1"),
        ("-n x prog.py", "'x' is not a number"),
        ("-n 2.5 prog.py", "'2.5' is not a number"),
        ("-n", "expected one argument"),
        ("-b 0 prog.py", "0 is not at least 1"),
        ("-n 2 -b 3 prog.py", "-b 3: more Brokers than Workers, of which there are 2"),
        ("-b 100000 prog.py", "-b 100000: more Brokers than Workers"),
        ("-b none prog.py", "'none' is not a number"),
        ("--nice much prog.py", "'much' is not a number"),
        ("--min-hosts 0 prog.py", "0 is not at least 1"),
        ("--start-timeout 0 prog.py", "0 is not between 1 and 86400"),
        ("--launcher= prog.py", "the command is empty"),
        ("--memory-per-worker much prog.py", "memory_per_worker must be a number of bytes, or a text such as '500M'"),
        ("--memory-per-worker 1M prog.py", "must be at least 64.0 MiB, for a Worker alone uses a third of that"),
        ("--unknown prog.py", "--unknown is no option; see"),
        ("-z prog.py", "-z is no option; see"),
        ("--profil prog.py", "--profil is no option; did you mean --profile?"),
        ("--host-file=x prog.py", "did you mean --hostfile=x?"),
        ("-hostfile x prog.py", "did you mean --hostfile?"),
        ("-np 4 prog.py", "-np is no option; did you mean -n 4?"),
        ("-np4 prog.py", "did you mean -n 4?"),
        ("--np=4 prog.py", "did you mean -n 4?"),
        ("-j 4 prog.py", "did you mean -n 4?"),
        ("--max-workers 4 prog.py", "did you mean -n 4?"),
        ("-q -H a,b prog.py", "did you mean --hosts?"),
        ("--host a prog.py", "did you mean --hosts?"),
        ("-m", "-m needs a module"),
        ("-n 2 -c", "-c needs code"),
    ],
)
def test_bad_input_is_told_in_one_line(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.startswith("fedfutures: ")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "hosts", "place", "arguments"),
    [
        ("--hosts a b prog.py", ["a", "b"], "prog.py", []),
        ("--hosts a b prog.py data x", ["a", "b"], "prog.py", ["data", "x"]),
        ("--hosts a b prog.py -n 2", ["a", "b"], "prog.py", ["-n", "2"]),
        ("-q --hosts a data", ["a"], "data", []),
        ("--hosts a folder/run", ["a"], "folder/run", []),
        ("--hosts a folder", ["a"], "folder", []),
        # a word that is a host and a file
        ("--hosts a data -n 2 prog.py", ["a", "data"], "prog.py", []),
        ("--hosts data b prog.py", ["data", "b"], "prog.py", []),
        ("--hosts b data prog.py", ["b", "data"], "prog.py", []),
        ("--hosts a data -- prog.py", ["a", "data"], "prog.py", []),
        ("--hosts a --hosts b prog.py", ["a", "b"], "prog.py", []),
        ("--hosts a prog.py -m module", ["a", "prog.py"], "module", []),
    ],
)
def test_a_program_among_the_hosts(
    line: str, hosts: list[str], place: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("prog.py", "data", "folder/run", "folder/__main__.py"):
        write(tmp_path / name, "")
    monkeypatch.chdir(tmp_path)
    options = parse(line.split())
    assert (options.hosts.names, options.place, options.arguments) == (hosts, place, arguments)


def test_one_word_behind_hosts_is_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "prog.py", "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        parse(["--hosts", "prog.py"])


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert err == ""
    for option in ("-n N", "-b N", "-v", "-q", "--prolog", "--nice", "--python-interpreter", "--pythonpath", "--path",
                   "--profile", "--debug", "--no-prefix", "--drain", "--dry-run", "--version"):  # fmt: skip
        assert option in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr() == (f"fedfutures {fedfutures.__version__}\n", "")


def test_what_leads_to_other_hosts_is_loaded_only_for_them() -> None:
    program = (
        "import sys; from fedfutures_launcher.cli.options import parse; parse(sys.argv[1:]); "
        "print(sorted({name.split('.')[1] for name in sys.modules if name.startswith('fedfutures_launcher.')}))"
    )

    def loaded(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True, timeout=30
        ).stdout

    assert loaded("prog.py") == "['arguments', 'cli']\n"
    assert "'launchers'" in loaded("--launcher", "srun", "prog.py")


def test_a_program_of_another_system() -> None:
    assert parse(["prog.py"]).written_for is None
    assert parse(["--as", "ppft", "prog.py", "--as"]).written_for == "ppft"


def test_a_system_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--as", "dask", "prog.py"])
    assert caught.value.code == 2
    assert "'scoop', 'seppo', 'zeppy'" in capsys.readouterr().err
