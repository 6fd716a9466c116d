"""known_hosts: which host has which key, in the format of OpenSSH.

A line holds names, a key type and the key. Names are patterns, or a hash of one name; a port other than 22 is written
``[name]:port``. ``@revoked`` marks a key that nobody may trust. ``@cert-authority`` lines are for OpenSSH only.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

REVOKED = "@revoked"


@dataclass(slots=True)
class Line:
    """A line of a known_hosts file."""

    file: str
    number: int
    marker: str
    names: str
    kind: str
    key: bytes

    @property
    def where(self) -> str:
        """The file and the number of the line."""
        return f"{self.file}:{self.number}"


def read(files: Iterable[str]) -> Iterator[Line]:
    """Yield the lines of all files that can be read; like OpenSSH, skip malformed lines."""
    for file in files:
        try:
            with open(file, encoding="utf-8", errors="replace") as opened:
                text = opened.read().splitlines()
        except OSError:
            continue
        for number, line in enumerate(text, 1):
            words = line.split()
            marker = words.pop(0) if words and words[0].startswith("@") else ""
            if len(words) < 3 or line.startswith("#"):
                continue
            try:
                yield Line(file, number, marker, words[0], words[1], base64.b64decode(words[2]))
            except ValueError:
                continue


def entry_name(host: str, port: int) -> str:
    """Return how a host is written in known_hosts."""
    host = host.lower()
    return host if port == 22 else f"[{host}]:{port}"


def names_of(address: str, port: int, alias: str = "") -> list[str]:
    """Return the names under which ssh looks for a host, one after the other, until one has a key that fits.

    Many files have the keys of servers at other ports under the plain name, as ``ssh-keyscan`` wrote it once.

    >>> names_of("tower", 2222)
    ['[tower]:2222', 'tower']
    """
    if alias:
        return [alias.lower()]
    return list(dict.fromkeys([entry_name(address, port), entry_name(address, 22)]))


def matches(names: str, name: str) -> bool:
    """Return whether `names`, the first field of a line, match a host.

    >>> matches("a.example,[b]:2222", "[b]:2222"), matches("*.example,!a.example", "a.example")
    (True, False)
    """
    if names.startswith("|1|"):
        return _is_hash_of(names, name)
    found = False
    for pattern in names.lower().split(","):
        if pattern.startswith("!") and _like(pattern[1:], name):
            return False
        found = found or _like(pattern, name)
    return found


def _like(pattern: str, name: str) -> bool:
    # For fnmatch, brackets would be a set of characters.
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in hashed.split("|")[2:4])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def hashed_name(name: str) -> str:
    """Return the hash of a name, which hides it from readers of the file."""
    salt = os.urandom(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


FINGERPRINT = r"SHA256:[A-Za-z0-9+/]{43}"
"""The pattern of what :func:`fingerprint` returns."""


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a public key, as ssh prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def add(file: str, name: str, kind: str, key: bytes) -> None:
    """Append a key to a file; a new file is readable by its owner only."""
    os.makedirs(os.path.dirname(os.path.abspath(file)), mode=0o700, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        broken = size and os.pread(descriptor, 1, size - 1) != b"\n"  # an editor wrote no newline at the end
        line = f"{name} {kind} {base64.b64encode(key).decode()}\n"
        os.write(descriptor, (("\n" if broken else "") + line).encode())
    finally:
        os.close(descriptor)
