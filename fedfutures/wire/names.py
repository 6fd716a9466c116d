"""What the name of a Broker or of a segment means; no other module reads that off a name. Pure."""

from __future__ import annotations

_BROKER = ".broker"
_STAND_IN = ".s"
_FREE = "free-"
_LIVE = "live"
OF_USER = "file-"
"""How the names of segments begin that are files of the user's, or copies of them."""
SEGMENT_CHARACTERS_AT_MOST = 200
HOST_BYTES_IN_NAMES = 200
"""An Origin whose host has a longer name leaves it out of its own: keys name Origins in 255 bytes."""


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


def origin_name(process: str, broker: str) -> str:
    """Return the name of an Origin: it says the host of the Origin's Broker, unless that is very long.

    >>> origin_name("7-ab", "tower.lab.broker2"), origin_name("7-ab", "h" * 201 + ".broker")
    ('origin-7-ab@tower.lab', 'origin-7-ab')
    """
    host = host_of(broker)
    return f"origin-{process}@{host}" if 0 < len(host.encode()) <= HOST_BYTES_IN_NAMES else f"origin-{process}"


def is_origin(name: str) -> bool:
    """Whether a node is an Origin, by its name: the numbers of Futures that it submits are those of the program.

    >>> is_origin("origin-7-ab@tower.lab"), is_origin("tower.lab.1")
    (True, False)
    """
    return name.startswith("origin-")


def host_of_node(node: str) -> str:
    """Return the host of an Origin or a Worker; "" where its name does not say it.

    >>> host_of_node("origin-7-ab@tower.lab"), host_of_node("tower.lab.1+2"), host_of_node("origin-7-ab")
    ('tower.lab', 'tower.lab', '')
    """
    return node.partition("@")[2] or node.rpartition(".")[0]


def stand_in_name(host: str, number: int) -> str:
    """Return the name of a Worker that stands in for one in which Futures wait; numbers begin at 1.

    >>> stand_in_name("h-2", 3), is_stand_in("h-2.s3"), is_stand_in("h-2.3+1"), is_stand_in("my.sun.1")
    ('h-2.s3', True, False, False)
    """
    return f"{host}{_STAND_IN}{number}"


def is_stand_in(worker: str) -> bool:
    """Whether a Worker is one that stands in."""
    return worker[worker.rfind(".") :].startswith(_STAND_IN)


def is_segment(name: str) -> bool:
    """Whether this may be the name of a segment: of a file in one directory that is not free.

    >>> [name for name in ("h.1-7", "", ".part", "a/b", "..", "free-9-x", "x" * 201, "\\ud800") if is_segment(name)]
    ['h.1-7']
    """
    fits = 0 < len(name) <= SEGMENT_CHARACTERS_AT_MOST
    fits = fits and not name.startswith((".", _FREE)) and "/" not in name and "\0" not in name
    return fits and (name.isascii() or _may_name_a_file(name))


def _may_name_a_file(name: str) -> bool:
    try:
        return bool(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return False


def segment_name(maker: str, chance: bytes, *, live: bool = False) -> str:
    """Return the name of a new segment; with the bytes of `chance`, nobody can guess it.

    >>> maker_of(segment_name("h-2.1+3", b"12345678")), segment_name("h.1", b"1", live=True)
    ('h-2.1+3', 'h.1-live31')
    """
    return f"{maker}-{_LIVE if live else ''}{chance.hex()}"


def is_live(segment: str) -> bool:
    """Whether all who have this segment may write to it, and see what the others write.

    >>> is_live("h.1-live31"), is_live("live-31")
    (True, False)
    """
    return segment.rpartition("-")[2].startswith(_LIVE)


def maker_of(segment: str) -> str:
    """Return which process has made a segment."""
    return segment.rpartition("-")[0]


def is_user_file(name: str) -> bool:
    """Whether this segment is a file of the user's, or a copy of one.

    >>> is_user_file("file-0123.npy"), is_user_file("h.1-7")
    (True, False)
    """
    return name.startswith(OF_USER)


def free_name(size: int, name: str) -> str:
    """Return the name of a free file: nobody needs it, and anybody may write it anew.

    >>> free_size(free_name(4096, "h.1-7")), free_size("h.1-7")
    (4096, None)
    """
    return f"{_FREE}{size}-{name}"


def free_size(name: str) -> int | None:
    """Return how many bytes a free file has; None: this is none."""
    return int(name.split("-")[1]) if name.startswith(_FREE) else None
