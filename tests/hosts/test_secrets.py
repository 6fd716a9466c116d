"""What others on the machines can see of a run, and where its secret keys are: in memory, and nowhere else.

The processes of this run write down the keys that they draw: their Python reads a `sitecustomize` of this test. The
run itself has no means to do so.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from zmq.utils import z85

from fedfutures.host.system import make_private_directory

from .ground import Ground

pytestmark = pytest.mark.host

NOBODY = 65534
KEY_BYTES = 40  # in Z85
TELL = """
import os, secrets, zmq
from zmq.utils import z85

def tell(key):
    with open({path!r}, "ab") as file:
        file.write(key)

def curve_keypair(made=zmq.curve_keypair):
    public, secret = made()
    tell(secret)
    return public, secret

def token_bytes(count=None, made=secrets.token_bytes):
    token = made(count)
    if count == 32:
        tell(z85.encode(token))
    return token

zmq.curve_keypair, secrets.token_bytes = curve_keypair, token_bytes
"""
PROGRAM = """
    import os
    import sys
    import time
    import traceback
    from fedfutures import futures, shared

    def fails(number):
        print("about to fail")
        time.sleep(0.01)
        raise ValueError(number)

    def crash():
        os.abort()

    if __name__ == "__main__":
        shared.set(big=bytes(3 << 20))
        for future in [futures.submit(fails, number) for number in range(20)]:
            try:
                future.result()
            except ValueError:
                traceback.print_exc()
        print("under way", flush=True)
        sys.stdin.readline()
        try:
            futures.submit(crash).result()
        except Exception:
            traceback.print_exc()
        print("done", flush=True)
