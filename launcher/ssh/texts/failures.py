"""Why a host is not part of a run: a table of all failures, each in words and with a command that mends it.

Both ssh clients tell of the same failures, so the table of hosts and a program treat them alike. The text names the
host and what is wrong; the remedy is a command to paste; `detail` is what the other side said.
"""

from __future__ import annotations

import shlex
import string
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ...wheel import wheel_name


@dataclass(slots=True)
class Failure:
    """Why a host did not work."""

    kind: str
    text: str
    remedy: str
    detail: str = ""
    hints: tuple[str, ...] = ()  # what else may help
    root: str = ""  # the kind at the bottom: where a jump host has failed, that of its failure

    def __post_init__(self) -> None:
        self.root = self.root or self.kind

    def __str__(self) -> str:
        return f"{self.text}; try: {self.remedy}" if self.remedy else self.text


@dataclass(slots=True)
class Place:
    """The ssh server that failures name."""

    host: str  # as the user wrote it
    address: str = ""  # what that stands for
    port: int = 22
    user: str = ""
    config_file: str | None = None

    def line(self, *program: str, end: tuple[str, ...] = ()) -> str:
        """Return a command line of ssh or a program with the same options."""
        config = ["-F", self.config_file] if self.config_file is not None else []
        port = ["-p", str(self.port)] if self.port != 22 else []
        return shlex.join([*program, *config, *port, f"{self.user}@{self.host}" if self.user else self.host, *end])

    @property
    def ssh(self) -> str:
        """The command line that tries this by hand."""
        return self.line("ssh", end=("true",))

    @property
    def ssh_v(self) -> str:
        """The same, and ssh tells what it does."""
        return self.line("ssh", "-v", end=("true",))

    @property
    def ssh_copy_id(self) -> str:
        """The command line that puts a key there."""
        return self.line("ssh-copy-id")

    @property
    def other_address(self) -> str:
        """The address where it is not the host's name itself."""
        return self.address if self.address != self.host else ""

    @property
    def where(self) -> str:
        """The address and port where they say more than the host's name."""
        address = self.other_address
        return f" ({address or self.host} port {self.port})" if address or self.port != 22 else ""

    @property
    def target(self) -> str:
        """The address to try, for other programs than ssh."""
        return self.address or self.host


IN_A_SHELL = """ sh -c 'eval "$*"' -"""
"""The end of what people put in front of a command where no shell would read its words there, as with srun."""

_CONVERSIONS: dict[str, Callable[[str], str]] = {
    "q": shlex.quote,
    "c": lambda text: f": {text}" if text else "",
    "p": lambda text: f" ({text})" if text else "",
    "h": lambda text: f" (its HostName is {text})" if text else "",
}


