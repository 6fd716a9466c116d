"""How to reach a host: the target, the clients and the command; and how people do the same by hand."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from fedfutures.host.flags import for_another
from fedfutures.host.hosts import Hosts

from ..hosts.spec import HostSpec
from ..launchers.client import CommandClient
from ..launchers.join_client import JoinClient
from ..launchers.keeper_visit import FarPlace, far_place
from ..launchers.table import JOIN, KEEPER, SSH, launcher_of, ways_to
from ..layout.assemble import Request
from ..remote.installation import installation
from ..remote.remote_host import HELLO_SECONDS
from ..ssh.client import Client
from ..ssh.session import CONNECT_SECONDS, LoginTarget
from ..ssh.texts.command import attach_command, default_pythons, remote_command, stage_command


class Way(NamedTuple):
    """A way to a host."""

    client: Client
    by_hand: str  # what people put in front of a command

    @property
    def name(self) -> str:
        """Of the launcher, for people and for the next connector."""
        return self.client.name


class Ways:
    """The clients of a run, by launcher: each is made once, when the first host needs it; `clients` are there."""

    def __init__(self, request: Request, clients: Mapping[str, Client] | None = None) -> None:
        self._request = request
        self._clients: dict[str, Client] = dict(clients or {})

    def to(self, spec: HostSpec) -> list[Way]:
        """Return the ways that may lead to a host, the first one to be tried first."""
        launchers = ways_to(spec, self._request.launchers)
        return [Way(self._client(one), by_hand(spec, self._request, one)) for one in launchers]

    def of_keeper(self) -> Client:
        """Return the client of a joined run: it leads to the keeper's connector."""
        return self._client(KEEPER)

    def arrivals(self) -> JoinClient:
        """Return the client of hosts that come by themselves."""
        found = self._client(JOIN)
        assert isinstance(found, JoinClient)
        return found

    def close(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            client.close()

    def _client(self, name: str) -> Client:
        if name not in self._clients and name == KEEPER:
            self._clients[name] = keeper_client(self._request)
        if name not in self._clients and name == JOIN:
            self._clients[name] = JoinClient()
        if name not in self._clients:
            hosts, seconds = self._request.options, CONNECT_SECONDS
            if self._request.scheduler is not None or hosts.start_timeout is not None:
                seconds *= self._request.start_seconds / HELLO_SECONDS
            self._clients[name] = ssh_client(hosts, seconds) if name == SSH else CommandClient(launcher_of(name))
        return self._clients[name]


def keeper_client(request: Request) -> Client:
    """Return the client of a joined run: its keeper is on this machine, or on another one."""
    if os.path.isabs(request.sessions):
        from ..launchers.keeper_client import KeeperClient

        return KeeperClient(request.sessions)
    from ..launchers.far_keeper_client import FarKeeperClient

    place = far_place(request.sessions)
    return FarKeeperClient(client_to(place, request.options), place)


def client_to(place: FarPlace, hosts: Hosts, seconds: float = CONNECT_SECONDS) -> Client:
    """Return the client that leads to a keeper: by ssh, or by TCP with a key. Raises StartFailed."""
    if not place.key:
        return ssh_client(hosts, seconds)
    from ..ssh.key_client import KeyClient

    return KeyClient(place.key, seconds)


def ssh_client(hosts: Hosts, seconds: float = CONNECT_SECONDS) -> Client:
    """Return the ssh client that is asked for; `seconds`: how long a host may take to answer."""
    if hosts.ssh_executable is None:
        from ..ssh.default_client import DefaultClient

        return DefaultClient(hosts.ssh_config, host_key_policy=hosts.host_key_policy, seconds=seconds)
    from ..ssh.openssh_client import OpenSSHClient

    policy = hosts.host_key_policy
    return OpenSSHClient(hosts.ssh_executable, hosts.ssh_config, host_key_policy=policy, seconds=seconds)


def remote_target(spec: HostSpec, request: Request, run: str | None = None, meeting: str = "") -> LoginTarget:
    """Return the target and command for a host; `run`: the directory of the host process to come back to.

    `meeting`: the file that tells it where to come, if the launcher passes no streams.
    """
    options, pythons = spec.options, _pythons(spec)
    provided = request.options.provided
    want = "" if provided is None or meeting else installation(provided).wanted
    if run is None:
        flags = request.settings.flags
        seed = "" if {"-I", "-E"} & set(flags) else os.environ.get("PYTHONHASHSEED", "")
        command = remote_command(
            pythons, options.prolog, pythonpath=options.pythonpath, flags=for_another(flags, host=True), hash_seed=seed,
            meeting=meeting, want=want,
        )  # fmt: skip
    else:
        path = options.pythonpath
        command = attach_command(pythons, run, options.prolog, pythonpath=path, meeting=meeting, want=want)
    target = _target_of(spec, _by_name(request), command)
    return replace(target, meeting=meeting, returns=run is not None)


def staging_target(spec: HostSpec, request: Request, seconds: float) -> LoginTarget:
    """Return the target and command for the files that were written on a host within so many seconds."""
    directory = spec.options.path or request.settings.directory or "."
    command = stage_command(_pythons(spec), seconds, directory, request.options.stage_out, spec.options.prolog)
    return _target_of(spec, _by_name(request), command)


def _pythons(spec: HostSpec) -> list[str]:
    """Return the interpreters that are tried on a host."""
    return [spec.options.python] if spec.options.python else default_pythons(sys.executable)


def _by_name(request: Request) -> dict[str, HostSpec]:
    return {other.name: other for other in request.hosts}


def _target_of(spec: HostSpec, specs: dict[str, HostSpec], command: str = "") -> LoginTarget:
    jump = None if spec.site is None or spec.site not in specs else _target_of(specs[spec.site], specs)
    return LoginTarget(name=spec.name, host=spec.host, user=spec.user, port=spec.port, jump=jump, command=command)


def by_hand(spec: HostSpec, request: Request, launcher: str = SSH) -> str:
    """Return the words that people put in front of a command to run it on a host."""
    if launcher not in (JOIN, KEEPER, SSH):
        return launcher_of(launcher).by_hand(spec.host)
    words = [request.options.ssh_executable or "ssh"]
    words += ["-F", request.options.ssh_config] if request.options.ssh_config else []
    access = next((other for other in request.hosts if other.name == spec.site), None)
    words += ["-J", access.word] if access is not None else []
    words += ["-p", str(spec.port)] if spec.port is not None else []
    return shlex.join([*words, replace(spec, port=None).word])
