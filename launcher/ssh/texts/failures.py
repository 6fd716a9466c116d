"""Why a host is not part of a run: in words, and with a command that mends it.

Whatever goes wrong between the launching side and a host ends up as a :class:`Failure` of one of a few kinds, whichever
ssh client was used, so a table of hosts and a program can treat all of them alike. The text says what is the case and
names the host; the remedy is something to paste. `detail` holds what the other side said, for those who dig deeper.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass

from ...wheel import wheel_name


@dataclass(slots=True)
class Failure:
    """Why a host did not work."""

    kind: str
    text: str
    remedy: str
    detail: str = ""
    hints: tuple[str, ...] = ()  # what else may help

    def __str__(self) -> str:
        return f"{self.text}; try: {self.remedy}" if self.remedy else self.text


@dataclass(slots=True)
class Place:
    """Where an ssh server was looked for: what failures name."""

    host: str  # as the user wrote it
    address: str = ""  # what that stands for
    port: int = 22
    user: str = ""
    config_file: str | None = None

    def ssh(self, *, command: str = "true", option: str = "") -> str:
        """Return the command line that tries this by hand."""
        words = ["ssh", *([option] if option else [])]
        if self.config_file is not None:
            words += ["-F", self.config_file]
        if self.port != 22:
            words += ["-p", str(self.port)]
        return shlex.join([*words, f"{self.user}@{self.host}" if self.user else self.host, command])

    @property
    def where(self) -> str:
        """The address and port, where they say more than the host's name."""
        address = self.address if self.address not in ("", self.host) else ""
        return f" ({address or self.host} port {self.port})" if address or self.port != 22 else ""

    @property
    def target(self) -> str:
        """The address to try, for other programs than ssh."""
        return self.address or self.host


# -- no connection ---------------------------------------------------------------------------------------------------


def configuration(host: str, why: str) -> Failure:
    """The ssh config cannot be made use of."""
    return Failure(
        "ssh config",
        f"{host}: the ssh config cannot be used: {why}",
        f"ssh -G {shlex.quote(host)}",
        "or: --ssh-executable ssh",
    )


def unresolved(place: Place, detail: str = "") -> Failure:
    """The name has no address."""
    named = "" if place.address in ("", place.host) else f" (its HostName is {place.address})"
    return Failure(
        "unresolved name", f"{place.host}: no address is known for this name{named}",
        f"getent hosts {shlex.quote(place.target)}", detail,
    )  # fmt: skip


def refused(place: Place, detail: str = "") -> Failure:
    """Nobody listens there."""
    return Failure(
        "refused", f"{place.host}: no ssh server listens at {place.target} port {place.port}",
        place.ssh(), detail,
    )  # fmt: skip


def unreachable(place: Place, detail: str = "") -> Failure:
    """No route."""
    return Failure(
        "unreachable", f"{place.host}: no way leads to {place.target}" + (f" ({detail})" if detail else ""),
        f"ping -c 3 {shlex.quote(place.target)}", detail,
    )  # fmt: skip


def timeout(place: Place, seconds: float, stage: str = "answer") -> Failure:
    """The host did not answer, or not to the end."""
    return Failure(
        "timeout", f"{place.host}{place.where}: no {stage} within {seconds:.0f} s", place.ssh(option="-v"),
        "a firewall that drops packets, or a host that is off, looks like this",
    )  # fmt: skip


def no_banner(place: Place, seconds: float) -> Failure:
    """Something listens but says nothing."""
    return Failure(
        "no banner", f"{place.host}{place.where}: connected, but no ssh server spoke within {seconds:.0f} s",
        place.ssh(option="-v"), "a host that hangs, or another service at that port, looks like this",
    )  # fmt: skip


def too_many_connections(place: Place, tries: int, detail: str = "") -> Failure:
    """The ssh server drops logins."""
    return Failure(
        "too many connections",
        f"{place.host}{place.where}: its ssh server dropped the connection {tries} times; it limits logins that are "
        "under way (MaxStartups in its sshd_config)",
        place.ssh(), detail,
    )  # fmt: skip


def protocol(place: Place, detail: str) -> Failure:
    """The two ssh implementations do not understand each other."""
    return Failure("protocol", f"{place.host}{place.where}: ssh failed: {detail}", place.ssh(option="-v"), detail)