class _Formatter(string.Formatter):
    """Knows ``{x!q}``, quoted for a shell; ``{x!c}``, ``{x!p}`` and ``{x!h}`` are nothing where `x` is empty."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        known = _CONVERSIONS.get(conversion)
        return super().convert_field(value, conversion) if known is None else known(value)


class Wording(NamedTuple):
    """A row of the table: texts with fields, among them ``at``, a :class:`Place`. Calling it makes the failure.

    ``{ssh}`` stands in front of what a shell is to read on the host, ``{run}`` in front of a plain command.
    """

    kind: str
    text: str
    remedy: str
    detail: str = "{detail}"
    hints: tuple[str, ...] = ()

    def __call__(self, at: Place | str, detail: str = "", ssh: str = "", **facts: object) -> Failure:
        """Return the failure of a host; `ssh` is how people run a command there, if not by ``ssh HOST``."""
        place = Place(at) if isinstance(at, str) else at
        known = {"at": place, "detail": detail, "way": "ssh", **facts}
        by_hand = ssh or f"ssh {shlex.quote(place.host)}"
        known |= {"ssh": by_hand, "run": by_hand.removesuffix(IN_A_SHELL)}
        text, remedy, more = (_Formatter().vformat(part, (), known) for part in (self.text, self.remedy, self.detail))
        cause = facts.get("cause")
        return Failure(self.kind, text, remedy, more, self.hints, cause.root if isinstance(cause, Failure) else "")


# fmt: off
# -- no connection ---------------------------------------------------------------------------------------------------

SSH_CONFIG = Wording(
    "ssh config", "{at.host}: the ssh config cannot be used: {detail}", "ssh -G {at.host!q}",
    "or: --ssh-executable ssh")
UNRESOLVED = Wording(
    "unresolved name", "{at.host}: no address is known for this name{at.other_address!h}",
    "getent hosts {at.target!q}")
REFUSED = Wording("refused", "{at.host}: no ssh server listens at {at.target} port {at.port}", "{at.ssh}")
UNREACHABLE = Wording(
    "unreachable", "{at.host}: no way leads to {at.target}{detail!p}", "ping -c 3 {at.target!q}")
TIMEOUT = Wording(
    "timeout", "{at.host}{at.where}: no {detail} within {seconds:.0f} s", "{at.ssh_v}",
    "a firewall that drops packets, or a host that is off, looks like this")
NO_BANNER = Wording(
    "no banner", "{at.host}{at.where}: connected, but no ssh server spoke within {seconds:.0f} s", "{at.ssh_v}",
    "a host that hangs, or another service at that port, looks like this")
TOO_MANY_CONNECTIONS = Wording(
    "too many connections",
    "{at.host}{at.where}: its ssh server dropped the connection {tries} times; it limits logins that are under way "
    "(MaxStartups in its sshd_config)", "{at.ssh}")
PROTOCOL = Wording("protocol", "{at.host}{at.where}: ssh failed: {detail}", "{at.ssh_v}")
NO_SESSION = Wording(
    "no session", "{at.host}{at.where}: logged in, but no session was opened: {detail}", "{at.ssh}")
NOT_LET_THROUGH = Wording(
    "not let through",
    "{at.host}: {via} lets no connection through to {at.target} port {at.port}: AllowTcpForwarding or PermitOpen in "
    "its sshd_config forbids it", "ssh -W {at.target!q}:{at.port} {via!q} </dev/null")
PROXY_FAILED = Wording(
    "proxy command failed", "{at.host}{at.where}: its ProxyCommand {ended}{detail!c}", "{command}")
JUMP_FAILED = Wording(
    "jump host failed", "{at.host}: its jump host {jump} failed: {cause.text}", "{cause.remedy}", "{cause.detail}")
NO_SUCH_EXECUTABLE = Wording(
    "no such executable", "{at.host}: the ssh client {executable!r} cannot be started: {detail}",
    "command -v {executable!q}", "without --ssh-executable, no ssh client is needed")
LOST = Wording("lost", "{at.host}: the {way} connection was lost{detail!c}", "{run} uptime")
LAUNCHER_MISSING = Wording(
    "launcher missing", "{at.host}: the launcher {executable!r} cannot be started: {detail}",
    "command -v {executable!q}", "", ("--launcher takes ssh, srun, qrsh, mpiexec, blaunch, pbsdsh, or a command",))
LAUNCHER_REFUSED = Wording(
    "launcher refused", "{at.host}: {way} ended before the host was ready{said}", "{run} hostname")
LAUNCHER_SILENT = Wording(
    "launcher silent", "{at.host}: nothing was heard through {way} within {seconds:.0f} s{said}", "{run} hostname",
    "", ("where that answers late: --start-timeout SECONDS",))
LAUNCHER_UNFIT = Wording(
    "launcher unfit", "{at.host}: Python has started there, but {why}{said}", "echo ok | {run} cat",
    "", ("a launcher must pass on standard input and output, byte for byte and at once",))

NOT_IN_JOB = Wording(
    "not in a job", "{at.host}: pbsdsh starts nothing outside of a job of PBS: {variable} is not set", "qsub -I")
NOT_OF_JOB = Wording(
    "not of the job", "{at.host}: the job has no such host: {file} does not name it", "cat {file!q}")
NODES_UNREADABLE = Wording(
    "not of the job", "{at.host}: the file of the job's hosts cannot be read: {detail}", "cat {file!q}")
NO_MEETING = Wording(
    "no meeting", "{at.host}: {way} passes no streams, and {path} cannot be written for the host to read: {detail}",
    "mkdir -p {folder!q} && ls -ld {folder!q} && df {folder!q}")
KEEPER_AWAY = Wording(
    "keeper away", "{at.host}: the connector of the standing Federation does not answer{detail!c}", "fedfutures list")
KEEPER_REFUSES = Wording("keeper refuses", "{at.host}: {detail}", "fedfutures list", "")

# -- keys ------------------------------------------------------------------------------------------------------------

HOST_KEY_UNKNOWN = Wording(
    "host key unknown", "{at.host}{at.where}: the host is not in known_hosts; it shows the {key}", "{at.ssh}",
    "compare the fingerprint before saying yes; --host-key-policy accept-new takes it unseen")
HOST_KEY_CHANGED = Wording(
    "host key changed",
    "{at.host}{at.where}: HOST KEY CHANGED: the host shows {key}, which is not the one in {where}: it was installed "
    "anew, or somebody sits in between",
    "ssh-keygen -R {name!q}{files}", "ask whoever runs the host before removing the old key")
HOST_KEY_REVOKED = Wording(
    "host key changed", "{at.host}{at.where}: the host shows the {key}, revoked in {line.where}",
    "grep -n @revoked {line.file!q}")
AUTHENTICATION_FAILED = Wording(
    "authentication failed", "{at.host}{at.where}: {user} was not let in; tried: {tried}", "{at.ssh_copy_id}")
SECOND_FACTOR = Wording(
    "second factor wanted", "{at.host}{at.where}: the key is accepted, but the server wants a second factor: {factors}",
    "ssh -fNM -o ControlPath='~/.ssh/%C' {at.host!q}", "{detail}",
    ("with ControlPath ~/.ssh/%C in the ssh config all later sessions share that login",))
KEY_NOT_ALLOWED = Wording(
    "key not allowed", "{at.host}{at.where}: {at.user} does not let this key in (any more)",
    "ssh {at.host} fedfutures allow {at.user} {public!q}")
NOBODY_LISTENS = Wording(
    "nobody listens", "{at.host}: no standing Federation listens at {at.target} port {at.port}",
    "ssh {at.host} fedfutures status {at.user}")
OTHER_SERVER = Wording(
    "other server", "{at.host}{at.where}: the key there is {shown}, and not {wanted}, as the address says",
    "ssh {at.host} fedfutures status {at.user}")
KEY_ENCRYPTED = Wording(
    "key encrypted", "{at.host}: the key {path} is encrypted and no agent holds it", "ssh-add {path}")

# -- what runs there -------------------------------------------------------------------------------------------------

NO_PYTHON = Wording(
    "no Python", "{at.host}: no Python >= 3.10 was found there; tried: {tried}",
    "{ssh} 'ls /usr/bin/python3* /opt/*/bin/python3*'",
    "then: --python-interpreter PATH, or --prolog FILE where a module has to be loaded",
    ("a PYTHONHOME that its shell's start-up files set spoils every Python but one",))
SPOILT_PYTHON = Wording(
    "spoilt Python", "{at.host}: {executable} cannot import fedfutures: {detail}. {names} is set there, maybe for "
    "another Python", "{ssh} 'env | grep ^PYTHON; grep -n PYTHON ~/.bashrc ~/.profile'", "",
    ("unset it there, or in a file that --prolog names",))
OTHER_PYTHON = Wording(
    "other Python", "{at.host}: {executable} is Python {theirs}, here it is {ours}: the minor version must be the same",
    "{ssh} command -v python{minor}", "then: --python-interpreter PATH")
FEDFUTURES_MISSING = Wording(
    "fedfutures missing", "{at.host}: {executable} cannot import fedfutures: {detail}", "{install}", "",
    ("or run it with --provision: then the host is given the fedfutures of here, without pip",))
OTHER_FEDFUTURES = Wording(
    "other fedfutures", "{at.host}: {detail}", "{install}", "",
    ("or run it with --provision: then the host is given the fedfutures of here, beside the other one",))
NOT_PROVIDED = Wording(
    "not provided", "{at.host}: fedfutures could not be put into its ~/.cache/fedfutures: {detail}",
    "{ssh} 'df -h ~; ls -ld ~ ~/.cache'", "",
    ("another place: export XDG_CACHE_HOME=DIR in a file there that --prolog names",))
CANNOT_BE_PROVIDED = Wording(
    "other platform", "{at.host}: cannot be given the fedfutures of here: {detail}", "{install}", "",
    ("pip there fetches the packages for that machine",))
CLOUDPICKLE_DIFFERS = Wording(  # only a warning: it works more often than not
    "cloudpickle differs", "{at.host}: cloudpickle is {theirs}, here it is {ours}: some functions may not load there",
    "{ssh} {executable!q} -m pip install cloudpickle=={ours}")
OTHER_BYTE_ORDER = Wording(
    "other byte order", "{at.host}: is a {machine} with {theirs}-endian numbers, and they are {ours}-endian here: "
    "values would not arrive as they were sent", "{ssh} uname -m")
OTHER_MACHINE = Wording(  # only a warning
    "other machine", "{at.host}: is {theirs}, and this machine is {ours}: programs of pure Python run there; compiled "
    "packages have to be installed there", "{ssh} uname -sm")
PACKAGE_DIFFERS = Wording(  # only a warning
    "package differs", "{at.host}: {name} is {theirs} there, here it is {ours}: its objects may not load, or "
    "other values come",
    "{ssh} {executable!q} -m pip install {name}=={ours}", "or give it to the host: --provision-modules {name}")
PACKAGE_MISSING = Wording(  # only a warning: the part of the program that runs there may not need it
    "package missing", "{at.host}: {name} is not installed there, here it is {ours}: what imports it will fail there",
    "{ssh} {executable!q} -m pip install {name}=={ours}", "or give it to the host: --provision-modules {name}")
NO_DIRECTORY = Wording(
    "no directory", "{at.host}: there is no directory {directory} that Workers could work in (--path)",
    "{ssh} {make!q}")
NO_PRIVATE_DIRECTORY = Wording(
    "no private directory", "{at.host}: a run cannot make its private directories there: {detail}",
    "{ssh} 'df -h {place}; df -i {place}; ls -ld {place}'", "",
    ("another place: export TMPDIR=DIR in a file there that --prolog names",))
SAME_MACHINE = Wording(  # only a warning
    "same machine", "{at.host}: is the machine that {other} names, too: its Workers are counted there",
    "{ssh} hostname")
PROLOG_MISSING = Wording(
    "prolog missing", "{at.host}: the prolog {prolog} cannot be read there", "{ssh} {write!q} < {path}",
    "this sends the file of that name from here")
ENDED_EARLY = Wording(
    "ended early", "{at.host}: the command on that host ended before it was ready{said}", "{run} true")
NO_HELLO = Wording("no hello", "{at.host}: {why}", "{run} true | head -c 1000")
NONSENSE = Wording(
    "lost", "{at.host}: something was written among what the host process says", "{ssh} 'sleep 5' </dev/null",
    "look for commands in the background of its shell's start-up files")
# fmt: on


def timeout(place: Place, seconds: float, stage: str = "answer") -> Failure:
    """Return the failure of a host that did not answer, or not to the end."""
    return TIMEOUT(place, stage, seconds=seconds)


def host_key_unknown(place: Place, kind: str, fingerprint: str) -> Failure:
    """Return the failure of a host that known_hosts does not have; `fingerprint` may be empty."""
    return HOST_KEY_UNKNOWN(place, key=f"{kind} key {fingerprint}" if fingerprint else f"{kind or 'host'} key")


def host_key_changed(place: Place, name: str, where: str, kind: str, fingerprint: str) -> Failure:
    """Return the failure of a host for which known_hosts has another key; `where` is ``file:line``."""
    key = f"the {kind} key {fingerprint}" if fingerprint else f"another {kind} key".replace("  ", " ")
    file = where.rpartition(":")[0] or where
    return HOST_KEY_CHANGED(place, key=key, where=where, name=name, files=f" -f {shlex.quote(file)}" if file else "")


def authentication_failed(place: Place, tried: str, detail: str = "") -> Failure:
    """Return the failure of a host that accepted no key."""
    return AUTHENTICATION_FAILED(place, detail, user=place.user or "the user", tried=tried)


def prolog_missing(host: str, prolog: str, ssh: str = "", *, shares_home: bool = False) -> Failure:
    """Return the failure of a host that lacks the file to be sourced first."""
    path = f"~/{shlex.quote(prolog[2:])}" if prolog.startswith("~/") and prolog[2:] else shlex.quote(prolog)
    failure = PROLOG_MISSING(host, ssh=ssh, prolog=prolog, path=path, write=f"cat > {path}")
    return replace(failure, remedy=f"ls -l {path}", hints=()) if shares_home else failure


def ended_early(host: str, errors: str, noise: str = "", ssh: str = "", way: str = "ssh") -> Failure:
    """Return the failure of a host whose command ended without a hello; `errors` is its standard error."""
    said, last = _last_words(errors or noise)
    last = last or " without a word"
    if way == "ssh":
        return ENDED_EARLY(host, said, ssh, said=last)
    return LAUNCHER_REFUSED(host, said, ssh, way=way, said=last)


def launcher_silent(host: str, errors: str, ssh: str, way: str, seconds: float) -> Failure:
    """Return the failure of a host of which a launcher has let nothing be heard."""
    said, last = _last_words(errors)
    return LAUNCHER_SILENT(host, said, ssh, way=way, said=last, seconds=seconds)


def launcher_unfit(host: str, errors: str, ssh: str, why: str) -> Failure:
    """Return the failure of a host that has said hello through a launcher, and then nothing that makes sense."""
    said, last = _last_words(errors)
    return LAUNCHER_UNFIT(host, said, ssh, why=why, said=last)


def with_other_ways(failure: Failure, before: Sequence[Failure]) -> Failure:
    """Return the failure of a host to which several launchers do not lead; the last one is `failure`.

    The first one counts: it is the one that was expected to work.
    """
    if not before:
        return failure
    first, *others = [*before, failure]
    host = first.text.partition(":")[0]
    more = "".join(f"; and {other.text.removeprefix(f'{host}: ')}" for other in others)
    remedies = [f"or: {other.remedy}" for other in others if other.remedy and other.remedy != first.remedy]
    return replace(first, text=first.text + more, hints=(*first.hints, *remedies))


def last_lines(text: str) -> list[str]:
    """Return the last three lines for people.

    >>> last_lines("1\\n2\\n\\n 3\\n4\\n")
    ['2', '3', '4']
    """
    return [line.strip() for line in text.splitlines() if line.strip()][-3:]


def _last_words(text: str) -> tuple[str, str]:
    said = [line for line in text.splitlines() if line.strip()][-5:]
    return "\n".join(said), f"; it said: {' / '.join(line.strip() for line in said)}" if said else ""


def install(
    host: str, executable: str, ours: str, ssh: str = "", *, again: bool = False, shares_home: bool = False
) -> str:
    """Return the command that installs the fedfutures of here on a host: it is on no index, so its wheel is sent.

    again: the same version is there, and pip would leave it. shares_home: no input goes there, but its home is ours.
    """
    wheel = wheel_name(ours)
    force = "--force-reinstall --no-deps " if again else ""
    make = f"{shlex.quote(sys.executable)} -m fedfutures_launcher.wheel"
    pip = f"{shlex.quote(executable)} -m pip install"
    by = ssh or f"ssh {shlex.quote(host)}"
    if shares_home:
        return f"{make} ~ && {by} {shlex.quote(f'{pip} {force}~/{wheel}')}"
    return f"{make} | {by} {shlex.quote(f'cat > {wheel} && {pip} {force}./{wheel}')}"
