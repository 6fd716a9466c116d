"""The key pair of one who comes to a standing Federation by TCP, and the keys that are let in there.

Keys are ed25519, in the files of OpenSSH (PROTOCOL.key, sshd(8) "AUTHORIZED_KEYS FILE FORMAT"). A private key that
others can read is not used.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.host.here import host_here
from fedfutures.standing.places import write_whole

from .known_hosts import fingerprint

KIND = "ssh-ed25519"
KEY_BYTES = 51
"""Of an ed25519 public key: two lengths, the kind, and 32 bytes."""
VARIABLE = "FEDFUTURES_KEY"


def usual_path() -> str:
    """Return the file of this user's key: ``$FEDFUTURES_KEY``, by default ``~/.config/fedfutures/key``."""
    configuration = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.environ.get(VARIABLE) or os.path.join(configuration, "fedfutures", "key")


def made(path: str) -> bool:
    """Make a key pair if there is none; return whether it is new. Raises StartFailed."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if os.path.lexists(path):
        loaded(path)
        return False
    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        new = f"{path}.{os.getpid()}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(text)
            with contextlib.suppress(FileExistsError):  # one that was made meanwhile stays
                os.link(new, path)
        finally:
            os.unlink(new)
    except OSError as error:
        raise StartFailed(f"no key can be written to {path}: {error.strerror}", 2) from None
    return True


def loaded(path: str) -> Any:
    """Return paramiko's key of a file. Raises StartFailed where there is none, or where others can read it."""
    import paramiko

    try:
        mode = os.stat(path)
        if mode.st_uid != os.geteuid() or stat.S_IMODE(mode.st_mode) & 0o077:
            raise StartFailed(f"others can read the key {path}, so it is not used; try: chmod 600 {path}", 2)
        return paramiko.Ed25519Key.from_private_key_file(path)
    except FileNotFoundError:
        raise StartFailed(f"there is no key {path}; try: fedfutures key", 2) from None
    except OSError as error:
        raise StartFailed(f"the key {path} cannot be read: {error.strerror}", 2) from None
    except (paramiko.SSHException, ValueError) as error:
        raise StartFailed(
            f"{path} is no ed25519 key without a passphrase ({error}); try: mv {path} {path}.old; fedfutures key", 2
        ) from None


def public_line(key: Any) -> str:
    """Return the public half of a key as it stands in files, with a comment that says whose it is."""
    return f"{KIND} {key.get_base64()} {os.environ.get('USER', 'user')}@{host_here()}"


class AllowedKeys:
    """The file of the public keys that are let in: one in each line. Only its owner may read it, and its directory."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "allowed")

    def lines(self) -> list[str]:
        """Return what stands in the file. Raises StartFailed."""
        try:
            with open(self._path, encoding="utf-8") as file:
                return [line for line in file.read().splitlines() if line.strip()]
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise StartFailed(f"the keys in {self._path} cannot be read: {error}", 2) from None

    def has(self, key: bytes) -> bool:
        """Whether a key is let in; none is while the file cannot be read."""
        with contextlib.suppress(StartFailed):
            return key in _keys(self.lines())
        return False

    def add(self, line: str) -> bool:
        """Let a key in; return whether it was not before. Raises StartFailed."""
        lines, key = self.lines(), key_of(line)
        if key in _keys(lines):
            return False
        self._write([*lines, " ".join(line.split())])
        return True

    def remove(self, word: str) -> list[str]:
        """Let keys in no longer: those of a public key, a fingerprint or a comment; return their fingerprints."""
        lines = self.lines()
        found = [line for line in lines if _means(word, line)]
        if found:
            self._write([line for line in lines if line not in found])
        return [fingerprint(key_of(line)) for line in found]

    def _write(self, lines: Iterable[str]) -> None:
        write_whole(self._path, "".join(f"{line}\n" for line in lines))


def key_of(line: str) -> bytes:
    """Return the key of a line ``ssh-ed25519 AAAA... comment``. Raises StartFailed."""
    kind, _, rest = line.strip().partition(" ")
    try:
        key = base64.b64decode(rest.split()[0], validate=True)
    except (IndexError, binascii.Error):
        key = b""
    head = len(KIND).to_bytes(4, "big") + KIND.encode()
    if kind != KIND or len(key) != KEY_BYTES or not key.startswith(head):
        raise StartFailed(
            f"{line[:60]!r} is no public key; fedfutures key prints one, as in {KIND} AAAA... ann@node", 2
        )
    return key


def _keys(lines: Iterable[str]) -> set[bytes]:
    found = set()
    for line in lines:
        with contextlib.suppress(StartFailed):  # somebody has written into the file
            found.add(key_of(line))
    return found


def _means(word: str, line: str) -> bool:
    with contextlib.suppress(StartFailed):
        key = key_of(line)
        if word == fingerprint(key) or word in line.split()[2:]:
            return True
        with contextlib.suppress(StartFailed):
            return key == key_of(word)
    return False
