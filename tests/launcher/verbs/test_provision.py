"""The verb that removes what runs have put on hosts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fedfutures_launcher.ssh.texts.command import CLEAN, clean_command
from fedfutures_launcher.verbs import provision


def cleaned(shell: str, **environment: str) -> str:
    """What a host says in its login shell."""
    given = {"PATH": os.environ["PATH"], **environment}
    ended = subprocess.run([shell, "-c", clean_command()], env=given, capture_output=True, check=True, timeout=20)
    return ended.stdout.partition(CLEAN)[2].decode().rstrip("\n")


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
def test_what_was_put_there_is_removed_and_nothing_else(tmp_path: Path, variable: str) -> None:
    base = tmp_path / ".cache" if variable == "HOME" else tmp_path
    (base / "fedfutures" / "digest" / "zmq").mkdir(parents=True)
    (base / "other").mkdir()
    assert cleaned("sh", **{"HOME": str(tmp_path / "none"), variable: str(tmp_path)}) == f"removed {base}/fedfutures"
    assert os.listdir(base) == ["other"]
    assert cleaned("sh", **{"HOME": str(tmp_path / "none"), variable: str(tmp_path)}) == "nothing was there"


@pytest.mark.parametrize("words", [[], ["h1"], ["--clean"], ["--clean", "h1", "--path", "/x"], ["--clean", "a b"]])
def test_bad_input(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = provision.main(words)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert capsys.readouterr().err.startswith("fedfutures: ")


def test_a_host_that_is_not_reached(capsys: pytest.CaptureFixture[str]) -> None:
    assert provision.main(["--clean", "no-such-host.invalid"]) == 3
    assert "no-such-host.invalid: no address is known for this name" in capsys.readouterr().err
