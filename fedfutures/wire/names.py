"""What a name means: of a Broker, or of a file that payloads lie in. Nobody else reads it off a name. Pure."""

from __future__ import annotations

_BROKER = ".broker"
_FREE = "free-"
OF_USER = "file-"
"""How segments begin that are files of the user's, or copies of them."""
SEGMENT_CHARACTERS_AT_MOST = 200


def broker_name(host: str, index: int) -> str:
    """Return the name of a Broker of a host; indices begin at 0.

    >>> broker_name("h", 0), broker_name("h", 1)
    ('h.broker', 'h.broker2')
    """
    return f"{host}{_BROKER}" + (str(index + 1) if index else "")


def host_of(broker: str) -> str:
    """Return the host of a Broker.

    >>> host_of("h"), host_of("h.broker"), host_of("h.broker2")
    ('h', 'h', 'h')
    """
    return broker.rpartition(_BROKER)[0] or broker


def is_segment(name: str) -> bool:
    """Whether this may be the name of a segment: of a file in one directory that somebody needs.

    >>> [name for name in ("h.1-7", "", ".part", "a/b", "..", "free-9-x", "x" * 201) if is_segment(name)]
    ['h.1-7']
    """
    if not 0 < len(name) <= SEGMENT_CHARACTERS_AT_MOST or name[0] == "." or "/" in name or "\0" in name:
        return False
    return not name.startswith(_FREE)


def is_user_file(name: str) -> bool:
    """Whether this segment is a file of the user's, or a copy of one.

    >>> is_user_file("file-0123.npy"), is_user_file("h.1-7")
    (True, False)
    """
    return name.startswith(OF_USER)


def free_name(size: int, name: str) -> str:
    """Return the name of a file that nobody needs any more and that is to be written anew.

    >>> free_size(free_name(4096, "h.1-7")), free_size("h.1-7")
    (4096, None)
    """
    return f"{_FREE}{size}-{name}"


def free_size(name: str) -> int | None:
    """Return how many bytes a file has that is to be written anew; None: this is none."""
    return int(name.split("-")[1]) if name.startswith(_FREE) else None