"""


@dataclass
class Run:
    """A run that is under way, and everything of it that others might come to see."""

    process: subprocess.Popen[bytes]
    pids: list[int]
    directories: list[Path]  # private ones
    seen: dict[str, bytes | bytearray] = field(default_factory=dict)

    def named(self, *names: bytes) -> list[int]:
        """The processes that have such a name."""
        return [pid for pid in self.pids if (read(pid, "comm") or b"").strip() in names]

    def look(self, *more: Path) -> None:
        """Keep what the processes show and what is in files."""
        for pid in self.pids:
            for name in ("cmdline", "environ"):
                self.seen[f"{name} of {pid}"] = read(pid, name) or b""
        for file in (file for place in (*self.directories, *more) for file in place.rglob("*")):
            with contextlib.suppress(OSError):
                self.seen[str(file)] = file.read_bytes()

    def end(self) -> None:
        """Let it end; what it printed meanwhile is kept."""
        if self.process.returncode is None:
            out, err = self.process.communicate(b"go on\n", timeout=20)
            self.seen |= {"standard output": out, "standard error": err}


def read(pid: int, name: str) -> bytes | None:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return None


def below(pid: int) -> list[int]:
    """The pids of a process and of all below it."""
    children = (read(pid, f"task/{pid}/children") or b"").split()
    return [pid, *(found for child in children for found in below(int(child)))]


class Capture:
    """Everything that passes over the loopback interface meanwhile; nothing where that is not allowed."""

    def __enter__(self) -> Capture:
        self.data = bytearray()
        self._socket = None
        with contextlib.suppress(PermissionError, AttributeError):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
            self._socket.bind(("lo", 0))
            self._socket.settimeout(0.1)
            self._over = threading.Event()
            self._thread = threading.Thread(target=self._take_in)
            self._thread.start()
        return self

    def _take_in(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                self.data += self._socket.recv(1 << 17)

    def __exit__(self, *error: object) -> None:
        if self._socket is not None:
            self._over.set()
            self._thread.join(5)
            self._socket.close()


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """Where this run has its private directories; others may look in, as in /tmp."""
    path = Path(tempfile.mkdtemp(prefix="secrets-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def python_that_tells(directory: Path, base: Path) -> tuple[Path, dict[str, str]]:
    """Return an interpreter that writes down keys, and the environment that makes this one do so, too."""
    environment = {"PYTHONPATH": str(directory), "TMPDIR": str(base), "XDG_RUNTIME_DIR": ""}
    (directory / "sitecustomize.py").write_text(TELL.format(path=str(directory / "keys")))
    python = directory / "python"
    words = " ".join(f"{name}={value}" for name, value in environment.items())
    python.write_text(f'#!/bin/sh\nexport {words}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python, environment


@pytest.fixture(scope="module")
def telling(tmp_path_factory) -> Path:
    """Where the keys are written down."""
    return tmp_path_factory.mktemp("telling")


@pytest.fixture(scope="module")
def run(rootless, base, telling, tmp_path_factory) -> Iterator[Run]:
    """A run that is under way on h1, whose link has a port, and on h2, whose link is relayed."""
    directory = tmp_path_factory.mktemp("program")
    python, environment = python_that_tells(telling, base)
    shared = set(Path("/dev/shm").glob("fedfutures-*"))
    ground = Ground(rootless, [], str(directory), "paramiko")
    ground.hostfile = ground.write("hosts", f"h1 1 python={python}\nh2 1 python={python} tunnel=yes\n")
    command = ground.command("-n", "2", "-vv", "--debug", ground.write("prog.py", PROGRAM))
    with Capture() as capture:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env=os.environ | environment,
        )  # fmt: skip
        try:
            heard = b""
            while b"under way" not in heard:
                heard += process.stdout.readline() or pytest.fail(process.stderr.read().decode())
            pids = sorted({*below(process.pid), *rootless.processes("h1"), *rootless.processes("h2")})
            places = [*base.glob("fedfutures-*"), *set(Path("/dev/shm").glob("fedfutures-*")) - shared]
            made = Run(process, pids, places, {"output": heard, "loopback": capture.data})
            made.look(directory)
            yield made
            made.end()
        finally:
            process.kill()
            process.wait(10)
            process.stdin.close(), process.stdout.close(), process.stderr.close()


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be another user of this machine for a while: only root can."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def taken(run: Run, paths: list[Path]) -> set[str]:
    """What this user gets hold of: sockets and files by name, directories, environments of private processes."""
    got = set()
    for path in paths:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
            attempt.connect(str(path))
            got.add(f"connected to {path}")
    for directory in run.directories:
        with contextlib.suppress(OSError):
            os.listdir(directory)
            got.add(f"read {directory}")
    for pid in run.named(b"fedfut-broker", b"fedfut-connect"):
        if read(pid, "environ"):
            got.add(f"environ of {pid}")
    return got


@pytest.mark.fault("E13")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_of_the_machine_gets_hold_of_nothing(run: Run) -> None:
    files = [file for place in run.directories for file in place.iterdir()]
    sockets = [file for file in files if stat.S_ISSOCK(file.lstat().st_mode)]
    names = {file.name for file in sockets}
    assert "door" in names, "there should be a door on the other hosts"
    assert {"relay1main", "relay1meta", "relay1subscriber"} <= names, "there should be a relay on this machine"
    assert len(run.named(b"fedfut-broker")) == 3
    with as_nobody():
        assert taken(run, sockets) == set()
    usual = taken(run, [path for path in sockets if path.name.startswith("b")])
    assert len(usual) > len(run.directories) + 3, "the attempts would not even succeed where they are allowed"
    for file in (*run.directories, *files):
        assert file.lstat().st_uid == os.geteuid()
        assert not file.lstat().st_mode & 0o077 or file not in run.directories


def forms_of(key: bytes) -> list[bytes]:
    """A key as it might be written."""
    raw = z85.decode(key)
    return [key, raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw)]


def test_secret_keys_are_nowhere_but_in_memory(run: Run, telling: Path) -> None:
    run.end()
    told = (telling / "keys").read_bytes()
    keys = [told[at : at + KEY_BYTES] for at in range(0, len(told), KEY_BYTES)]
    assert len(keys) >= 4, "three Brokers and the run have keys"
    forms = {form for key in keys for form in forms_of(key)}
    assert run.process.returncode == 0, run.seen["standard error"].decode()
    assert b"ValueError: 1" in run.seen["standard error"]
    if os.geteuid() == 0:
        assert b"SSH-2.0-" in run.seen["loopback"], "nothing was captured"
    assert [place for place, text in run.seen.items() if any(form in text for form in forms)] == []


@pytest.mark.fault("E14")
def test_a_private_directory_that_is_there_already_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    name = tmp_path / f"fedfutures-h{bytes(8).hex()[1:]}"
    name.mkdir()
    with pytest.raises(FileExistsError):
        make_private_directory(str(tmp_path))
    name.rmdir()
    name.symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        make_private_directory(str(tmp_path))
    name.unlink()
    assert Path(make_private_directory(str(tmp_path))).stat().st_mode & 0o777 == 0o700
