"""What is printed for a host that cannot be used can be pasted, and works."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from .ground import Ground
from .test_ends import nothing_left

ROOT = Path(__file__).parents[2]


@pytest.mark.once
@pytest.mark.host
def test_a_host_without_fedfutures_has_it_after_the_command_that_is_printed(rootless, tmp_path) -> None:
    home = tmp_path / "bare"
    venv.create(home, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    needed = tmp_path / "needed"  # pip, and what an index would give, without fedfutures
    needed.mkdir()
    for place in Path(sysconfig.get_path("purelib")).iterdir():
        if "fedfutures" not in place.name and place.suffix != ".pth":
            (needed / place.name).symlink_to(place)
    (site / "needed.pth").write_text(f"{needed}\n")
    python = str(home / "bin" / "python")

    ground = Ground(rootless, ["h1"], str(tmp_path), "paramiko")
    prog = ground.write("prog.py", "from fedfutures import futures\nprint(futures.submit(abs, -3).result())\n")
    words = ["-n", "1", "--python-interpreter", python, prog]
    ended = ground.launch(*words)
    assert (ended.code, ended.out) == (2, "")
    assert f"{python} cannot import fedfutures" in ended.err
    (command,) = re.findall(r"^    (.*fedfutures_launcher\.wheel \| ssh .*)$", ended.err, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ended = ground.launch(*words)
    assert (ended.code, ended.out) == (0, "3\n"), ended.err
    installed = [python, "-c", "import fedfutures; print(fedfutures.__file__)"]
    place = subprocess.run(installed, cwd="/", env=environment, capture_output=True, text=True, check=True).stdout
    assert place.startswith(str(home))
    nothing_left(ground)


@pytest.mark.host
def test_what_is_printed_of_a_host_that_is_mistyped(rootless, tmp_path) -> None:
    ground = Ground(rootless, ["h1"], str(tmp_path), "paramiko")
    ended = ground.launch("-n", "1", ground.write("prog.py", "print('ran')"), hosts=["hh2", "h1"])
    assert (ended.code, ended.out) == (0, "ran\n")
    lines = ended.err.splitlines()
    at = lines.index("hh2: no address is known for this name")
    assert lines[at + 1] == "    getent hosts hh2"
    assert "    (did you mean h2?)" in lines[at:]
    assert max(map(len, lines[:3])) <= 80
