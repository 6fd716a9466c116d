"""Prologs: which shell reads them, and what they leave; the same text runs on this machine and on others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fedfutures_launcher.hosts.prologs import MODULES, local_command
from fedfutures_launcher.remote.hello import HelloReader
from fedfutures_launcher.ssh.texts.command import remote_command

pytestmark = pytest.mark.host
bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

SHOWS = (
    "import os, resource; print(os.environ.get('FOUND', ''), os.getcwd(), resource.getrlimit(resource.RLIMIT_CORE)[0])"
)


def read(path: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a prolog on this machine, and return what Python finds after it."""
    (path / "prolog").write_text(text)
    command = [*local_command(str(path / "prolog"), sys.executable), "-c", SHOWS]
    return subprocess.run(
        command, input="for Python", capture_output=True, text=True, cwd=path, timeout=30,
        env={**os.environ, **environment},
    )  # fmt: skip


@bash
@pytest.mark.parametrize(
    "text",
    [
        "if [[ -n $BASH_VERSION ]]; then export FOUND=yes; fi\n",
        "source /dev/null; export FOUND=yes\n",
        "#!/bin/bash\nexport FOUND=${BASH_VERSION:+yes}\n",
        "#!/usr/bin/env bash\nexport FOUND=${BASH_VERSION:+yes}\n",
        "#! /bin/bash --norc\nexport FOUND=${BASH_VERSION:+yes}\n",
        "# a comment about /bin/sh\nexport FOUND=${BASH_VERSION:+yes}\n",
        "#!/no/such/bash\nexport FOUND=${BASH_VERSION:+yes}\n",
        "#!/usr/bin/python3 -sh\nexport FOUND=${BASH_VERSION:+yes}\n",
        "#!/bin/sh\nexport FOUND=${BASH_VERSION:-yes}\n",
    ],
)
def test_bash_reads_it_unless_its_first_line_names_another_shell(tmp_path: Path, text: str) -> None:
    ended = read(tmp_path, text)
    if text.startswith("#!/bin/sh") and os.path.realpath("/bin/sh").endswith("bash"):
        pytest.skip("/bin/sh is bash")
    assert (ended.returncode, ended.stdout.split()[:1]) == (0, ["yes"]), ended.stderr


@pytest.mark.parametrize(
    "text",
    [
        "export FOUND=yes\n[ -d /no/such ] && export OTHER=1\n",
        "set -e\nexport FOUND=yes\n",
        "set -eu\nexport FOUND=yes\nfalse || true\n",
        "export FOUND=yes\ncat\nread line\n",
        "echo noise >&2; export FOUND=yes; false\n",
    ],
)
def test_neither_its_status_nor_its_options_end_anything_and_it_reads_nothing(tmp_path: Path, text: str) -> None:
    ended = read(tmp_path, text)
    assert (ended.returncode, ended.stdout.split()[:1]) == (0, ["yes"]), ended.stderr


def test_what_it_changes_stays(tmp_path: Path) -> None:
    ended = read(tmp_path, "cd /; ulimit -c 0; export FOUND='two words'\n")
    assert ended.stdout == "two words / 0\n"


@bash
def test_module_is_there_though_no_login_shell_has_set_it_up(tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "bash").write_text('module() { export FOUND="$*"; }\n')
    if any(os.path.exists(path) for path in MODULES):
        pytest.skip("this machine has modules of its own")
    assert read(tmp_path, "module load py311\n", MODULESHOME=str(tmp_path)).stdout.startswith("load py311 ")
    assert read(tmp_path, "ml py311\n", MODULESHOME=str(tmp_path)).returncode == 0
    (tmp_path / "gone" / "init").mkdir(parents=True)
    (tmp_path / "gone" / "init" / "bash").write_text(". /no/such/init\n")
    left = read(tmp_path, "module load py311\n", MODULESHOME=str(tmp_path / "gone"), LMOD_PKG=str(tmp_path))
    assert (left.stdout.startswith("load py311 "), left.stderr) == (True, ""), "of what is not installed"
    ended = read(tmp_path, "# module\nexport FOUND=$(type -t module)\n", MODULESHOME=str(tmp_path))
    assert ended.stdout.startswith(" "), "its files are read only for a prolog that uses it"


@bash
def test_another_host_reads_it_alike(tmp_path: Path) -> None:
    (tmp_path / "prolog").write_text("source /dev/null\nset -e\n[[ 1 = 1 ]]\nexport PYTHONHASHSEED=7\n")
    command = remote_command([sys.executable], str(tmp_path / "prolog"))
    ended = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    reader = HelloReader()
    reader.feed(ended.stdout)
    assert reader.hello is not None
    assert (reader.hello.error, ended.stderr) == (None, b"")


def test_one_that_is_missing_here_is_named(tmp_path: Path) -> None:
    command = [*local_command(str(tmp_path / "none"), sys.executable), "-c", "print('began')"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert f"the prolog {tmp_path}/none cannot be read on this machine" in ended.stderr
