"""The CURVE key pair of a Broker, and whether this machine's ZeroMQ can be trusted with one.

The secret half never leaves the process: no file, argument, environment or message holds it, nor does ``repr`` show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import zmq

from ..errors import StartFailed

OLDEST = (4, 3, 5)
"""The oldest libzmq whose CURVE and ZAP do what :mod:`.remote` relies on."""


@dataclass(slots=True, frozen=True)
class Keys:
    """Both halves in Z85, ZeroMQ's own text form of 32 bytes."""

    public: str
    secret: bytes = field(repr=False)


def make_keys() -> Keys:
    """Draw a key pair; raise :class:`StartFailed` where ZeroMQ is too old or cannot encrypt."""
    version = zmq.zmq_version_info()
    if version < OLDEST or not zmq.has("curve"):
        number = ".".join(map(str, version))
        raise StartFailed(
            f"links between hosts need libzmq {'.'.join(map(str, OLDEST))} or newer with CURVE encryption; here is "
            f"{number} {'with' if zmq.has('curve') else 'without'} it. Try: pip install --upgrade pyzmq"
        )
    public, secret = zmq.curve_keypair()
    return Keys(public.decode(), secret)


def is_key(text: object) -> bool:
    """Whether this is a public key.

    >>> is_key("x" * 40), is_key("short"), is_key(None)
    (True, False, False)
    """
    return type(text) is str and len(text) == 40 and _Z85.issuperset(text)


_Z85 = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
