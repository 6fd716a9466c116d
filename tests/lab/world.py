"""Makes the namespaces of a laboratory: ``python world.py PLAN``, as root; `namespaces.py` writes the plan.

The process that this starts is process 1 of a pid namespace that holds the whole laboratory, so when it is killed, or
its standard input closes, the kernel ends every process, device and mount in it. Its network namespace is the router:
one bridge for each site, forwarding between them, and the firewall of the plan.

A host is a process 1 of its own below it: a child takes new namespaces (network, pid, mount, uts, ipc, time) and
forks. The host's root is an overlay over ``/`` that keeps what is written in memory; the folders of `masks` are empty
there, those of `binds` are as outside, but read-only, and those of `shared` as outside. In it the keeper (`keeper.py`)
runs sshd.

Orders come as lines on standard input, ``boot NAME``, and are answered by ``up NAME PID``, where PID is the host's
process 1 as this namespace counts, or ``down NAME WHY``. It runs as a plain file under ``python -I -S``.
"""

import ctypes
import json
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import keeper  # type: ignore[import-not-found]

PR_SET_PDEATHSIG = 1
NEW_NAMESPACES = 0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000  # mount, uts, ipc, pid, net
NEW_TIME = 0x80
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise what the C library says."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Take new namespaces."""
    check(LIBC.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount something."""
    words = [word.encode() for word in (source, target, kind)]
    check(LIBC.mount(*words, ctypes.c_ulong(flags), options.encode() or None), f"mount {source} on {target}")


def tool(command: "list[str]", text: str) -> None:
    """Give a system program its orders on standard input."""
    ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20)
    if ended.returncode:
        raise OSError(f"{' '.join(command)}: {ended.stderr.strip()}\n{text}")


# ------------------------------------------------------------------------------------------------------------- a host


def new_root(plan: "dict[str, Any]", host: "dict[str, Any]") -> None:
    """Make the host's files and step into them."""
    base = f"{plan['directory']}/{host['name']}"
    mount("tmpfs", base, "tmpfs")
    upper, work, root = (f"{base}/{name}" for name in ("upper", "work", "root"))
    for place in (upper, work, root):
        os.mkdir(place, 0o755)
    mount("overlay", root, "overlay", 0, f"lowerdir=/,upperdir={upper},workdir={work}")
    mount("/dev", f"{root}/dev", "", MS_BIND | MS_REC)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV)
    mount("sysfs", f"{root}/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_RDONLY)
    mount("tmpfs", f"{root}/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV)
    for mask in plan["masks"]:
        os.makedirs(root + mask, exist_ok=True)
        mount("tmpfs", root + mask, "tmpfs", MS_NOSUID | MS_NODEV, "mode=" + ("1777" if "tmp" in mask else "755"))
    for bind in plan["binds"]:
        os.makedirs(root + bind, exist_ok=True)
        mount(bind, root + bind, "", MS_BIND | MS_REC)
        mount(bind, root + bind, "", MS_BIND | MS_REC | MS_REMOUNT | MS_RDONLY)
    for place in plan["shared"]:
        os.makedirs(root + place, exist_ok=True)
        mount(place, root + place, "", MS_BIND | MS_REC)
    for path, text in host["files"].items():
        os.makedirs(os.path.dirname(root + path), mode=0o700, exist_ok=True)
        file = os.open(root + path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(file, text.encode())
        os.fchmod(file, 0o644 if path.startswith("/etc/hosts") else 0o600)
        os.close(file)
    os.makedirs(f"{root}/run/sshd", mode=0o755, exist_ok=True)
    os.chdir(root)
    check(LIBC.pivot_root(b".", b"."), "pivot_root")
    check(LIBC.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")


def host_main(plan: "dict[str, Any]", host: "dict[str, Any]", go: int) -> None:
    """Be process 1 of a host."""
    name = host["name"].encode()
    check(LIBC.sethostname(name, len(name)), "sethostname")
    new_root(plan, host)
    os.read(go, 1)
    tool(["ip", "-batch", "-"], "\n".join(host["network"]))
    keeper.main([plan["sshd"], "-D", "-e"])


class Host:
    """A host that runs: its process 1, and where it says that it is up."""

    def __init__(self, plan: "dict[str, Any]", host: "dict[str, Any]") -> None:
        self.name = host["name"]
        self.said, says = os.pipe()
        wait, self.go = os.pipe()
        self.lives, lives = os.pipe()
        tell, told = os.pipe()
        if not os.fork():
            try:
                self._child(plan, host, says, wait, self.lives, told)
            except BaseException as error:
                os.write(says, f"down {error!r}\n".encode())
            finally:
                os._exit(1)
        self._held = lives  # the keeper's standard input stays open as long as this
        for descriptor in (says, wait, told, self.lives):
            os.close(descriptor)
        self.pid = int(os.read(tell, 32) or b"0")
        os.close(tell)

    @staticmethod
    def _child(plan: "dict[str, Any]", host: "dict[str, Any]", says: int, wait: int, lives: int, told: int) -> None:
        unshare(NEW_NAMESPACES)
        offsets = Path("/proc/self/timens_offsets")
        if offsets.exists():
            unshare(NEW_TIME)
            days = random.randrange(1, 1000)  # no monotonic time of one host means anything on another
            offsets.write_text(f"monotonic {days * 86400} 0\nboottime {days * 86400} 0\n")
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        pid = os.fork()
        if pid:
            os.write(told, str(pid).encode())
            os._exit(0)
        log = os.open(f"{plan['directory']}/{host['name']}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number, descriptor in enumerate((lives, says, log)):
            os.dup2(descriptor, number)
        os.dup2(wait, 3)
        os.closerange(4, 256)
        try:
            host_main(plan, host, 3)
        except BaseException as error:
            os.write(1, f"down {error}\n".encode())
        os._exit(1)

    def answer(self) -> str:
        """Wait until the host is up; return what to say of it."""
        if not select.select([self.said], [], [], 20)[0]:
            return f"down {self.name} silence"
        word, _, why = os.read(self.said, 4096).decode().strip().partition(" ")
        return f"up {self.name} {self.pid}" if word == "up" else f"down {self.name} {why or 'it ended'}"


# ------------------------------------------------------------------------------------------------------ the laboratory


def boot(plan: "dict[str, Any]", names: "list[str]") -> None:
    """Start hosts, all at once, and say so."""
    hosts = [(host, Host(plan, host)) for host in plan["hosts"] if host["name"] in names]
    lines = []
    for host, running in hosts:
        if running.pid:
            lines.append(f"link add {host['port']} type veth peer name eth0 address {host['mac']} netns {running.pid}")
            lines.append(f"link set {host['port']} master {host['bridge']} up")
    tool(["ip", "-batch", "-"], "\n".join(lines))
    for _, running in hosts:
        if running.pid:
            os.write(running.go, b"g")
        os.close(running.go)
    for _, running in hosts:
        print(running.answer(), flush=True)


def lab_main(plan: "dict[str, Any]") -> None:
    """Be process 1 of the laboratory."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    six = Path("/proc/sys/net/ipv6/conf/all/forwarding")
    if six.exists():
        six.write_text("1")
    for bridged in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
        bridged.write_text("0")  # what stays within a site does not pass the router's firewall
    tool(["ip", "-batch", "-"], "\n".join(plan["network"]))
    tool(["nft", "-f", "-"], plan["firewall"])
    boot(plan, [host["name"] for host in plan["hosts"]])
    for line in sys.stdin:
        reap()
        names = line.split()[1:]
        for host in plan["hosts"]:
            if host["name"] in names:  # the old link goes with the old namespace, but who knows when
                subprocess.run(["ip", "link", "delete", host["port"]], capture_output=True, timeout=20)
        boot(plan, names)


def reap() -> None:
    """Take leave of children that ended."""
    while True:
        try:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return


def main() -> None:
    """Take the namespaces of the laboratory and wait for its end."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    unshare(NEW_NAMESPACES)
    pid = os.fork()
    if not pid:
        try:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            lab_main(plan)
        except BaseException as error:
            print(f"down lab {error}", flush=True)
        finally:
            os._exit(0)
    os.close(0)
    os.close(1)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
