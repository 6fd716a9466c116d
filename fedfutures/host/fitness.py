"""Whether a run can be served on this host: looked at before its settings come, so the table of hosts can say so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from ..wire.control import Probe, ProbeReply
from .directories import Hold


def answer_to(probe: Probe) -> ProbeReply:
    """Return the answer to a probe.

    >>> answer_to(Probe()), answer_to(Probe("/nowhere")).missing
    (ProbeReply(missing='', unusable='', versions={}, login=''), '/nowhere')
    """
    if not probe.directory:
        return ProbeReply()
    is_there = os.path.isdir(probe.directory) and os.access(probe.directory, os.X_OK)
    missing = "" if is_there else probe.directory
    return ProbeReply(missing, why_unusable(), versions_of(probe.packages), login())


def login() -> str:
    """Return what only those processes say alike that came to one user of one machine by one ssh server.

    Machines made from one image may have one name and one address, and hosts in namespaces have one kernel.
    """
    server = os.environ.get("SSH_CONNECTION", "").split()[2:]
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        return " ".join([boot, os.uname().nodename, str(os.getuid()), *server]) if server else ""
    return ""


def why_unusable() -> str:
    """Return why the private directories of a run cannot be made here, "" if they can: they are made and removed."""
    hold = Hold([])
    try:
        hold.add_all([], lasting=False)
    except OSError as error:
        return f"{os.path.dirname(error.filename) if error.filename else 'TMPDIR'}: {error.strerror or error}"
    finally:
        hold.remove_if_last(0.0)
    return ""


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed here.

    >>> sorted(versions_of(["msgpack", "no-such-package"]))
    ['msgpack']
    """
    found: dict[str, str] = {}
    if not packages:
        return found
    from importlib import metadata  # loads much, and most programs import no packages

    for name in packages:
        try:
            found[name] = str(metadata.version(name))
        except Exception:  # it is not there, or its metadata is broken
            continue
    return found
