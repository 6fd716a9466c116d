"""The remote command, through every login shell that is here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fedfutures.wire.control import HostProcessGone
from fedfutures.wire.framing import pack
from fedfutures_launcher.remote.hello import HelloReader, HostHello
from fedfutures_launcher.ssh.texts.command import BOOTSTRAP, attach_command, default_pythons, packed, remote_command

SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "ksh", "csh", "tcsh", "fish") if shutil.which(shell)]


def run(command: str, shell: str = "sh", behind: bytes = b"") -> tuple[HostHello, subprocess.CompletedProcess[bytes]]:
    """Return the hello of a command that a login shell was given, and how it ended; its input is empty.

    What it says `behind` the hello is compared.
    """
    ended = subprocess.run([shell, "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    reader = HelloReader()
    assert reader.feed(ended.stdout) == behind
    assert reader.hello is not None, ended
    return reader.hello, ended


@pytest.mark.parametrize("odd", ["'", "!", "\n", "\\", '"', "$HOME", "`id`", "%s", "é", "~", "^"])
def test_no_shell_finds_anything_to_expand(odd: str) -> None:
    for command in (remote_command([f"/a{odd}"], f"/b{odd}"), attach_command(["python3"], f"/c{odd}")):
        assert command.startswith("exec /bin/sh -c '")
        assert command.endswith("'")
        assert not set("'!\n") & set(command[len("exec /bin/sh -c '") : -1].replace("' sh '", " ", 1))
        assert odd not in ("$HOME", "`id`") or odd not in command


def test_the_bootstrap_comes_through_packing() -> None:
    plain = packed(BOOTSTRAP).replace("~", "\n").replace("^", '"')
    assert plain == BOOTSTRAP.strip()
    compile(plain, "bootstrap", "exec")
    with pytest.raises(AssertionError):
        packed("print('a')")


def test_the_usual_interpreters() -> None:
    assert default_pythons("/opt/python", 12) == ["/opt/python", "python3.12", "python3", "python"]


@pytest.mark.fault("E6")
@pytest.mark.host
@pytest.mark.parametrize("shell", SHELLS)
def test_the_hello_in_each_shell(shell: str, tmp_path: Path) -> None:
    odd = tmp_path / "it's $5 & `odd`!"
    odd.mkdir()
    (odd / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (odd / "python").chmod(0o755)
    (odd / "prolog").write_text("echo noise; cat; PROLOG=read; export PROLOG\n")
    hello, ended = run(remote_command(["/no/such/python", str(odd / "python")], str(odd / "prolog")), shell)
    assert hello.error is None
    assert (hello.python, hello.executable) == (sys.version_info[:3], sys.executable)
    assert hello.fedfutures is not None
    assert hello.processors > 0
    assert hello.memory > 1 << 20
    assert ended.stdout.startswith(b"noise\n")
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.host
def test_no_python() -> None:
    hello, ended = run(remote_command(["/no/such", "it's none"]))
    assert (hello.python, hello.tried) == (None, ("/no/such", "it's none"))
    assert ended.returncode == 3


@pytest.mark.host
def test_no_prolog() -> None:
    hello, ended = run(remote_command([sys.executable], "~/no/such/prolog"))
    assert (hello.python, hello.prolog) == (None, "~/no/such/prolog")
    assert ended.returncode == 3


def fake_python(path: Path, code: int) -> str:
    """A Python whose check ends with this exit code, and which says so when it becomes the host process."""
    path.write_text(
        f'#!/bin/sh\ncase "$2" in *find_spec*) exit {code};; esac\n'
        f'printf "\\n\\036fedfutures {{\\"python\\": [3, {code}, 0]}}\\n"\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.mark.host
@pytest.mark.parametrize(
    ("codes", "taken"),
    [
        ([99, 1, 90], 90),  # too old, broken, of another minor version
        ([90, 89, 88], 88),  # the same minor version without fedfutures goes before another with it
        ([88, 90, 87, 88], 87),
        ([127, 2, 89], 89),
    ],
)
def test_the_best_python_is_taken(tmp_path: Path, codes: list[int], taken: int) -> None:
    pythons = [fake_python(tmp_path / f"python{place}", code) for place, code in enumerate(codes)]
    assert run(remote_command(pythons))[0].python == (3, taken, 0)


@pytest.mark.host
def test_this_python_is_the_best(tmp_path: Path) -> None:
    """None is better; but the other one is, where another minor version is asked for."""
    pythons = [sys.executable, fake_python(tmp_path / "python", 88)]
    assert run(remote_command(pythons))[0].python == sys.version_info[:3]
    assert run(remote_command(pythons, minor=sys.version_info[1] + 1))[0].python == (3, 88, 0)


@pytest.mark.host
def test_the_working_directory_is_not_imported_from(tmp_path: Path) -> None:
    for name in ("json", "fedfutures", "msgpack"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working directory')")
    command = remote_command([sys.executable])
    ended = subprocess.run(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, timeout=30
    )
    reader = HelloReader()
    reader.feed(ended.stdout)
    assert reader.hello is not None
    assert (reader.hello.error, ended.stderr) == (None, b"")


@pytest.mark.host
def test_what_provisions_does_not_import_from_there_either(tmp_path: Path) -> None:
    (tmp_path / "zipfile.py").write_text("raise SystemExit('imported from the home')")
    command = remote_command([sys.executable], want="digest 0 0")
    home = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=home, stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=30, check=False)  # fmt: skip
    assert b'"wants": "digest"' in ended.stdout
    assert ended.stderr == b""


@pytest.mark.host
def test_a_fedfutures_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "fedfutures").mkdir()
    (tmp_path / "fedfutures" / "__init__.py").write_text("import no_such_module")
    hello, ended = run(remote_command([sys.executable], pythonpath=[str(tmp_path)]))
    assert hello.error == "ModuleNotFoundError: No module named 'no_such_module'"
    assert hello.python == sys.version_info[:3]
    assert ended.returncode == 3


@pytest.mark.host
def test_joining_a_host_process_that_is_gone(tmp_path: Path) -> None:
    hello, ended = run(attach_command([sys.executable], str(tmp_path / "it's gone")), behind=pack(HostProcessGone()))
    assert hello.error is None
    assert ended.returncode == 4
    assert b"gone" in ended.stderr
