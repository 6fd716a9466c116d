"""How to log in to a host: the target, the ssh client and the command; and how people do the same by hand."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace

from fedfutures.host.flags import for_another
from fedfutures.host.hosts import Hosts

from ..hosts.spec import HostSpec
from ..layout.assemble import Request
from ..ssh.client import Client
from ..ssh.session import LoginTarget
from ..ssh.texts.command import attach_command, default_pythons, remote_command


def client_for(hosts: Hosts) -> Client:
    """Return the ssh client that is asked for."""
    if hosts.ssh_executable is None:
        from ..ssh.paramiko_client import ParamikoClient

        return ParamikoClient(hosts.ssh_config, host_key_policy=hosts.host_key_policy)
    from ..ssh.openssh_client import OpenSSHClient

    return OpenSSHClient(hosts.ssh_executable, hosts.ssh_config, host_key_policy=hosts.host_key_policy)


def remote_target(spec: HostSpec, request: Request, run: str | None = None) -> LoginTarget:
    """Return the target and command for a host; `run`: the directory of the host process to come back to."""
    options = spec.options
    pythons = [options.python] if options.python else default_pythons(sys.executable)
    if run is None:
        flags = request.settings.flags
        seed = "" if {"-I", "-E"} & set(flags) else os.environ.get("PYTHONHASHSEED", "")
        command = remote_command(
            pythons, options.prolog, pythonpath=options.pythonpath, flags=for_another(flags, host=True), hash_seed=seed
        )
    else:
        command = attach_command(pythons, run, options.prolog, pythonpath=options.pythonpath)
    return _target_of(spec, {other.name: other for other in request.hosts}, command)


def _target_of(spec: HostSpec, specs: dict[str, HostSpec], command: str = "") -> LoginTarget:
    jump = None if spec.site is None or spec.site not in specs else _target_of(specs[spec.site], specs)
    return LoginTarget(name=spec.name, host=spec.host, user=spec.user, port=spec.port, jump=jump, command=command)


def by_hand(spec: HostSpec, request: Request) -> str:
    """Return the words that people put in front of a command to run it on a host."""
    words = [request.options.ssh_executable or "ssh"]
    words += ["-F", request.options.ssh_config] if request.options.ssh_config else []
    access = next((other for other in request.hosts if other.name == spec.site), None)
    words += ["-J", access.word] if access is not None else []
    words += ["-p", str(spec.port)] if spec.port is not None else []
    return shlex.join([*words, replace(spec, port=None).word])
