"""A laboratory, an ssh client, and the machine that a program is launched from: what the battery runs on."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LIMIT_SECONDS = 60.0
UNSET = ("OMP_NUM_THREADS", "PYTHONPATH", "SSH_AUTH_SOCK")


@dataclass
class Ended:
    """How a launch ended."""

    code: int
    out: str
    err: str


@dataclass
class Ground:
    """Launches programs from the first machine of a laboratory onto its hosts.

    `directory` is on the launching machine; in namespaces no other host has it.
    """

    lab: Any
    hosts: list[str]
    directory: str
    client: str  # "paramiko" or "openssh"
    prefix: list[str] = field(default_factory=list)
    hostfile: str | None = None
    environment: dict[str, str] = field(default_factory=dict)  # more of it

    def write(self, name: str, text: str) -> str:
        """Write a file on the launching machine; return its path."""
        path = os.path.join(self.directory, name)
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1"'
        subprocess.run(
            [*self.prefix, "sh", "-c", script, "sh", path],
            input=textwrap.dedent(text),
            text=True,
            check=True,
            timeout=20,
        )
        return path

    @property
    def options(self) -> list[str]:
        """What every launch says about ssh."""
        client = ["--ssh-executable", "ssh"] if self.client == "openssh" else []
        root = ["--allow-root"] if os.getuid() == 0 else []
        return ["--ssh-config", str(self.lab.config), *client, *root]

    def command(self, *words: str, hosts: Sequence[str] | None = None) -> list[str]:
        """Return the command line of a launch."""
        if hosts is None and self.hostfile is not None:
            where = ["--hostfile", self.hostfile]
        elif hosts == []:
            where = []
        else:
            where = ["--hosts", *(self.hosts if hosts is None else hosts)]
        return [*self.prefix, sys.executable, "-m", "fedfutures", *where, *self.options, *words]

    def start(self, *words: str, hosts: Sequence[str] | None = None, **more: Any) -> subprocess.Popen[str]:
        """Start a launch."""
        environment = {name: value for name, value in os.environ.items() if name not in UNSET}
        environment |= self.environment
        return subprocess.Popen(
            self.command(*words, hosts=hosts), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True, **more,
        )  # fmt: skip

    def launch(self, *words: str, hosts: Sequence[str] | None = None, seconds: float = LIMIT_SECONDS) -> Ended:
        """Launch, wait for the end, and see that nothing is left on any host."""
        process = self.start(*words, hosts=hosts)
        return self.finish(process, seconds)

    def finish(self, process: subprocess.Popen[str], seconds: float = LIMIT_SECONDS) -> Ended:
        """Wait for the end of a launch."""
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate(timeout=10)
            raise AssertionError(f"still running after {seconds} s\n--- out\n{out}\n--- err\n{err}") from None
        return Ended(process.returncode, out, err)

    @staticmethod
    def read_until(process: subprocess.Popen[str], *texts: str) -> str:
        """Return what a launch says on stderr as soon as all of the texts are in it."""
        assert process.stderr is not None
        said = ""
        limit = threading.Timer(LIMIT_SECONDS, process.kill)
        limit.start()
        for line in process.stderr:
            said += line
            if all(text in said for text in texts):
                limit.cancel()
                return said
        limit.cancel()
        raise AssertionError(f"it ended before it said all of {texts}: {said}")

    def left(self) -> list[str]:
        """Return what of a run is still on the hosts."""
        return [f"{host}: {pid}" for host in self.lab.hosts for pid in self.lab.processes(host) if _is_ours(pid)]


def _is_ours(pid: int) -> bool:
    """Whether a process is more than an ssh session."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read()
    except OSError:
        return False
    return bool(words) and b"sshd" not in words
