"""Why the OpenSSH client made no session: its messages, read for the same failures as paramiko's exceptions.

At log level DEBUG1 the client says where it connects to, what the server answered and which host key it saw. That tells
how far it came; its last message tells what went wrong. The clients of hosts in between (log level VERBOSE) say
"Authenticated" once each, so counting tells which host is to blame.
"""

from __future__ import annotations

import re

from .texts import failures
from .texts.failures import Failure, Place

CONNECTED = re.compile(r"^debug1: (?:Entering interactive session|mux_client_request_session: master session id)", re.M)
BY_SIGNAL = "rtype exit-signal"
BY_COMMAND = "by UNKNOWN port"
ANSWERED = "debug1: Remote protocol version"
OWN_WORDS = (b"debug1: ", b"Transferred: sent ", b"Bytes per second: sent ", b"Authenticated to ", b"Killed by signal ")
OWN = re.compile(rb"(?:" + b"|".join(OWN_WORDS) + rb")[^\n]*\r\n$")
"""The client's own words at the end of a line; the remote command may have written the beginning of the line."""

STORED = re.compile(r"^Warning: Permanently added '(.*)' \((.*)\) to the list of known hosts", re.M)
EXIT_STATUS = re.compile(r"^debug1: Exit status (-?\d+)", re.M)

DROPPED = re.compile(
    r"kex_exchange_identification|Exceeded MaxStartups|Connection (?:closed|reset) by|ssh_exchange_identification"
    r"|banner line contains invalid|Not allowed at this time"
)
_HOST_KEY = re.compile(r"^debug1: Server host key: (\S+) (SHA256:\S+)", re.M)
_UNKNOWN_KEY = re.compile(r"^No (\S+) host key is known for (\S+) and you have requested strict checking", re.M)
_OFFENDING = re.compile(r"^Offending (?:(\S+) )?key (?:for IP )?in (.+?):(\d+)", re.M)
_CHANGED_NAME = re.compile(r"^Host key for (\S+) has changed", re.M)
_PRINT = re.compile(r"^(SHA256:\S+?)\.?$", re.M)
_ACCEPTED_KEY = re.compile(r"^debug1: Server accepts key: (.+?) (?:\S+) SHA256:\S+( .*)?$", re.M)
_OFFERED = re.compile(r"^debug1: (?:Offering public|Trying private) key: (\S+)", re.M)
_THROUGH = re.compile(r"open failed: (?:connect failed: |administratively prohibited: )?(.*)", re.M)
_PARTIAL = re.compile(r"^(?:debug1: )?Authenticated using \"(\S+)\" with partial success", re.M)
_CONTINUE = re.compile(r"^debug1: Authentications that can continue: (\S+)", re.M)
_FORBIDDEN = "open failed: administratively prohibited"
_NOISE = re.compile(r"^(?:debug\d: .*|Authenticated to .*|Transferred: .*|Bytes per second: .*|)$")


def diagnose(
    text: str, place: Place, hops: list[Place], seconds: float, *, timed_out: bool, proxy_command: str = ""
) -> Failure | None:
    """Return why there is no session; None: the server dropped the connection, as it does when it has many logins."""
    text = text.replace("\r", "")
    if proxy_command and ANSWERED not in text and BY_COMMAND in text:
        words = _of_command(text)
        if words and not DROPPED.search(words):
            return failures.PROXY_FAILED(place, words, ended="failed", command=proxy_command)
    passed = min(text.count("Authenticated to "), len(hops))
    answered = ANSWERED in text
    if not answered and passed < len(hops):
        text = _without_echo(text, len(hops) - passed)
        via = hops[passed - 1].host if passed else ""
        cause = _of_one(text, hops[passed], seconds, timed_out=timed_out, via=via, answered=None)
        return cause and failures.JUMP_FAILED(place.host, jump=hops[passed].host, cause=cause)
    return _of_one(text, place, seconds, timed_out=timed_out, via=hops[-1].host if hops else "", answered=answered)


def _of_command(text: str) -> str:
    """Return the last three lines of a ProxyCommand; the client itself only says that the connection has ended."""
    said = _without_echo(text, 1).splitlines()
    return " / ".join(failures.last_lines("\n".join(line for line in said if not _NOISE.match(line))))


