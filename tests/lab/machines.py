"""What both kinds of laboratory have: hosts with an sshd each, keys, an ssh config, and a look at the processes."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

LIMIT_SECONDS = 20.0

Self = TypeVar("Self", bound="Hosts")


class Failed(Exception):
    """The laboratory did not come up, or a command in it failed."""


@dataclass(slots=True)
class Machine:
    """A host of a laboratory, as it is asked for.

    `behind` names the access host: the ssh config reaches this one through it. `lines` go to the end of sshd_config,
    `earlier_lines` to its beginning, where they count more than the usual ones.
    """

    name: str
    behind: str | None = None
    max_startups: str = "10:30:100"
    force_command: str | None = None
    lines: Sequence[str] = ()
    earlier_lines: Sequence[str] = ()
    host_keys: Sequence[str] = ("ed25519",)
    address: str = ""
    port: int = 0


def program(name: str) -> str | None:
    """Return the absolute path of a system program, also where only root has it on the PATH; None: it is missing."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


def user() -> str:
    """Return the name of whoever runs this."""
    return pwd.getpwuid(os.getuid()).pw_name


def home() -> str:
    """Return the home of whoever runs this, as ssh sees it: what the environment says does not count."""
    return pwd.getpwuid(os.getuid()).pw_dir


def make_keys(paths: Iterable[tuple[Path, str]]) -> None:
    """Make key pairs of a type each, without passphrases, all at once."""
    keygen = program("ssh-keygen") or "ssh-keygen"
    running = [
        subprocess.Popen([keygen, "-q", "-t", kind, "-N", "", "-C", path.name, "-f", path], stdin=subprocess.DEVNULL)
        for path, kind in paths
    ]
    codes = [process.wait(LIMIT_SECONDS) for process in running]
    if any(codes):
        raise Failed("ssh-keygen failed")


def ssh_config(machines: Iterable[Machine], directory: Path) -> str:
    """Return the text of the ssh config that reaches the hosts."""
    text = ""
    for machine in machines:
        text += f"Host {machine.name}\n    HostName {machine.address}\n    Port {machine.port}\n    User {user()}\n"
        text += f"    IdentityFile {directory}/id_ed25519\n    IdentitiesOnly yes\n"
        text += f"    UserKnownHostsFile {directory}/known_hosts\n    GlobalKnownHostsFile /dev/null\n"
        text += f"    ProxyJump {machine.behind}\n" if machine.behind else ""
    return text


def known_hosts(machines: Iterable[Machine], directory: Path) -> str:
    """Return the text of the known_hosts file: the public host keys by address and port."""
    text = ""
    for machine in machines:
        where = machine.address if machine.port == 22 else f"[{machine.address}]:{machine.port}"
        for kind in machine.host_keys:
            text += f"{where} {' '.join((directory / machine.name / f'{kind}.pub').read_text().split()[:2])}\n"
    return text


def sshd_config(machine: Machine, directory: Path) -> str:
    """Return the text of sshd_config."""
    own = directory / machine.name
    lines = [
        *machine.earlier_lines,
        f"ListenAddress {machine.address}", f"Port {machine.port}", f"PidFile {own}/sshd.pid", "LogLevel VERBOSE",
        *(f"HostKey {own}/{kind}" for kind in machine.host_keys), f"AuthorizedKeysFile {directory}/id_ed25519.pub",
        "UsePAM no", "StrictModes no", "PermitRootLogin yes", "PasswordAuthentication no", "UseDNS no",
        "KbdInteractiveAuthentication no", f"MaxStartups {machine.max_startups}", "PrintMotd no",
        "Subsystem sftp internal-sftp",
    ]  # fmt: skip
    if machine.force_command is not None:
        lines.append(f"ForceCommand {machine.force_command}")
    return "\n".join([*lines, *machine.lines, ""])


def children(pid: int) -> list[int]:
    """Return the children of a process; of one that is gone, none."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += [int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        pass
    return found


def below(pid: int) -> list[int]:
    """Return all descendants of a process, parents first."""
    found = children(pid)
    for child in found:  # grows meanwhile
        found += children(child)
    return found


def name_of(pid: int) -> str:
    """Return the name of a process; nothing if it has ended, be it as a zombie."""
    try:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return ""
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; some may have ended."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def wait_until(condition: Callable[[], object], what: str, seconds: float = LIMIT_SECONDS) -> None:
    """Wait for a condition. Raises Failed when time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds} s still not: {what}")
        time.sleep(0.005)


class Hosts:
    """What can be done with the hosts of either kind. `config` is the ssh config that reaches them."""

    machines: dict[str, Machine]
    directory: Path
    config: Path
    known_hosts: Path
    key: Path

    def _below(self, host: str) -> list[int]:
        """Return all processes of a host below its first one; of a host that is down, none."""
        raise NotImplementedError

    def _log(self, host: str) -> Path:
        raise NotImplementedError

    def close(self) -> None:
        """End everything on all hosts; the directory stays."""
        raise NotImplementedError

    @property
    def hosts(self) -> list[str]:
        """The names of the hosts."""
        return list(self.machines)

    def processes(self, host: str) -> list[int]:
        """Return the pids of all that runs on a host but its sshd, daemonised or not."""
        found = [(pid, name_of(pid)) for pid in self._below(host)]
        return [pid for pid, name in found if name not in ("", "sshd")]

    def sessions(self, host: str) -> list[int]:
        """Return the pids of the sshd processes that serve the connections of a host."""
        return [pid for pid in self._below(host) if name_of(pid) == "sshd" and not self._listens(pid)]

    def kill_sessions(self, host: str) -> None:
        """Kill the sshd processes of a host's sessions; what ran in them lives and sees its pipes closed."""
        self._kill(self.sessions(host))

    def refuse(self, host: str) -> None:
        """End only the sshd that listens: sessions go on, new ones are refused."""
        self._kill([pid for pid in self._below(host) if self._listens(pid)])

    def freeze(self, host: str) -> None:
        """Stop every process of a host: connections stay, new ones are made by the kernel, and nobody answers."""
        send(self._below(host), signal.SIGSTOP)

    def thaw(self, host: str) -> None:
        """Let a frozen host go on."""
        send(self._below(host), signal.SIGCONT)

    def logins(self, host: str) -> int:
        """Return how often somebody has logged in to a host."""
        return self.log(host).count("Accepted publickey")

    def log(self, host: str) -> str:
        """Return what the sshd of a host has said."""
        return self._log(host).read_text()

    def _kill(self, pids: list[int]) -> None:
        send(pids, signal.SIGKILL)
        wait_until(lambda: not any(name_of(pid) for pid in pids), f"{pids} have ended")

    @staticmethod
    def _listens(pid: int) -> bool:
        """Whether this is the sshd that takes new connections, by its title; at first it has none."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return b"[listener]" in words[0] or (words[0].endswith(b"/sshd") and b"-R" not in words)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def output(command: Sequence[str], what: str, seconds: float = LIMIT_SECONDS, text: str = "") -> str:
    """Run a command; return what it prints. Raises Failed, which says what was tried, if it fails."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    ended = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=seconds, env={**os.environ, "PATH": path}
    )
    if ended.returncode:
        raise Failed(f"{what} ended with {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout
