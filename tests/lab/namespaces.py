"""Hosts for root: each with a network, a name, files and processes of its own, in sites behind a router.

A site is a network; the router between the sites lets through what the policy of each says:

- **open**: everything.
- **gated**: inwards only ssh to the access host (`door`; None: nothing at all); outwards everything.
- **closed**: as gated, and outwards only what the access host sends.

The program that a test launches runs in the network of the first host and under its name, but among the machine's own
files and processes (`origin_prefix`), with the ssh config and the keys of the laboratory as its ``~/.ssh``. On all
hosts ``/tmp``, ``/home`` and the project's checkout are empty, so a host holds no copy of the program; Python and the
installed packages are there as outside, and read-only. Monotonic clocks differ by days. What `world.py` says of the
processes holds here too: the whole laboratory ends with one of them.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import machines
from .machines import Failed, Hosts, Machine

WORLD = str(Path(__file__).with_name("world.py"))
ROOT = Path(__file__).resolve().parents[2]
NEEDS = ("sshd", "ssh", "ssh-keygen", "ip", "nft", "nsenter", "unshare", "mount")
SSHD_CONFIG = """\
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
X11Forwarding yes
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
LogLevel VERBOSE
UseDNS no
"""


@dataclass(slots=True)
class Site:
    """A network of hosts, named or as Machines. `refusal` of what the policy forbids: "drop" or "reject"."""

    hosts: Sequence[str | Machine]
    policy: str = "open"
    door: str | None = None
    refusal: str = "drop"


class Namespaces(Hosts):
    """A laboratory of hosts in namespaces; comes up when made, and `close` leaves nothing."""

    def __init__(self, sites: int | Sequence[Site], directory: Path, shared: Sequence[Path] = ()) -> None:
        """Make it; the folders of `shared` are the same on all hosts, and can be written to."""
        for name in NEEDS:
            if machines.program(name) is None:
                raise Failed(f"there is no {name}")
        if isinstance(sites, int):
            sites = [Site([f"h{number + 1}" for number in range(sites)])]
        self.machines: dict[str, Machine] = {}
        self.site_of: dict[str, int] = {}
        for number, site in enumerate(sites, 1):
            self._add(number, site)
        self.directory, self.shared = directory, shared
        self.ssh_directory = directory / "ssh"
        self.config = self.ssh_directory / "config"
        self.known_hosts = self.ssh_directory / "known_hosts"
        self.key = self.ssh_directory / "id_ed25519"
        self.names = directory / "names"
        self._pids: dict[str, int] = {}
        self._lay_out(sites)
        command = [sys.executable, "-I", "-S", WORLD, str(directory / "plan.json")]
        self._world = subprocess.Popen(
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            machines.wait_until(lambda: machines.children(self._world.pid) or self._world.poll() is not None, "started")
            self._heard(self.hosts)
        except BaseException:
            self.close()
            raise

    # --------------------------------------------------------------------------------------------------------- the plan

    def _add(self, number: int, site: Site) -> None:
        for place, host in enumerate(site.hosts, 11):
            machine = host if isinstance(host, Machine) else Machine(host)
            machine.address, machine.port = f"10.77.{number}.{place}", 22
            if machine.behind is None and site.door not in (None, machine.name):
                machine.behind = site.door
            self.machines[machine.name] = machine
            self.site_of[machine.name] = number

    def _lay_out(self, sites: Sequence[Site]) -> None:
        self.ssh_directory.mkdir(parents=True, mode=0o700)
        keys = [(self.key, "ed25519")]
        for machine in self.machines.values():
            own = self.directory / machine.name
            own.mkdir()
            keys += [(own / kind, kind) for kind in machine.host_keys]
        machines.make_keys(keys)
        self.config.write_text(machines.ssh_config(self.machines.values(), self.ssh_directory))
        self.known_hosts.write_text(machines.known_hosts(self.machines.values(), self.directory))
        names = "".join(f"{machine.address} {machine.name}\n" for machine in self.machines.values())
        self.names.write_text(f"127.0.0.1 localhost\n::1 localhost\n{names}")
        plan = {
            "directory": str(self.directory), "sshd": machines.program("sshd"), "firewall": _firewall(sites),
            "masks": [str(ROOT), "/tmp", "/var/tmp", "/home", "/run", f"{machines.home()}/.ssh"], "binds": _binds(),
            "shared": [str(place) for place in self.shared],
            "network": ["link set lo up", *(line for number in range(len(sites)) for line in _bridge(number + 1))],
            "hosts": [self._host(machine) for machine in self.machines.values()],
        }  # fmt: skip
        (self.directory / "plan.json").write_text(json.dumps(plan))

    def _host(self, machine: Machine) -> dict[str, object]:
        number, place = self.site_of[machine.name], int(machine.address.rpartition(".")[2])
        own = self.directory / machine.name
        sshd = SSHD_CONFIG + f"MaxStartups {machine.max_startups}\n"
        sshd += "".join(f"HostKey /etc/ssh/ssh_host_{kind}_key\n" for kind in machine.host_keys)
        sshd += f"ForceCommand {machine.force_command}\n" if machine.force_command is not None else ""
        home = machines.home()
        files = {
            "/etc/hostname": f"{machine.name}\n", "/etc/hosts": self.names.read_text(),
            "/etc/ssh/sshd_config": sshd + "\n".join([*machine.lines, ""]),
            f"{home}/.bashrc": "", f"{home}/.profile": "",
            f"{home}/.ssh/authorized_keys": self.key.with_suffix(".pub").read_text(),
        }  # fmt: skip
        for kind in machine.host_keys:
            files[f"/etc/ssh/ssh_host_{kind}_key"] = (own / kind).read_text()
            files[f"/etc/ssh/ssh_host_{kind}_key.pub"] = (own / f"{kind}.pub").read_text()
        network = [
            "link set lo up", f"addr add {machine.address}/24 dev eth0", "link set eth0 up",
            f"route add default via 10.77.{number}.1",
        ]  # fmt: skip
        if Path("/proc/sys/net/ipv6").exists():
            network.insert(2, f"addr add fd77:0:0:{number}::{place}/64 dev eth0 nodad")
            network.append(f"route add ::/0 via fd77:0:0:{number}::1")
        return {
            "name": machine.name, "port": self._port(machine.name), "bridge": f"br{number}", "files": files,
            "network": network, "mac": f"02:77:00:00:{number:02x}:{place:02x}",  # booted again, a host keeps it
        }  # fmt: skip

    # ------------------------------------------------------------------------------------------------------ up and down

    def _heard(self, hosts: Sequence[str]) -> None:
        """Wait until hosts are up, and find their processes 1."""
        assert self._world.stdout is not None
        waiting = set(hosts)
        while waiting:
            if not select.select([self._world.stdout], [], [], machines.LIMIT_SECONDS)[0]:
                raise Failed(f"{', '.join(sorted(waiting))}: silence")
            word, _, rest = self._world.stdout.readline().decode().strip().partition(" ")
            if word != "up":
                raise Failed(f"the laboratory: {rest or 'it ended'}")
            name, pid = rest.split()
            waiting.remove(name)
            self._pids[name] = next(found for found in machines.children(self._init) if _inner(found) == int(pid))

    @property
    def _init(self) -> int:
        """Process 1 of the laboratory; raises Failed once it is gone."""
        found = machines.children(self._world.pid)
        if not found:
            raise Failed("the laboratory has ended")
        return found[0]

    def power_off(self, host: str) -> None:
        """Take a host down as a loss of power does: nobody hears of it."""
        self.cut(host)
        self.stop(host)

    def stop(self, host: str) -> None:
        """Take a host down: everything on it ends at once, which the others hear, and then it does not answer."""
        pid = self._pids.pop(host)
        machines.send([pid], signal.SIGKILL)
        machines.wait_until(lambda: not machines.name_of(pid), f"{host} is gone")

    def is_up(self, host: str) -> bool:
        """Whether a host has power."""
        return host in self._pids

    def start(self, host: str) -> None:
        """Boot a host that is down, with its old keys and addresses, and nothing of what was written there."""
        assert self._world.stdin is not None
        self._world.stdin.write(f"boot {host}\n".encode())
        self._heard([host])

    def cut(self, host: str) -> None:
        """Lose all that is sent to or from a host; its own link stays up."""
        self._router("ip", "link", "set", self._port(host), "nomaster")

    def heal(self, host: str) -> None:
        """Undo `cut`."""
        self._router("ip", "link", "set", self._port(host), "master", f"br{self.site_of[host]}")

    def only_ssh(self, host: str, refusal: str = "drop") -> None:
        """Let a host take no new connections from others but to port 22; "reject" refuses them, "drop" is silent."""
        rules = (
            "ct state established,related accept; iifname lo accept; tcp dport 22 accept; meta l4proto icmp accept; "
        )
        rules += f"{_verdict(refusal)};"
        chain = f"chain input {{ type filter hook input priority 0; policy accept; {rules} }}"
        self._rules(host, "nft", f"table inet only_ssh {{ {chain}\n}}")

    def any_port(self, host: str) -> None:
        """Undo `only_ssh`."""
        self._rules(host, "nft", "delete table inet only_ssh")

    def close(self) -> None:
        """End everything on all hosts; the directory stays."""
        assert self._world.stdin is not None
        assert self._world.stdout is not None
        machines.send(machines.children(self._world.pid), signal.SIGKILL)
        self._world.stdin.close()
        self._world.stdout.close()
        self._world.wait(machines.LIMIT_SECONDS)

    def _below(self, host: str) -> list[int]:
        return machines.below(self._pids[host]) if host in self._pids else []

    def inside(self, host: str) -> list[int]:
        """Return the pids of all processes of a host, be they below its sshd or brought in from outside (`within`)."""
        if host not in self._pids:
            return []
        own = _namespace(self._pids[host])
        return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _namespace(int(name)) == own]

    def _log(self, host: str) -> Path:
        return self.directory / f"{host}.log"

    def address6(self, host: str) -> str:
        """Return the IPv6 address of a host."""
        return f"fd77:0:0:{self.site_of[host]}::{self.machines[host].address.rpartition('.')[2]}"

    # -------------------------------------------------------------------------------------------------------------- use

    @property
    def origin_prefix(self) -> list[str]:
        """The words in front of a command that run it in the place of the first host: see the top of this module.

        The process that is started so becomes the command, so its pid and signals are the command's.
        """
        home = shlex.quote(f"{machines.home()}/.ssh")
        script = f"mkdir -p -m 700 {home} && mount --bind {shlex.quote(str(self.ssh_directory))} {home} && "
        script += f'mount --bind {shlex.quote(str(self.names))} /etc/hosts && exec "$@"'
        pid = str(self._pids[self.hosts[0]])
        return ["nsenter", "-t", pid, "-n", "-u", "unshare", "-m", "/bin/sh", "-c", script, "origin"]

    def ssh(self, host: str, command: str) -> list[str]:
        """Return the arguments of an OpenSSH client in the place of the first host."""
        return [*self.origin_prefix, "ssh", "-T", "-o", "BatchMode=yes", host, command]

    def within(self, host: str, *command: str) -> list[str]:
        """Return the arguments that run a command on a host, without ssh."""
        return ["nsenter", "-t", str(self._pids[host]), "-a", *command]

    def run(self, host: str, command: str, seconds: float = machines.LIMIT_SECONDS) -> str:
        """Run a shell command on a host, whether it is cut off or not; return what it prints. Raises Failed."""
        return machines.output(self.within(host, "/bin/sh", "-c", command), f"{command!r} on {host}", seconds)

    def _port(self, host: str) -> str:
        return f"s{self.site_of[host]}p{self.machines[host].address.rpartition('.')[2]}"

    def _router(self, *command: str) -> None:
        machines.output(["nsenter", "-t", str(self._init), "-n", *command], " ".join(command))

    def _rules(self, host: str, name: str, rules: str) -> None:
        machines.output(
            ["nsenter", "-t", str(self._pids[host]), "-n", name, "-f", "-"], f"{name} on {host}", text=rules
        )


# -------------------------------------------------------------------------------------------------------- what a lab is


def _inner(pid: int) -> int:
    """Return a process's pid as the laboratory counts: one namespace further in than here."""
    here = len(_pids_of("self"))
    return _pids_of(str(pid))[here]


