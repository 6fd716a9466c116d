"""What a program or a command line may say of other hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GRACE_SECONDS = 30.0


@dataclass(frozen=True)
class Hosts:
    """The hosts of a Federation, and how to reach them; for ``Executor(hosts=...)``.

    Without `names` and `file`, they are those of the batch scheduler's job that this process is in.

    names:
        ``[user@]host[:port]`` each, as ssh takes them; named twice, it gets two Workers; "localhost" is this machine.
    file:
        A host file instead: plain or TOML.
    ssh_executable:
        An OpenSSH client to use, as for Kerberos, certificates or ControlMaster; None: the ssh library paramiko.
    ssh_config:
        Another ssh config file than ``~/.ssh/config``.
    host_key_policy:
        "reject": a host whose key is not known is not used; "accept-new": its key is stored, and that is said.
    tunnel:
        Links go through the ssh connections from the start, not only where no port can be reached.
    min_hosts, require_all:
        How many hosts must work for the run to begin.
    python, prolog, path, pythonpath, nice:
        On the hosts: interpreter, shell script to source first, working directory, directories in front of
        ``sys.path``, niceness of the Workers.
    external_hostname:
        An old name of this machine for others; accepted, but links are dialled outward and need none.
    grace:
        For how many seconds a host goes on, and is looked for, when its ssh connection was lost.
    allow_root:
        Log in to other hosts although this is root's process.

    >>> Hosts(["localhost", "ann@node7:2222"], tunnel=True).names
    ['localhost', 'ann@node7:2222']
    """

    names: Sequence[str] = ()
    file: str | None = None
    ssh_executable: str | None = None
    ssh_config: str | None = None
    host_key_policy: str = "reject"
    tunnel: bool = False
    min_hosts: int = 1
    require_all: bool = False
    python: str | None = None
    prolog: str | None = None
    path: str | None = None
    pythonpath: Sequence[str] = ()
    nice: int | None = None
    external_hostname: str | None = None
    grace: float = GRACE_SECONDS
    allow_root: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.names, str):
            raise TypeError(f"names of Hosts must be a sequence of names, such as [{self.names!r}], not a str")
        if self.host_key_policy not in ("reject", "accept-new"):
            raise ValueError(f"host_key_policy must be 'reject' or 'accept-new', not {self.host_key_policy!r}")
