"""The wheel of the fedfutures that runs here."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fedfutures import __version__
from fedfutures_launcher import wheel

ROOT = Path(__file__).parents[2]


@pytest.mark.once
def test_the_wheel_has_all_files_and_says_what_it_needs() -> None:
    name, data = wheel.build()
    assert name == f"fedfutures-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    sources = {
        f"{package}/{path.relative_to(ROOT / folder)}": path.read_bytes()
        for package, folder in (("fedfutures", "fedfutures"), ("fedfutures_launcher", "launcher"))
        for path in (ROOT / folder).rglob("*.py")
    }
    sources["fedfutures/py.typed"] = b""
    sources["fedfutures_launcher/verbs/errors.rst"] = (ROOT / "launcher" / "verbs" / "errors.rst").read_bytes()
    info = f"fedfutures-{__version__}.dist-info"
    assert {entry: text for entry, text in files.items() if not entry.startswith(info)} == sources
    said = files[f"{info}/METADATA"].decode()
    for requirement in ("pyzmq>=26", "greenlet>=3.1", "msgpack>=1.0.8", "cloudpickle>=3.0", "paramiko>=3.4", "tomli>="):
        assert f"Requires-Dist: {requirement}" in said
    assert "extra" not in said
    assert [line.split(",")[0] for line in files[f"{info}/RECORD"].decode().splitlines()] == list(files)


@pytest.mark.once
@pytest.mark.host
def test_the_wheel_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fedfutures_launcher.wheel"]
    done = subprocess.run([*command, "."], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"./fedfutures-{__version__}-py3-none-any.whl\n"
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert piped.stdout == (tmp_path / done.stdout.strip()).read_bytes()
    nowhere = subprocess.run([*command, "no/where"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (nowhere.returncode, nowhere.stdout, nowhere.stderr.count("\n")) == (1, "", 1)
