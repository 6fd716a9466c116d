"""What the launching side writes into a file for a host that is to come by itself (:mod:`.meeting`)."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass

WELCOME = b"+"
"""What the launching side answers to the right secret."""
AT_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the launching side says in its file; the first line of that is this as JSON."""

    addresses: list[str]
    names: list[str]
    port: int
    certificate: str  # PEM
    secret: str

    @classmethod
    def read(cls, path: str) -> Invitation:
        """Return what a file has. It must be this user's own, and nobody else's to read. Raises OSError, ValueError."""
        descriptor = os.open(os.path.expanduser(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if state.st_uid != os.geteuid() or state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ValueError(f"{path} is not this user's alone")
            facts = json.loads(file.readline(AT_MOST_BYTES))
        try:
            return cls(**facts)
        except TypeError as error:
            raise ValueError(f"{path} is no invitation: {error}") from None
