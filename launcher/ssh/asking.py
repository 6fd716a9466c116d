"""What the user's own ssh says of a host: ``ssh -G`` reads the config as that ssh does, whatever its version.

Its answer is what both clients go by. Values come as they stand in the config, so tokens such as ``%h`` (ssh_config(5),
"TOKENS") are still to be replaced: :func:`expanded`.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence

ANSWER_SECONDS = 20.0
"""``Match exec`` may run a command that takes its time."""

_TOKEN = re.compile(r"%(.)|\$\{(\w+)\}")

_REFUSED = re.compile(
    r"^.*(?: line \d+|Bad configuration option|terminating, |Can't open user config).*$", re.MULTILINE
)

Settings = dict[str, list[str]]
"""The values of each keyword, in lower case, in the order in which ssh tries them."""


class BadConfig(Exception):
    """ssh refuses the config; the text is what it says."""


def own_ssh() -> str | None:
    """Return the path of the user's ssh; None if there is none."""
    return shutil.which("ssh")


def options_of(config_file: str | None, user: str | None, port: int | None) -> list[str]:
    """Return the options of ssh that say this.

    >>> options_of("c", "ann", None)
    ['-F', 'c', '-l', 'ann']
    """
    options = ["-F", config_file] if config_file is not None else []
    return options + (["-l", user] if user else []) + (["-p", str(port)] if port else [])


def ask(executable: Sequence[str], options: Sequence[str], host: str) -> Settings | None:
    """Return what a client says of a host; None: it is no OpenSSH, or does not answer. Raises BadConfig, OSError."""
    try:
        asked = subprocess.run(
            [*executable, *options, "-G", "--", host], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=ANSWER_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    found: Settings = {}
    for line in asked.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value)
    if asked.returncode == 0 and "hostname" in found:
        return found
    refused = _REFUSED.search(asked.stderr)
    if asked.returncode and refused is not None:
        raise BadConfig(refused[0].strip())
    return None


def home_of_ssh() -> str:
    """Return the home directory as ssh sees it: what the environment says does not count."""
    return pwd.getpwuid(os.getuid()).pw_dir


def config_of_environment() -> str | None:
    """Return the config in the home that ``HOME`` names, where ssh would look in another one; None: there is none."""
    path = os.path.expanduser("~/.ssh/config")
    return path if os.path.expanduser("~") != home_of_ssh() and os.path.exists(path) else None


def tokens_of(host: str, found: Settings) -> dict[str, str]:
    """Return what the tokens of ssh_config(5) stand for."""
    name = socket.gethostname()
    local, home = getpass.getuser(), home_of_ssh()
    address, port, user = (found[key][0] for key in ("hostname", "port", "user"))
    return {
        "%": "%", "d": home, "h": address, "i": str(os.getuid()), "k": found.get("hostkeyalias", [address])[0],
        "L": name.partition(".")[0], "l": name, "n": host, "p": port, "r": user, "u": local, "j": "",
    }  # fmt: skip


def expanded(text: str, tokens: Mapping[str, str]) -> str:
    """Replace tokens and ``${VARIABLES}``; one that is not known stays as it is.

    >>> expanded("nc %h %p 100%%", {"%": "%", "h": "10.0.0.7", "p": "22"})
    'nc 10.0.0.7 22 100%'
    """

    def known(found: re.Match[str]) -> str:
        return tokens.get(found[1], found[0]) if found[1] else os.environ.get(found[2], found[0])

    return _TOKEN.sub(known, text)
