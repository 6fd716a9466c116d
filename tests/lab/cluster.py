"""What the clusters of the laboratory have in common: hosts, and a user who submits to a batch system.

The hosts are those of `namespaces.py`. On each there is the user ``lab``, an ordinary one, whose home is one folder
for all hosts, as clusters have it; ``/tmp``, ``/dev/shm`` and ``/run`` are each host's own. The user logs in from host
to host by ssh with a key, and `forbid_ssh` ends that. `slurm.py` and `grid_engine.py` add the daemons.

A cluster is down when its laboratory is: daemons, jobs and files end with the namespaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from . import machines
from .machines import Failed, name_of, wait_until
from .namespaces import Namespaces, Site

USER = "lab"
UID = 4711
RUNTIME = f"/run/user/{UID}"
"""The folder of the user's logins, on h1 alone. Slurm takes its name from the environment of steps and scripts."""
SHELL = "/bin/bash"
PATH = "/usr/local/bin:/usr/bin:/bin"
PLACES = ("/tmp", "/dev/shm", "/var/tmp", "/run")
USER_SCRIPT = """
cat >/dev/null
for place in {closed}; do chmod o+x $place 2>/dev/null || :; done
echo '{user}:x:{uid}:{uid}::{home}:{shell}' >>/etc/passwd
echo '{user}:x:{uid}:' >>/etc/group
echo '{user}:*:19000:0:99999:7:::' >>/etc/shadow
[ $(hostname) != {first} ] || (install -d /run/user; install -d -m 700 -o {user} {runtime})
"""

Self = TypeVar("Self", bound="Cluster")


