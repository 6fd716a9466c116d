"""The user's keys: which ones to show to a server, in which order, and which ones cannot be used.

The order is OpenSSH's: keys of the agent that the config names, other keys of the agent, then files. Nobody is asked
for a passphrase, so an encrypted file is used only through the agent. Its public half is not encrypted and tells
whether the agent holds it; the older PEM format has none, then the ``.pub`` file beside it is read. The private half
need not be on this disk: the config may name a ``.pub`` file, or a file of which only the ``.pub`` beside it is here.
"""

from __future__ import annotations

import base64
import os
import socket
from dataclasses import dataclass, field
from typing import Any

AGENT_SECONDS = 8.0
MAGIC = b"openssh-key-v1\0"


@dataclass(slots=True)
class UserKeys:
    """The keys for one login."""

    usable: list[tuple[str, Any]] = field(default_factory=list)  # (name for people, paramiko's key)
    encrypted: list[str] = field(default_factory=list)  # files that no agent holds
    unusable: list[str] = field(default_factory=list)  # files, each with the reason
    agent: Any = None  # the caller closes it

    @property
    def tried(self) -> str:
        """For people."""
        return ", ".join([*(name for name, _ in self.usable), *self.unusable]) or "no key, for there is none"


def is_encrypted(path: str) -> bool:
    """Return whether a private key takes a passphrase. Raises OSError."""
    with open(path, "rb") as opened:
        text = opened.read(1 << 16)
    inner = _inner(text)
    if inner is not None:
        return _string(inner, len(MAGIC))[0] != b"none"
    return b"ENCRYPTED" in text


def public_half(path: str) -> bytes:
    """Return the public key of a private key's file, or of a ``.pub`` file; b"" if it cannot be read."""
    text = _beginning(path)
    try:
        inner = _inner(text)
    except ValueError:
        inner = None
    if inner is not None:
        place = len(MAGIC)
        for _ in range(3):
            _, place = _string(inner, place)
        return _string(inner, place + 4)[0]
    return _of_public_file(text) or _of_public_file(_beginning(path + ".pub"))


def collect(files: list[str], named: bool, only_these: bool, agent_path: str) -> UserKeys:
    """Return the keys to show; `named`: the config names these files, they are not the default ones."""
    import paramiko

    keys = UserKeys()
    files = list(dict.fromkeys(files))
    halves = {path: public_half(path) for path in files}
    held = []
    if agent_path:
        keys.agent = _agent(agent_path)
        held = [(key.asbytes(), key) for key in keys.agent.get_keys()] if keys.agent is not None else []
    mine = [(blob, key) for blob, key in held if blob in halves.values()]
    others = [] if only_these else [(blob, key) for blob, key in held if blob not in halves.values()]
    keys.usable += [(f"the agent's key {key.comment or key.get_name()}", key) for _, key in mine + others]
    for path in files:
        if halves[path] and any(halves[path] == blob for blob, _ in held):
            continue
        if halves[path] and _is_only_public(path):
            if named:
                keys.unusable.append(f"{shown(path)} (only the public half is here, and no agent holds the key)")
            continue
        try:
            if is_encrypted(path):
                keys.encrypted.append(shown(path))
            else:
                keys.usable.append((shown(path), paramiko.PKey.from_path(path)))
        except OSError as error:
            if named or not isinstance(error, FileNotFoundError):
                keys.unusable.append(f"{shown(path)} ({error.strerror})")
        except Exception as error:  # the library raises much for a file that is no key
            keys.unusable.append(f"{shown(path)} ({str(error) or type(error).__name__})"[:200])
    return keys


def _is_only_public(path: str) -> bool:
    return not os.path.exists(path) or _of_public_file(_beginning(path)) != b""


def _beginning(path: str) -> bytes:
    try:
        with open(path, "rb") as opened:
            return opened.read(1 << 16)
    except OSError:
        return b""


def _of_public_file(text: bytes) -> bytes:
    """Return the key in a line ``TYPE KEY COMMENT``; b"" if that is none."""
    try:
        kind, key = text.split()[:2]
        blob = base64.b64decode(key, validate=True)
    except (ValueError, IndexError):
        return b""
    return blob if _string(blob, 0)[0] == kind else b""


def shown(path: str) -> str:
    """Return a path with ~ for the home directory."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path.startswith(home + "/") else path


def _inner(text: bytes) -> bytes | None:
    if b"BEGIN OPENSSH PRIVATE KEY" not in text:
        return None
    inner = base64.b64decode(b"".join(line for line in text.split() if b"-" not in line and len(line) > 8))
    if not inner.startswith(MAGIC):
        raise ValueError("not an OpenSSH key")
    return inner


def _string(data: bytes, place: int) -> tuple[bytes, int]:
    length = int.from_bytes(data[place : place + 4], "big")
    return data[place + 4 : place + 4 + length], place + 4 + length


def _agent(path: str) -> Any:
    """Return a connection to the agent; None if nobody answers."""
    import paramiko.agent

    class Agent(paramiko.agent.AgentSSH):  # type: ignore[misc]
        def close(self) -> None:
            self._close()

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(AGENT_SECONDS)
    agent = Agent()
    try:
        connection.connect(path)
        agent._connect(connection)  # paramiko's public Agent knows only SSH_AUTH_SOCK, not IdentityAgent
    except Exception:  # a stale socket, or something that is no agent
        connection.close()
        return None
    return agent