def no_session(place: Place, detail: str) -> Failure:
    """Logged in, but no command may be run."""
    return Failure(
        "no session", f"{place.host}{place.where}: logged in, but no session was opened: {detail}", place.ssh(), detail
    )


def jump_failed(host: str, jump: str, cause: Failure) -> Failure:
    """The access host could not be passed; `cause` names it."""
    return Failure("jump host failed", f"{host}: its jump host {jump} failed: {cause.text}", cause.remedy, cause.detail)


def no_such_executable(host: str, executable: str, detail: str = "") -> Failure:
    """The ssh client is not there."""
    return Failure(
        "no such executable", f"{host}: the ssh client {executable!r} cannot be started: {detail or 'not found'}",
        f"command -v {shlex.quote(executable)}", "without --ssh-executable, no ssh client is needed",
    )  # fmt: skip


def lost(host: str, detail: str = "", ssh: str = "") -> Failure:
    """A session that worked has gone."""
    return Failure(
        "lost", f"{host}: the ssh connection was lost" + (f": {detail}" if detail else ""),
        f"{_by(ssh, host)} uptime", detail,
    )  # fmt: skip


# -- keys ------------------------------------------------------------------------------------------------------------


def host_key_unknown(place: Place, kind: str, fingerprint: str, detail: str = "") -> Failure:
    """known_hosts does not have the host."""
    key = f"{kind} key {fingerprint}" if fingerprint else f"{kind or 'host'} key"
    return Failure(
        "host key unknown", f"{place.host}{place.where}: the host is not in known_hosts; it shows the {key}",
        place.ssh(),
        detail or "compare the fingerprint before saying yes; --host-key-policy accept-new takes it unseen",
    )  # fmt: skip


def host_key_changed(place: Place, name: str, where: str, kind: str, fingerprint: str, detail: str = "") -> Failure:
    """known_hosts has another key; `where` is ``file:line``."""
    file = where.rpartition(":")[0] or where
    remedy = f"ssh-keygen -R {shlex.quote(name)}" + (f" -f {shlex.quote(file)}" if file else "")
    key = f"the {kind} key {fingerprint}" if fingerprint else f"another {kind} key".replace("  ", " ")
    return Failure(
        "host key changed",
        f"{place.host}{place.where}: HOST KEY CHANGED: the host shows {key}, which is not the one in {where}: "
        "it was installed anew, or somebody sits in between",
        remedy, detail or "ask whoever runs the host before removing the old key",
    )  # fmt: skip


def host_key_revoked(place: Place, where: str, kind: str, fingerprint: str) -> Failure:
    """known_hosts says that nobody may trust this key."""
    return Failure(
        "host key changed",
        f"{place.host}{place.where}: the host shows the {kind} key {fingerprint}, revoked in {where}",
        f"grep -n @revoked {shlex.quote(where.rpartition(':')[0])}",
    )  # fmt: skip


def authentication_failed(place: Place, tried: str, detail: str = "") -> Failure:
    """No key was accepted."""
    copy = ["ssh-copy-id", *(["-F", place.config_file] if place.config_file is not None else [])]
    copy += ["-p", str(place.port)] if place.port != 22 else []
    who = f"{place.user}@{place.host}" if place.user else place.host
    return Failure(
        "authentication failed",
        f"{place.host}{place.where}: {place.user or 'the user'} was not let in; tried: {tried}",
        shlex.join([*copy, who]), detail,
    )  # fmt: skip


def key_encrypted(place: Place, path: str, detail: str = "") -> Failure:
    """The key takes a passphrase, and nothing is ever asked."""
    return Failure(
        "key encrypted", f"{place.host}: the key {path} is encrypted and no agent holds it", f"ssh-add {path}", detail
    )


def _by(ssh: str, host: str) -> str:
    """Return how a command is run on a host by hand; `ssh` says more than its name."""
    return ssh or f"ssh {shlex.quote(host)}"


def _path(path: str) -> str:
    """Quote a path for a shell, which is to see its tilde."""
    return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") and path[2:] else shlex.quote(path)


# -- what runs there -------------------------------------------------------------------------------------------------


