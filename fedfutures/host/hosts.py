"""Declares each option of hosts once; the launcher derives its flags and the keys of host files from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..sizes import size_of_worker

GRACE_SECONDS = 30.0
POLICIES = ("reject", "accept-new")


def _option(
    default: Any, *flags: str, of_one: bool = False, here: bool = False, login: bool = False, **more: Any
) -> Any:  # fmt: skip
    """Declare an option: its default, its flags on the command line, and what argparse is to know of it.

    `of_one`: a host file may say it of one host. `here`: it holds for this machine, also where that is the only host.
    `login`: it concerns the way to a host, whatever runs there.
    """
    metadata = {"flags": flags, "of_one": of_one, "here": here, "login": login, "argument": more}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Hosts:
    """The hosts of a Federation, and how to reach them; for ``Executor(hosts=...)``.

    Without `names` and `file`, they are those of the batch scheduler's job in which this process runs.

    names:
        ``[user@]host[:port]`` each, as ssh takes them; named twice, it gets two Workers; "localhost" is this machine.
    file:
        A host file instead: plain or TOML.
    launcher:
        What starts processes on the hosts: "ssh", "srun", "qrsh", "mpiexec", "blaunch", "pbsdsh", or another command,
        which gets the host and a command line; None: ssh, and in a batch job the scheduler's own first.
    ssh_executable:
        An OpenSSH client to use; None: the ssh library paramiko, and ``ssh`` where a server does not let that in.
    ssh_config:
        Another ssh config file than ``~/.ssh/config``.
    host_key_policy:
        "reject": do not use a host whose key is unknown; "accept-new": store its key, and report it.
    tunnel:
        Put links through the ssh connections from the start, not only if a port cannot be reached.
    start_timeout:
        The seconds for which the run waits for all hosts; None: 30 for a slow one, which comes in late where others are
        there.
    min_hosts, require_all:
        The number of hosts that must work for the run to begin (None: 1, in a batch job all of them); whether all must.
    python, prolog, path, pythonpath, nice:
        On the hosts: interpreter, shell script to source first, working directory, directories in front of
        ``sys.path``, niceness of the Workers.
    env, env_file:
        Environment variables of the Workers: ``["NAME=VALUE", "NAME"]``, where the second has the value that it has
        here; and a file with one in each line.
    provision:
        Whether hosts that have Python, but not this fedfutures, are given it and what it needs, over the connection.
    provision_modules:
        Modules whose installed packages hosts are given, too, in the version of here, with what these need:
        ``["numpy", "yaml"]``. Implies `provision`.
    preload:
        Modules that are imported once on each host, before its Workers are forked, and not by each of them.
    stage_out:
        Patterns, as of :func:`glob.glob`, of files in the Workers' working directory that are brought back at the end,
        from each host into a directory of its name below ``stage-out``: ``["*.csv", "plots/**/*.png"]``.
    external_hostname:
        An old name of this machine for others; accepted, but links are dialled outward and need none.
    grace:
        The seconds for which a host continues, and the connector tries to reach it, after its ssh connection was lost.
    allow_root:
        Log in to other hosts although this process runs as root.
    memory_per_worker:
        How much memory each Worker may use: a number of bytes, or "500M", "2G", "1.5 GiB"; see :doc:`limits`.

    >>> Hosts(["localhost", "ann@node7:2222"], tunnel=True).names
    ['localhost', 'ann@node7:2222']
    """

    names: Sequence[str] = _option(
        (), "--hosts", nargs="+", action="extend", metavar="HOST",
        help="[user@]host[:port] each, up to the next option or the program; named twice: two Workers; "
        "this machine is localhost",
    )  # fmt: skip
    file: str | None = _option(
        None, "--hostfile", metavar="FILE",
        help="hosts from a file: plain lines, or TOML with sites and access hosts; "
        "without either, those of the batch scheduler's job (SLURM, PBS, SGE, LSF)",
    )  # fmt: skip
    launcher: str | None = _option(
        None, "--launcher", metavar="NAME",
        help="what starts processes on the hosts: ssh, srun, qrsh, mpiexec, blaunch or pbsdsh (these two have not run "
        "on a real cluster yet), or another command, which gets the host and a command line; default: ssh, and in a "
        "batch job the scheduler's own first",
    )  # fmt: skip
    ssh_executable: str | None = _option(
        None,
        "--ssh-executable",
        "--rsh",
        login=True,
        metavar="PATH",
        help="OpenSSH client to use instead of the built-in one",
    )
    ssh_config: str | None = _option(
        None, "--ssh-config", login=True, metavar="FILE", help="another ssh config file than ~/.ssh/config"
    )
    host_key_policy: str = _option(
        "reject", "--host-key-policy", login=True, choices=POLICIES,
        help="what to do with a host whose key is not known; accept-new stores it",
    )  # fmt: skip
    tunnel: bool = _option(False, "-e", "--tunnel", of_one=True, help="have all links go through ssh from the start")
    start_timeout: float | None = _option(
        None, "--start-timeout", login=True, between=(1, 86_400), metavar="SECONDS",
        help="wait so long for all hosts; default: 30 for a slow one, which comes in late if others are there",
    )  # fmt: skip
    min_hosts: int | None = _option(
        None, "--min-hosts", between=(1, None), metavar="N",
        help="begin when so many hosts can be used; default: 1, in a batch job all of them",
    )  # fmt: skip
    require_all: bool = _option(False, "--require-all", help="end with code 2 when a host cannot be used")
    python: str | None = _option(
        None, "--python-interpreter", of_one=True, here=True, metavar="PATH",
        help="interpreter of the host process and the Workers",
    )  # fmt: skip
    prolog: str | None = _option(
        None, "--prolog", of_one=True, here=True, metavar="FILE",
        help="shell script to source before a host process starts, there on each host",
    )  # fmt: skip
    path: str | None = _option(
        None, "--path", of_one=True, here=True, metavar="DIR", help="working directory of the Workers"
    )
    pythonpath: Sequence[str] = _option(
        (), "--pythonpath", of_one=True, here=True, action="append", metavar="DIR",
        help="put DIR in front of sys.path (repeatable)",
    )  # fmt: skip
    env: Sequence[str] = _option(
        (), "--env", of_one=True, here=True, action="append", metavar="NAME[=VALUE]",
        help="environment variable of the Workers, on each host; without a value, that of here (repeatable)",
    )  # fmt: skip
    env_file: str | None = _option(
        None, "--env-file", here=True, metavar="FILE", help="a file with a line for each, as --env takes it"
    )
    provision: bool = _option(
        False, "--provision", login=True,
        help="give hosts that lack this fedfutures the one of here, into ~/.cache/fedfutures there",
    )  # fmt: skip
    provision_modules: Sequence[str] = _option(
        (), "--provision-modules", login=True, action="append", metavar="MODULES",
        help="the same with the packages of MODULES (numpy,yaml), for hosts without this version of them (repeatable)",
    )  # fmt: skip
    preload: Sequence[str] = _option(
        (), "--preload", of_one=True, here=True, action="append", metavar="MODULES",
        help="import MODULES (a,b.c) once on each host, in a process that its Workers are forked from (repeatable)",
    )  # fmt: skip
    stage_out: Sequence[str] = _option(
        (), "--stage-out", action="append", metavar="GLOB",
        help="bring files back that Futures have written on other hosts, into stage-out/HOST here (repeatable)",
    )  # fmt: skip
    nice: int | None = _option(
        None, "--nice", of_one=True, here=True, between=(-20, 19), metavar="N", help="niceness of the Workers"
    )
    external_hostname: str | None = _option(
        None, "--external-hostname", "--broker-hostname", metavar="NAME",
        help="old name of this machine for others; accepted, but links are dialled outward and need none",
    )  # fmt: skip
    grace: float = _option(
        GRACE_SECONDS, "--grace", login=True, between=(1, 86_400), metavar="SECONDS",
        help="how long a host goes on, and is looked for, when its ssh connection was lost; and how long a Worker that "
        "gets SIGTERM may go on with what it runs; default: 30",
    )  # fmt: skip
    allow_root: bool = _option(
        False, "--allow-root", login=True, help="log in to other hosts although this is root's process"
    )
    memory_per_worker: int | str | None = _option(
        None, "--memory-per-worker", of_one=True, here=True, metavar="SIZE",
        help="memory that each Worker may use, such as 500M or 2G; a Future that makes its Worker use more is ended",
    )  # fmt: skip

    @property
    def preloads(self) -> list[str]:
        """The modules of `preload`, each of whose words may name several, with commas."""
        return _names_in(self.preload)

    @property
    def provided(self) -> tuple[str, ...] | None:
        """The modules that hosts are given beside fedfutures; None: they are given nothing."""
        return tuple(_names_in(self.provision_modules)) if self.provision or self.provision_modules else None

    def __post_init__(self) -> None:
        if isinstance(self.names, str):
            raise TypeError(f"names of Hosts must be a sequence of names, such as [{self.names!r}], not a str")
        if self.host_key_policy not in POLICIES:
            raise ValueError(f"host_key_policy must be 'reject' or 'accept-new', not {self.host_key_policy!r}")
        size_of_worker(self.memory_per_worker)
        for pattern in self.stage_out:
            if pattern.startswith(("/", "~")) or ".." in pattern.split("/") or not pattern:
                raise ValueError(f"stage_out: {pattern!r} is no pattern for files below the Workers' working directory")


def _names_in(words: Sequence[str]) -> list[str]:
    return [name for word in words for name in word.split(",") if name]
