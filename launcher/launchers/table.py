"""The launchers by name, and which ones a run tries. Pure."""

from __future__ import annotations

from collections.abc import Callable

from fedfutures.host.hosts import Hosts

from ..hosts.spec import HostSpec
from .blaunch import Blaunch
from .command import Command
from .launcher import Launcher
from .mpiexec import Mpiexec
from .pbsdsh import Pbsdsh
from .qrsh import Qrsh
from .srun import Srun

SSH = "ssh"
JOIN = "join"
"""Of hosts that come to a standing Federation by themselves."""
KEEPER = "keeper"
"""Of a standing Federation: its host servers fork host processes."""
LAUNCHERS = {launcher.name: launcher for launcher in (Srun(), Qrsh(), Mpiexec(), Blaunch(), Pbsdsh())}
UNFIT = frozenset({"pbs_tmrsh"})
"""Commands that start something on another host without its standard streams. Source: their manual pages."""


def launcher_of(text: str) -> Launcher:
    """Return a launcher by its name, or of a command. Raises ValueError."""
    if text in UNFIT:
        raise ValueError(f"launcher {text}: it passes on no standard input and output; in a job of PBS: ssh, pbsdsh")
    return LAUNCHERS.get(text) or Command(text)


def launchers_for(hosts: Hosts, scheduler: str | None, exists: Callable[[str], bool]) -> list[str]:
    """Return the launchers that a run tries for each host, the first one first: "ssh", names, or a command.

    `scheduler`: in whose job this is; `exists`: whether a program is on this machine. The scheduler's own comes first,
    since what it starts is in the job's accounting and ends with it; but one that has not run on a real cluster yet
    comes after ssh. Raises ValueError for what cannot be a launcher.

    >>> launchers_for(Hosts(), "Slurm", lambda program: True), launchers_for(Hosts(), "Slurm", lambda program: False)
    (['srun', 'ssh'], ['ssh'])
    >>> launchers_for(Hosts(), "LSF", lambda program: True), launchers_for(Hosts(), None, lambda program: True)
    (['ssh', 'blaunch'], ['ssh'])
    """
    if hosts.launcher is not None:
        if hosts.launcher != SSH:
            launcher_of(hosts.launcher)
        return [hosts.launcher]
    own = [one for one in LAUNCHERS.values() if one.scheduler and one.scheduler == scheduler and exists(one.executable)]
    before, after = ([one.name for one in own if one.is_tried is tried] for tried in (True, False))
    return [*before, SSH, *after]


def ways_to(spec: HostSpec, launchers: list[str]) -> list[str]:
    """Return those of a run's launchers that may lead to a host: a user, a port or an access host is a matter of ssh.

    >>> ways_to(HostSpec("n1", user="ann"), ["srun", "ssh"]), ways_to(HostSpec("n1", user="ann"), ["srun"])
    (['ssh'], ['srun'])
    """
    if spec.life and KEEPER not in launchers:
        return [JOIN]
    needs_ssh = spec.user is not None or spec.port is not None or spec.site is not None
    return [SSH] if needs_ssh and SSH in launchers else launchers
