"""What ~/.ssh/config says of a host, for the paramiko client: paramiko reads such files but does not obey them.

The result is a :class:`Route`: the address, user, keys and trusted host keys of a host, and the routes of the hosts in
between. As with the OpenSSH client the first value counts: that of the caller, of the user's file, of the system's.
``Include`` lines are replaced by the text that they name before paramiko sees it.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
from dataclasses import dataclass, field
from typing import Any

from .session import CONNECT_SECONDS, LoginTarget
from .texts.failures import SSH_CONFIG, Failure, Place

USER_CONFIG = "~/.ssh/config"
SYSTEM_CONFIG = "/etc/ssh/ssh_config"
USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
INCLUDE_DEPTH = 16

_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
_BLOCK = re.compile(r"\s*(?:host|match)\b", re.IGNORECASE)
HOP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[^]]+)\]|(?P<host>[^:@]+))(?::(?P<port>\d+))?/?")


class Unusable(Exception):
    """A host cannot be used; holds the failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


@dataclass(slots=True, kw_only=True)
class Route(Place):
    """A server, and how to log in to it."""

    known_as: str  # its name in known_hosts; empty: address and port
    keys: list[str]
    keys_named: bool  # by the config: that one is missing is worth a word
    only_these_keys: bool
    agent: str  # the path of the agent's socket; empty: no agent
    user_known_hosts: list[str]
    system_known_hosts: list[str]
    strict: bool  # the config forbids storing unknown keys
    hash_names: bool
    seconds: float  # for a login: ConnectTimeout, at most those of the configuration
    via: Route | None = None
    proxy_command: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two routes that can share a connection."""
        return (self.address, self.port, self.user, self.proxy_command, self.via and self.via.identity)


class Configuration:
    """The config files, read once; `config_file` takes the place of all, as with ``ssh -F``.

    `seconds`: how long a login may take at most.
    """

    def __init__(self, config_file: str | None = None, seconds: float = CONNECT_SECONDS) -> None:
        self._config_file, self._seconds = config_file, seconds
        files = [config_file] if config_file is not None else [os.path.expanduser(USER_CONFIG), SYSTEM_CONFIG]
        try:
            self.text = "".join(
                "Host *\n" + _included(file, 0, must_be=config_file is not None) for file in files
            )  # fmt: skip
        except OSError as error:
            self.text, self._broken = "", f"{error.filename}: {error.strerror}"
        else:
            self._broken = ""

    def route(self, target: LoginTarget) -> Route:
        """Return the route to a target. Raises Unusable."""
        via = self.route(target.jump) if target.jump is not None else None
        return self._route(target.host, target.user, target.port, via, jumps=target.jump is None)

    def _route(
        self, host: str, user: str | None, port: int | None, via: Route | None, *, jumps: bool, depth: int = 0
    ) -> Route:
        found = self._lookup(host, user, port)
        try:
            route = self._made(host, found, via)
        except ValueError as error:
            raise Unusable(SSH_CONFIG(host, str(error))) from None
        proxy = found.get("proxyjump", "none")
        if jumps and proxy != "none":
            if depth >= INCLUDE_DEPTH:
                raise Unusable(SSH_CONFIG(host, "its ProxyJump hosts lead in a circle"))
            route.via = self._chain(host, proxy, depth)
        elif jumps and found.get("proxycommand"):
            route.proxy_command = found["proxycommand"]
        return route

    def _chain(self, host: str, proxy: str, depth: int) -> Route:
        via: Route | None = None
        for hop in proxy.split(","):
            matched = HOP.fullmatch(hop.strip())
            if matched is None:
                raise Unusable(SSH_CONFIG(host, f"ProxyJump {proxy!r} makes no sense"))
            port = int(matched["port"]) if matched["port"] else None
            name = matched["v6"] or matched["host"]
            via = self._route(name, matched["user"], port, via, jumps=via is None, depth=depth + 1)
        assert via is not None
        return via

    def _lookup(self, host: str, user: str | None, port: int | None) -> dict[str, Any]:
        if self._broken:
            raise Unusable(SSH_CONFIG(host, self._broken))
        import paramiko

        said = "".join(f"{key} {value}\n" for key, value in (("User", user), ("Port", port)) if value)
        try:
            return dict(paramiko.SSHConfig.from_text(said + self.text).lookup(host))
        except Exception as error:  # by the parser, a Match exec, or a name without a canonical form
            raise Unusable(SSH_CONFIG(host, str(error) or type(error).__name__)) from None

    def _made(self, host: str, found: dict[str, Any], via: Route | None) -> Route:
        files = found.get("identityfile")
        agent = found.get("identityagent", "SSH_AUTH_SOCK")
        if agent in ("SSH_AUTH_SOCK", "$SSH_AUTH_SOCK"):
            agent = os.environ.get("SSH_AUTH_SOCK", "")
        port = found.get("port", "22")
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"Port {port!r} is no port")
        return Route(
            host=host, address=found["hostname"], port=int(port), user=found.get("user") or getpass.getuser(),
            known_as=found.get("hostkeyalias", ""),
            keys=[os.path.expanduser(_unquoted(file)) for file in files or DEFAULT_KEYS if file != "none"],
            keys_named=files is not None, only_these_keys=_yes(found.get("identitiesonly")),
            agent="" if agent == "none" else os.path.expanduser(agent),
            user_known_hosts=_paths(found.get("userknownhostsfile", USER_KNOWN_HOSTS)),
            system_known_hosts=_paths(found.get("globalknownhostsfile", SYSTEM_KNOWN_HOSTS)),
            strict=_yes(found.get("stricthostkeychecking")), hash_names=_yes(found.get("hashknownhosts")),
            seconds=login_seconds(found, self._seconds),
            via=via, config_file=self._config_file, options=found,
        )  # fmt: skip


def login_seconds(found: dict[str, str], seconds: float) -> float:
    """Return how long a login may take by what a config says, at most so many seconds."""
    limit = found.get("connecttimeout", "")
    return min(seconds, float(limit)) if limit.isdigit() and int(limit) else seconds


def _yes(value: str | None) -> bool:
    return (value or "").lower() in ("yes", "true")


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] == text[-1:] == '"' else text


def _paths(text: str) -> list[str]:
    quoted_or_not = re.findall(r'"([^"]*)"|(\S+)', text)
    return [os.path.expanduser(one or other) for one, other in quoted_or_not if (one or other) != "none"]


def _included(file: str, depth: int, *, must_be: bool = False) -> str:
    """Return the text of a config file and of the files that it includes."""
    try:
        with open(os.path.expanduser(file), encoding="utf-8", errors="replace") as opened:
            lines = opened.read().splitlines()
    except OSError:
        if must_be:
            raise
        return ""
    text, block = "", "Host *"
    for line in lines:
        matched = _INCLUDE.match(line)
        if matched is None:
            block = line if _BLOCK.match(line) else block
            text += line + "\n"
            continue
        for pattern in _paths(matched[1]) if depth < INCLUDE_DEPTH else []:
            folder = "/etc/ssh" if file.startswith("/etc/") else os.path.expanduser("~/.ssh")
            for found in sorted(glob.glob(os.path.join(folder, pattern))):
                text += _included(found, depth + 1)
        text += block + "\n"  # the lines below belong to the block around the Include
    return text