def _without_echo(text: str, clients: int) -> str:
    """Remove the words of clients that only saw the client below them end."""
    lines = [line for line in text.splitlines() if BY_COMMAND not in line]
    echoes = [number for number, line in enumerate(lines) if line.startswith("kex_exchange_identification")][-clients:]
    return "\n".join(line for number, line in enumerate(lines) if number not in echoes)


def _of_one(
    text: str, place: Place, seconds: float, *, timed_out: bool, via: str, answered: bool | None
) -> Failure | None:
    """Return the failure of one host; `answered`: whether its ssh server spoke, None: not known."""
    last = last_words(text)
    found = _of_keys(text, place, last) or _of_network(text, place, last, seconds, via=via)
    if found is not None:
        return found
    if timed_out:
        if answered:
            return failures.timeout(place, seconds, "end of the login")
        established = "debug1: Connection established" in text
        return failures.NO_BANNER(place, seconds=seconds) if established else failures.timeout(place, seconds)
    if not answered and DROPPED.search(text):
        return None
    if answered and "Authentications that can continue" not in text and DROPPED.search(text):
        return None
    return failures.PROTOCOL(place, last or "it said nothing")


def _of_keys(text: str, place: Place, last: str) -> Failure | None:
    shown = _HOST_KEY.search(text)
    kind, fingerprint = (shown[1], shown[2]) if shown else ("", "")
    offending = _OFFENDING.search(text)
    if (offending is not None and "has changed" in text) or "REVOKED HOST KEY" in text:
        printed = _PRINT.search(text)
        name = _CHANGED_NAME.search(text)
        where = f"{offending[2]}:{offending[3]}" if offending else "known_hosts"
        return failures.host_key_changed(
            place, name[1] if name else place.target, where, kind, fingerprint or (printed[1] if printed else "")
        )
    unknown = _UNKNOWN_KEY.search(text)
    if unknown is not None or "Host key verification failed" in text:
        return failures.host_key_unknown(place, kind or (unknown[1] if unknown else ""), fingerprint)
    partial = _PARTIAL.search(text)
    if partial is not None:
        factors = _CONTINUE.findall(text)[-1].replace(",", " or ")
        return failures.SECOND_FACTOR(place, f"{partial[1]} is accepted", factors=factors)
    if "Permission denied" in text or "Too many authentication failures" in text or "No more authentication" in text:
        # The server accepts the key, but the client signed nothing: it may not ask for the passphrase.
        accepted = [found[1] for found in _ACCEPTED_KEY.finditer(text) if " agent" not in (found[2] or "")]
        if accepted:
            return failures.KEY_ENCRYPTED(place, last, path=accepted[-1])
        tried = ", ".join(dict.fromkeys(_OFFERED.findall(text))) or "no key, for there is none"
        return failures.authentication_failed(place, tried, last)
    return None


def _of_network(text: str, place: Place, last: str, seconds: float, *, via: str) -> Failure | None:
    refusal = _THROUGH.search(text) if via else None
    said = refusal[1] if refusal else "\n".join(line for line in text.splitlines() if line.startswith("ssh: "))
    low = said.lower()
    if "could not resolve" in low or "name or service" in low or "name resolution" in low:
        return failures.UNRESOLVED(place, last)
    if "refused" in low:
        return failures.REFUSED(place, last)
    if "timed out" in low:
        return failures.timeout(place, seconds)
    if "no route" in low or "unreachable" in low:
        return failures.UNREACHABLE(place, said.rpartition(": ")[2])
    if "timed out during banner exchange" in text:
        return failures.NO_BANNER(place, seconds=seconds)
    if refusal is not None and _FORBIDDEN in text:
        return failures.NOT_LET_THROUGH(place, said, via=via)
    if refusal is not None:
        return failures.UNREACHABLE(place, said)
    if "Bad configuration option" in text or "terminating, " in text:
        return failures.SSH_CONFIG(place.host, last)
    return None


def last_words(text: str) -> str:
    """Return the last line for people, "" if there is none."""
    lines = [line.strip() for line in text.splitlines() if not _NOISE.match(line)]
    return lines[-1] if lines else ""