def no_python(host: str, tried: list[str], ssh: str = "") -> Failure:
    """No interpreter that is new enough."""
    return Failure(
        "no Python", f"{host}: no Python >= 3.10 was found there; tried: {', '.join(tried) or 'nothing'}",
        f"{_by(ssh, host)} 'ls /usr/bin/python3* /opt/*/bin/python3*'",
        "then: --python-interpreter PATH, or --prolog FILE where a module has to be loaded",
    )  # fmt: skip


def other_python(host: str, executable: str, theirs: str, ours: str, ssh: str = "") -> Failure:
    """Pickles and bytecode of functions are good for one minor version."""
    minor = ".".join(ours.split(".")[:2])
    return Failure(
        "other Python",
        f"{host}: {executable} is Python {theirs}, here it is {ours}: the minor version must be the same",
        f"{_by(ssh, host)} command -v python{minor}", "then: --python-interpreter PATH",
    )  # fmt: skip


def _install(host: str, executable: str, ours: str, ssh: str = "", *, again: bool = False) -> str:
    """Return the command that installs the fedfutures of here on a host: it is on no index, so its wheel is sent.

    again: the same version is there, and pip would leave it.
    """
    wheel = wheel_name(ours)
    force = "--force-reinstall --no-deps " if again else ""
    there = f"cat > {wheel} && {shlex.quote(executable)} -m pip install {force}./{wheel}"
    return f"{shlex.quote(sys.executable)} -m fedfutures_launcher.wheel | {_by(ssh, host)} {shlex.quote(there)}"


INSTALL_HINT = "sends the fedfutures of here as a wheel; where pip refuses, docs/deploying.rst makes an environment"


def fedfutures_missing(host: str, executable: str, ours: str, error: str, ssh: str = "") -> Failure:
    """The interpreter has no fedfutures, or one that is broken."""
    return Failure(
        "fedfutures missing", f"{host}: {executable} cannot import fedfutures: {error}",
        _install(host, executable, ours, ssh), hints=(INSTALL_HINT,),
    )  # fmt: skip


def other_fedfutures(
    host: str, executable: str, what: str, ours: str, ssh: str = "", *, again: bool = False
) -> Failure:  # fmt: skip
    """Another version, of the package or of the protocol; `again`: only of the protocol."""
    return Failure("other fedfutures", f"{host}: {what}", _install(host, executable, ours, ssh, again=again))


def cloudpickle_differs(host: str, executable: str, theirs: str, ours: str, ssh: str = "") -> Failure:
    """Only a warning: it works more often than not."""
    return Failure(
        "cloudpickle differs", f"{host}: cloudpickle is {theirs}, here it is {ours}: some functions may not load there",
        f"{_by(ssh, host)} {shlex.quote(executable)} -m pip install cloudpickle=={ours}",
    )  # fmt: skip


def prolog_missing(host: str, prolog: str, ssh: str = "") -> Failure:
    """The file to be sourced first is not on that host."""
    return Failure(
        "prolog missing", f"{host}: the prolog {prolog} cannot be read there",
        f"{_by(ssh, host)} {shlex.quote(f'cat > {_path(prolog)}')} < {_path(prolog)}",
        "this sends the file of that name from here",
    )  # fmt: skip


def ended_early(host: str, status: int | None, errors: str, noise: str = "", ssh: str = "") -> Failure:
    """The remote command ended without having said hello; `errors` is its standard error."""
    said = [line for line in (errors or noise).splitlines() if line.strip()][-5:]
    how = "ended" if status is None else f"ended with exit code {status}"
    last = f"; it said: {' / '.join(line.strip() for line in said)}" if said else " without a word"
    return Failure(
        "ended early",
        f"{host}: the command on that host {how} before it was ready{last}",
        f"{_by(ssh, host)} true",
        "\n".join(said),
    )  # fmt: skip


def no_hello(host: str, why: str, noise: str = "", ssh: str = "") -> Failure:
    """What came is not what the host process says."""
    return Failure(
        "no hello", f"{host}: {why}", f"{_by(ssh, host)} true | head -c 1000", noise[-2000:]
    )  # fmt: skip


def nonsense(host: str, ssh: str = "") -> Failure:
    """Something else than the host process writes to the standard output of the ssh session, or it is not ours."""
    return Failure(
        "lost",
        f"{host}: something was written among what the host process says",
        f"{_by(ssh, host)} 'sleep 5' </dev/null",
        "look for commands in the background of its shell's start-up files",
    )