class Cluster:
    """Hosts h1, h2 ... with a user. `home` is the user's folder on all hosts, and can be read and written from here.

    Subclasses say in `needs` which programs they take, and bring their daemons up in `_come_up`.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, count: int, directory: Path, cpus: int = 4) -> None:
        """Make the hosts, with `cpus` processors or slots each, and bring the daemons up."""
        for name in self.needs:
            if machines.program(name) is None:
                raise Failed(f"there is no {name}")
        self.cpus = cpus
        self.home = directory / "home"
        self.home.mkdir(parents=True)
        site = Site([f"h{number + 1}" for number in range(count)])
        self.lab = Namespaces([site], directory / "lab", shared=[self.home])
        try:
            self._make_home()
            self.on_all(self._user_script())
            self._come_up()
        except BaseException:
            self.close()
            raise

    def _come_up(self) -> None:
        raise NotImplementedError

    def _make_home(self) -> None:
        ssh = self.home / ".ssh"
        ssh.mkdir()
        shutil.copy(self.lab.key, ssh / "id_ed25519")
        shutil.copy(self.lab.key.with_suffix(".pub"), ssh / "authorized_keys")
        keys = ""
        for machine in self.lab.machines.values():
            public = (self.lab.directory / machine.name / "ed25519.pub").read_text().split()[:2]
            keys += f"{machine.name},{machine.address} {' '.join(public)}\n"
        (ssh / "known_hosts").write_text(keys)
        for place in (self.home, ssh, *ssh.iterdir()):
            os.chown(place, UID, UID)
            place.chmod(0o700 if place.is_dir() else 0o600)

    def _user_script(self) -> str:
        closed = " ".join(f"'{place}'" for place in _closed())
        return USER_SCRIPT.format(
            user=USER, uid=UID, shell=SHELL, home=self.home, closed=closed, runtime=RUNTIME, first=self.hosts[0]
        )

    # -------------------------------------------------------------------------------------------------------------- use

    @property
    def hosts(self) -> list[str]:
        """The names of the hosts; the first one has the daemon that distributes the work, and is a node as well."""
        return self.lab.hosts

    def on_all(self, script: str, hosts: Sequence[str] | None = None) -> None:
        """Run a shell script as root on hosts, on all at the same time. Raises Failed."""
        running = [
            subprocess.Popen(
                self.lab.within(host, "/bin/sh", "-ec", script), env={"PATH": PATH + ":/usr/sbin:/sbin"},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            for host in (self.hosts if hosts is None else hosts)
        ]  # fmt: skip
        said = [process.communicate(timeout=machines.LIMIT_SECONDS)[1] for process in running]
        if any(process.returncode for process in running):
            raise Failed(f"{script}: {said}")

    def command(self, host: str, *words: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """Return the arguments that run a command on a host as the user, in the home, with a login's environment."""
        variables = {
            "HOME": str(self.home),
            "USER": USER,
            "LOGNAME": USER,
            "SHELL": SHELL,
            "PATH": PATH,
            "LANG": "C.UTF-8",
        }
        variables |= self.variables | (environment or {})
        return [
            *self.lab.within(host, "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i"),
            *(f"{name}={value}" for name, value in variables.items()),
            "/bin/sh", "-c", 'cd "$HOME" && exec "$@"', "sh", *words,
        ]  # fmt: skip

    @property
    def variables(self) -> dict[str, str]:
        """What a login of this cluster adds to the environment."""
        return {}

    def run(self, host: str, script: str, seconds: float = machines.LIMIT_SECONDS) -> str:
        """Run a shell command on a host as the user; return what it prints. Raises Failed."""
        return machines.output(self.command(host, "/bin/sh", "-c", script), f"{script!r} on {host}", seconds)

    def start(self, host: str, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command on a host as the user."""
        return subprocess.Popen(
            self.command(host, *words), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip

    def write(self, name: str, text: str) -> Path:
        """Write a file into the home, executable, as the user has it."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        path.chmod(0o755)
        for place in (path, path.parent):
            os.chown(place, UID, UID)
        return path

    def read(self, name: str) -> str:
        """Return the text of a file of the home; nothing while there is none."""
        path = self.home / name
        return path.read_text() if path.exists() else ""

    def await_text(self, name: str, text: str, seconds: float = machines.LIMIT_SECONDS) -> str:
        """Wait until a file of the home has a text; return all of it. Raises Failed, which says what it has."""
        deadline = time.monotonic() + seconds
        while text not in (found := self.read(name)):
            if time.monotonic() > deadline:
                raise Failed(f"after {seconds} s {name} has no {text!r}, but: {found}")
            time.sleep(0.05)
        return found

    # ----------------------------------------------------------------------------------------------------- what is left

    def processes(self, host: str) -> list[int]:
        """Return the pids of the user's processes on a host, but for the sshd of a login."""
        return [pid for pid in self.lab.inside(host) if _uid(pid) == UID and name_of(pid) not in ("", "sshd")]

    def left(self, hosts: Sequence[str] | None = None) -> list[str]:
        """Return the user's processes on hosts, each as host, pid and command line."""
        found = [(host, pid) for host in (self.hosts if hosts is None else hosts) for pid in self.processes(host)]
        return [f"{host}: {pid} {_words(pid)}" for host, pid in found]

    def files(self, hosts: Sequence[str] | None = None) -> list[str]:
        """Return the user's files on hosts, each as host and path, in all places that are a host's own.

        But for those of Open MPI's daemons, which a scheduler may kill before they have removed them.
        """
        found = []
        for host in filter(self.lab.is_up, self.hosts if hosts is None else hosts):
            script = (
                f"find {' '.join(PLACES)} -xdev -user {USER} ! -path {self.home} ! -path {RUNTIME} "
                "! -path '*/ompi.*' 2>/dev/null || :"
            )
            found += [f"{host}: {path}" for path in self.lab.run(host, script).split("\n") if path]
        return found

    def assert_empty(
        self, since: float, hosts: Sequence[str] | None = None, processes_s: float = 2.0, files_s: float = 5.0
    ) -> None:
        """Demand that the hosts have no process of the user 2 s after `since` (monotonic), and no file after 5 s."""
        left = _until_none(lambda: self.left(hosts), since + processes_s)
        assert not left, "\n".join(left)
        left = _until_none(lambda: self.files(hosts), since + files_s)
        assert not left, "\n".join(left)

    def end_processes(self) -> None:
        """Kill all that the user still has on any host: a test that failed leaves nothing to the next one."""
        for host in filter(self.lab.is_up, self.hosts):
            machines.send(self.processes(host), signal.SIGKILL)
            self.lab.run(
                host, f"find {' '.join(PLACES)} -xdev -user {USER} ! -path {self.home} ! -path {RUNTIME} -delete || :"
            )

    # -------------------------------------------------------------------------------------------------------------- ssh

    def forbid_ssh(self, hosts: Sequence[str] | None = None) -> None:
        """Have the sshd of hosts admit the user no longer, as clusters do where nodes are reached by jobs alone."""
        self._reload("echo 'DenyUsers lab' >>/etc/ssh/sshd_config", hosts)

    def permit_ssh(self, hosts: Sequence[str] | None = None) -> None:
        """Undo `forbid_ssh`."""
        self._reload("sed -i '/^DenyUsers/d' /etc/ssh/sshd_config", hosts)

    def _reload(self, change: str, hosts: Sequence[str] | None) -> None:
        for host in self.hosts if hosts is None else hosts:
            before = self.lab.log(host).count("Server listening")
            self.lab.run(host, f"{change}; kill -HUP $(cat /run/sshd.pid)")
            wait_until(lambda host=host, before=before: self.lab.log(host).count("Server listening") > before, "sshd")

    def power_off(self, host: str) -> None:
        """Take a node down as a loss of power does."""
        self.lab.power_off(host)

    def close(self) -> None:
        """End everything on all hosts; the directory stays."""
        self.lab.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _until_none(found: Callable[[], list[str]], deadline: float) -> list[str]:
    """Look until nothing is found or time is over; return what was found last."""
    while (last := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return last


def _uid(pid: int) -> int:
    """Return whose process this is: the owner of its folder in /proc is root where core dumps are disabled."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[2])
    except OSError:
        pass
    return -1


def _words(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        words = ""
    return words[:160] or name_of(pid)


def _closed() -> list[str]:
    """Return the folders around Python and the project that only their owner may enter, the outer ones first."""
    found = set()
    for place in (sys.prefix, sys.base_prefix, *(_package(name) for name in ("fedfutures", "fedfutures_launcher"))):
        found |= {str(parent) for parent in (Path(place), *Path(place).parents) if not parent.stat().st_mode & 1}
    return sorted(found)


def _package(name: str) -> str:
    spec = find_spec(name)
    return "/" if spec is None or spec.origin is None else str(Path(spec.origin).parent)
