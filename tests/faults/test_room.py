"""A small or full ``/dev/shm``, as in a container: every value arrives another way, or an error says what is short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.host, pytest.mark.once]

PROGRAM = """
import functools
import os
import sys
import numpy as np
from fedfutures import futures, shared

def filled(mib):
    return np.ones(mib << 17)

def total(array, number=0):
    return float(array.sum()) + number

def of_shared(_):
    return total(shared.get("big"))

def fails(mib):
    raise ValueError(filled(mib))

def ways(mib):
    array = filled(mib)
    yield lambda: futures.submit(filled, mib).result(20).sum()
    yield lambda: futures.submit(total, array).result(20)
    yield lambda: (shared.set(big=array), futures.submit(of_shared, 1).result(20))[1]
    yield lambda: next(iter(futures.map(functools.partial(total, array), [0] * 3)))
    yield lambda: sum(total(part) for part in futures.map(filled, [mib] * 8)) / 8
    yield lambda: max(futures.map(total, [array] * 8))

def tried(way, mib):
    try:
        return "right" if way() == mib << 17 else "WRONG"
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def failed(mib):
    try:
        futures.submit(fails, mib).result(20)
    except ValueError as error:
        return "ValueError"

if __name__ == "__main__":
    for mib in map(int, sys.argv[1:]):
        for way in ways(mib):
            print(mib, tried(way, mib))
        print(mib, failed(mib))
"""


def launch(tmp_path: Path, memory: str, disk: str, *sizes: str) -> list[str]:
    """Run the program with file systems of these sizes; see that nothing is left in them."""
    pytest.importorskip("numpy")
    for words in (["unshare", "-m"], ["unshare", "-rm"]):
        try:
            if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
                break
        except OSError:
            pass
    else:
        pytest.skip("it takes unshare(1) and the right to mount a file system")
    program, temporary = tmp_path / "prog.py", tmp_path / "tmp"
    program.write_text(PROGRAM)
    temporary.mkdir()
    script = (
        f'mount -t tmpfs -o size={memory} tmpfs /dev/shm && mount -t tmpfs -o size={disk} tmpfs "$TMPDIR" || exit 9; '
        '"$@"; code=$?; ls -A /dev/shm "$TMPDIR"; exit $code'
    )
    command = [sys.executable, "-m", "fedfutures", "-n", "2", *(["--allow-root"] if os.getuid() == 0 else [])]
    environment = os.environ | {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": ""}
    ended = subprocess.run(
        [*words, "sh", "-c", script, "sh", *command, str(program), *sizes],
        env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    out, _, left = ended.stdout.partition("/dev/shm:\n")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert left.split() == [f"{temporary}:"], ended.stdout + ended.stderr
    return out.splitlines()


@pytest.mark.fault("B3")
def test_small_shared_memory(tmp_path: Path) -> None:
    said = launch(tmp_path, "8m", "500m", "1", "20", "1", "5")
    assert said == [f"{mib} {word}" for mib in (1, 20, 1, 5) for word in [*["right"] * 6, "ValueError"]]


@pytest.mark.fault("A12", "B3")
def test_no_room_anywhere(tmp_path: Path) -> None:
    """What fits into a message travels in one; what does not fails by name; afterwards all is as before."""
    said = launch(tmp_path, "4m", "6m", "8", "30", "1")
    assert said[:7] == [*["8 right"] * 6, "8 ValueError"]
    assert said[14:] == [*["1 right"] * 6, "1 ValueError"]
    assert said[13] == "30 ValueError"
    for line in said[7:13]:
        assert line.startswith("30 NoRoom: a value of 31,457,280 bytes has no room on host ")
        assert "/dev/shm has " in line
        assert str(tmp_path / "tmp") in line
        assert "(No space left on device)" in line
        assert "pickle" not in line
