"""The addresses of other systems, read as standing Federations. Pure.

``PYRO:worker@node7:21000`` and ``node7:21000`` were sockets of servers. Here the host is reached by ssh, or is this
one, and the port is the name of a standing Federation there; where there is no port, the name before the ``@`` is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_PYRO = re.compile(r"PYRO(?:NAME)?:(?P<name>[^@\s]+)(?:@(?P<rest>\S+))?", re.IGNORECASE)
_HERE = ("localhost", "127.0.0.1", "::1", "")


class Address(NamedTuple):
    """Where a standing Federation is."""

    host: str  # as ssh takes it; "" is this machine
    name: str  # of the Federation there

    @property
    def word(self) -> str:
        """What ``Executor(join=)`` and ``--join`` take."""
        return f"{self.host}:{self.name}" if self.host else self.name

    @property
    def command(self) -> str:
        """The command that starts it, to be pasted."""
        up = f"python -m fedfutures up {self.name}"
        return f"ssh {self.host} {up}" if self.host else up


def read(text: str, usual: str, here: tuple[str, ...] = ()) -> Address:
    """Return the address of a text; `usual` is the name where it says none, `here` are other names of this machine.

    Raises ``TypeError`` for what is no text, and ``ValueError`` for one that is no address.

    >>> read("PYRO:worker@localhost:21000", "w"), read("ann@node7:60000", "w").word, read("node7", "60000").word
    (Address(host='', name='21000'), 'ann@node7:60000', 'node7:60000')
    """
    if not isinstance(text, str):
        raise TypeError(f"an address is a text such as host:port, not {text!r}")
    pyro = _PYRO.fullmatch(text.strip())
    rest, name = (pyro["rest"] or "", pyro["name"]) if pyro else (text.strip(), usual)
    host, colon, port = rest.rpartition(":") if ":" in rest else (rest, "", "")
    if (colon and not port) or " " in rest or (not pyro and not rest):
        raise ValueError(f"{text!r} is no address; one is host:port, or PYRO:name@host:port")
    bare = host.strip("[]").lower()
    return Address("" if bare in (*_HERE, *here) else host, port or name)
