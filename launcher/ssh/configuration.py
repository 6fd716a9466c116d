"""What ~/.ssh/config says of a host, for the paramiko client.

The result is a :class:`Route`: the address, user, keys and trusted host keys of a host, and the routes of the hosts in
between. Where there is an ``ssh``, it is asked (:mod:`.asking`), so the config means what it means to ssh. Elsewhere
paramiko reads the files. As with ssh the first value counts: that of the caller, of the user's file, of the system's.
``Include`` lines are replaced by the text that they name before paramiko sees it, and blocks of ``Match`` words that
paramiko does not know are for nobody.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .asking import (
    BadConfig,
    Settings,
    ask,
    config_of_environment,
    expanded,
    home_of_ssh,
    options_of,
    own_ssh,
    tokens_of,
)
from .session import CONNECT_SECONDS, LoginTarget
from .texts.failures import SSH_CONFIG, Failure, Place

USER_CONFIG = "~/.ssh/config"
SYSTEM_CONFIG = "/etc/ssh/ssh_config"
USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
OTHER_DEFAULT_KEYS = ("~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519_sk", "~/.ssh/id_xmss", "~/.ssh/id_dsa")
"""Those that ssh also looks for, and paramiko cannot use."""
INCLUDE_DEPTH = 16

_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
_BLOCK = re.compile(r"\s*(?:host|match)\b", re.IGNORECASE)
_MATCH = re.compile(r"\s*match(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
WITHOUT_VALUE = {"all", "canonical", "final"}
KNOWN_CRITERIA = WITHOUT_VALUE | {"exec", "host", "originalhost", "user", "localuser"}
FOR_NOBODY = "Host !*"
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
    checking: str  # of the server's key, as StrictHostKeyChecking has it: yes, ask, accept-new, no
    hash_names: bool
    seconds: float  # for a login: ConnectTimeout, or those of the configuration
    via: Route | None = None
    proxy_command: str | None = None

    @property
    def patience(self) -> float:
        """How many seconds all logins on the way to it may take."""
        return self.seconds + (self.via.patience if self.via is not None else 0.0)

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
        self._said: dict[tuple[str, str | None, int | None], dict[str, Any] | None] = {}  # by ssh
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
        known = self._said
        if (host, user, port) not in known:
            known[host, user, port] = self._asked(host, user, port)
        found = known[host, user, port]
        if found is not None:
            return found
        if self._broken:
            raise Unusable(SSH_CONFIG(host, self._broken))
        import paramiko

        said = "".join(f"{key} {value}\n" for key, value in (("User", user), ("Port", port)) if value)
        try:
            return dict(paramiko.SSHConfig.from_text(said + self.text).lookup(host))
        except Exception as error:  # by the parser, a Match exec, or a name without a canonical form
            raise Unusable(SSH_CONFIG(host, str(error) or type(error).__name__)) from None

    def _asked(self, host: str, user: str | None, port: int | None) -> dict[str, Any] | None:
        """Return what the user's ssh says; None: there is none."""
        ssh = own_ssh()
        if ssh is None:
            return None
        config = self._config_file if self._config_file is not None else config_of_environment()
        try:
            return said_by([ssh], options_of(config, user, port), host)
        except OSError:
            return None

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
            checking=checking_of(found.get("stricthostkeychecking", "")),
            hash_names=_yes(found.get("hashknownhosts")), seconds=login_seconds(found, self._seconds),
            via=via, config_file=self._config_file,
        )  # fmt: skip


def said_by(executable: Sequence[str], options: Sequence[str], host: str) -> dict[str, Any] | None:
    """Return what an ssh says of a host (:func:`of_ssh`); None: it is no OpenSSH. Raises Unusable, OSError."""
    try:
        found = ask(executable, options, host)
    except BadConfig as error:
        raise Unusable(SSH_CONFIG(host, str(error))) from None
    return found and of_ssh(host, found)


def of_ssh(host: str, found: Settings) -> dict[str, Any]:
    """Return what ssh says of a host in the form in which paramiko says it: one text for each keyword, but key files.

    The default key files are left out, so that one that is missing is not worth a word.
    """
    tokens = tokens_of(host, found)
    made: dict[str, Any] = {key: values[0] for key, values in found.items()}
    made["identityfile"] = [_of_home(expanded(file, tokens)) for file in found.get("identityfile", [])]
    if set(found.get("identityfile", [])) <= {*DEFAULT_KEYS, *OTHER_DEFAULT_KEYS}:
        made["identityfile"] = None
    if "proxycommand" in made:
        made["proxycommand"] = expanded(made["proxycommand"], tokens)
    if "identityagent" in made:
        made["identityagent"] = _of_home(expanded(made["identityagent"], tokens))
    for key in ("userknownhostsfile", "globalknownhostsfile"):
        if key in made:  # ssh says the names without quotes: a word that begins no path goes on with a blank
            paths = re.split(r" (?=[/~%$]|none\b)", expanded(made[key], tokens))
            made[key] = " ".join(f'"{_of_home(path)}"' for path in paths)
    return made


TAKEN_UNSEEN = ("accept-new", "no")
"""The values of StrictHostKeyChecking with which a host that is not known shows a key that is trusted."""


def checking_of(value: str) -> str:
    """Return one of yes, ask, accept-new and no for a value of StrictHostKeyChecking (ssh_config(5))."""
    value = value.lower()
    known = {"true": "yes", "yes": "yes", "accept-new": "accept-new", "no": "no", "false": "no", "off": "no"}
    return known.get(value, "ask")


def login_seconds(found: dict[str, str], seconds: float) -> float:
    """Return how long a login may take: ConnectTimeout, or so many seconds where the config does not say."""
    limit = found.get("connecttimeout", "")
    return float(limit) if limit.isdigit() and int(limit) else seconds


def _is_for_somebody(criteria: str) -> bool:
    """Whether paramiko knows all words of a ``Match`` line; it takes those that it does not know for true."""
    words = re.findall(r'"[^"]*"|[^\s"]+', criteria)
    while words:
        name, has_value, _ = words.pop(0).lstrip("!").lower().partition("=")
        if name not in KNOWN_CRITERIA:
            return False
        if name not in WITHOUT_VALUE and not has_value and words:
            words.pop(0)
    return True


def _of_home(path: str) -> str:
    return home_of_ssh() + path[1:] if path.startswith("~/") else path


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
            criteria = _MATCH.match(line)
            if criteria is not None and not _is_for_somebody(criteria[1]):
                line = FOR_NOBODY
            block = line if _BLOCK.match(line) else block
            text += line + "\n"
            continue
        for pattern in _paths(matched[1]) if depth < INCLUDE_DEPTH else []:
            folder = "/etc/ssh" if file.startswith("/etc/") else os.path.expanduser("~/.ssh")
            for found in sorted(glob.glob(os.path.join(folder, pattern))):
                text += _included(found, depth + 1)
        text += block + "\n"  # the lines below belong to the block around the Include
    return text