def _namespace(pid: int) -> str:
    """Return what names the pid namespace of a process; of one that has ended, nothing."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _pids_of(pid: str) -> list[int]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return [int(word) for word in line.split()[1:]]
    raise Failed("this kernel does not tell the pids of namespaces")


def _bridge(number: int) -> list[str]:
    lines = [
        f"link add br{number} address 02:77:00:00:00:{number:02x} type bridge",
        f"addr add 10.77.{number}.1/24 dev br{number}", f"link set br{number} up",
    ]  # fmt: skip
    if Path("/proc/sys/net/ipv6").exists():
        lines.append(f"addr add fd77:0:0:{number}::1/64 dev br{number} nodad")
    return lines


def _verdict(refusal: str) -> str:
    return {"drop": "drop", "reject": "meta l4proto tcp reject with tcp reset; drop"}[refusal]


def _firewall(sites: Sequence[Site]) -> str:
    """Return the rules of the router."""
    rules = ["ct state established,related accept"]
    for number, site in enumerate(sites, 1):
        if site.policy == "open":
            continue
        names = [host if isinstance(host, str) else host.name for host in site.hosts]
        door = f"10.77.{number}.{11 + names.index(site.door)}" if site.door else f"10.77.{number}.1"
        if site.door:
            rules.append(f'oifname "br{number}" ip daddr {door} tcp dport 22 accept')
        rules.append(f'oifname "br{number}" {_verdict(site.refusal)}')
        if site.policy == "closed":
            rules.append(f'iifname "br{number}" ip saddr != {door} {_verdict(site.refusal)}')
    text = "\n".join("; ".join(_apart(rule)) for rule in rules)
    return f"table inet lab {{\nchain forward {{\ntype filter hook forward priority 0; policy accept;\n{text}\n}}\n}}\n"


def _apart(rule: str) -> list[str]:
    """Return the two rules that a refusal of TCP and of all else is; the match of the first holds for both."""
    head, _, tail = rule.partition(" meta l4proto tcp reject with tcp reset; ")
    return [rule] if not tail else [f"{head} meta l4proto tcp reject with tcp reset", f"{head} {tail}"]


def _binds() -> list[str]:
    """Return the folders that Python and the packages of the project need, the outer ones first."""
    found = {sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib")}
    for name in ("fedfutures", "fedfutures_launcher"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            found.add(str(Path(spec.origin).parent))
    hidden = [Path("/tmp"), Path("/var/tmp"), Path("/home"), Path("/run"), ROOT]
    return sorted(place for place in found if any(Path(place).is_relative_to(folder) for folder in hidden))
