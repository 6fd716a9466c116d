"""Whether a file is this user's alone: only then anything that it has is unpickled."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from ..errors import CheckpointRefused

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def refuse_others(path: str, found: os.stat_result, *, directory: bool = False) -> None:
    """Raise CheckpointRefused unless this user owns a regular file (or directory), and nobody else may write it."""
    whole = stat.S_ISDIR(found.st_mode) if directory else stat.S_ISREG(found.st_mode)
    if not whole:
        raise CheckpointRefused(f"checkpoint {path}: it is no {'directory' if directory else 'regular file'}")
    if found.st_uid != os.geteuid():
        raise CheckpointRefused(
            f"checkpoint {path}: it belongs to user {found.st_uid}, and what it has would run as you; "
            f"use a file of your own"
        )
    if found.st_mode & _OTHERS:
        raise CheckpointRefused(
            f"checkpoint {path}: others may write it (mode {stat.S_IMODE(found.st_mode):o}), and what they write would "
            f"run as you; if you trust what it has: chmod go-w {path}"
        )


def refuse_existing(path: str, *, directory: bool = False) -> bool:
    """Return whether something has that name; raise CheckpointRefused if it is not this user's alone."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CheckpointRefused(f"checkpoint {path}: {error.strerror}") from None
    refuse_others(path, found, directory=directory)
    return True


def open_ours(path: str) -> BinaryIO:
    """Open a file to read it: not by a link, and only if it is this user's alone; raise OSError."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    try:
        refuse_others(path, os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def create_ours(path: str, flags: int = 0) -> int:
    """Make a file that only this user may read and write; return its descriptor."""
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
