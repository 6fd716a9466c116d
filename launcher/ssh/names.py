"""The names of hosts that ssh knows: those of its config, and those of known_hosts."""

from __future__ import annotations

import os
import re

from .configuration import SYSTEM_KNOWN_HOSTS, USER_KNOWN_HOSTS, Configuration
from .known_hosts import read

NAMES_AT_MOST = 10_000

_HOST = re.compile(r"^\s*host(?:\s*=\s*|\s+)(.+)$", re.IGNORECASE | re.MULTILINE)
_FILES = re.compile(r"^\s*(?:user|global)knownhostsfile(?:\s*=\s*|\s+)(.+)$", re.IGNORECASE | re.MULTILINE)
_PORT = re.compile(r"\[(.+)\](?::[0-9]+)?")


def known_names(config_file: str | None = None) -> set[str]:
    """Return the names, without patterns and hashes; `config_file` takes the place of the usual config files."""
    text = Configuration(config_file).text
    names = {word.strip('"') for line in _HOST.findall(text) for word in line.split()}
    files = [word.strip('"') for line in _FILES.findall(text) for word in line.split()]
    files = files or f"{USER_KNOWN_HOSTS} {SYSTEM_KNOWN_HOSTS}".split()
    for line in read(map(os.path.expanduser, files)):
        if len(names) >= NAMES_AT_MOST:
            break
        names.update(_PORT.sub(r"\1", name) for name in line.names.split(","))
    return {name for name in names if name and not set(name) & set("*?!|")}
