"""PBS's and Torque's ``pbsdsh``: a task of the job on one of its nodes. Source: pbsdsh(1) of OpenPBS and of Torque.

It passes no streams: the task reads nothing, and what it writes goes to the job's output. So the host comes to a
meeting (:mod:`.meeting`). It has not run on a real cluster yet: the tests have a stand-in that does as the page says.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..hosts.schedulers.pbs import entries_of
from ..ssh.configuration import Unusable
from ..ssh.texts import failures
from .launcher import SHELL, Launcher

NODES = "PBS_NODEFILE"
_COUNT = re.compile(r"[\[:]")
"""What stands behind the host in an entry: a vnode's number, or a count."""


class Pbsdsh(Launcher):
    """``-n``: the place of the node in the job's file of nodes, from 0; a node stands there once for each processor.

    By hand a shell joins the words and reads them, as with ssh; what they print is in the output of the job.
    """

    name = "pbsdsh"
    scheduler = "PBS"
    is_tried = False
    passes_streams = False

    def words(self, host: str, command: str, environ: Mapping[str, str], answer: str = "") -> list[str]:
        """As that of :class:`Launcher`."""
        return ["pbsdsh", "-n", str(_index(host, environ)), "--", *SHELL, command]

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        program = shlex.quote(f'$1=="{host.partition(".")[0]}"{{print NR-1;exit}}')
        return f"""pbsdsh -n "$(awk -F'[.:[]' {program} "${NODES}")" --{failures.IN_A_SHELL}"""


def place_of(host: str, nodes: Sequence[str]) -> int | None:
    """Return the first place of a host among nodes; a name without its domain counts if no full one is the same.

    >>> place_of("n2", ["n1.hpc", "n1.hpc", "n2.hpc[0]"]), place_of("n2.hpc", ["n2", "n1"]), place_of("n", ["n1"])
    (2, 0, None)
    """
    names = [_COUNT.split(node)[0] for node in nodes]
    if host in names:
        return names.index(host)
    found = host.partition(".")[0]
    alike = (
        place
        for place, name in enumerate(names)
        if name.partition(".")[0] == found and not ("." in name and "." in host)
    )
    return next(alike, None)


def _index(host: str, environ: Mapping[str, str]) -> int:
    if NODES not in environ:
        raise Unusable(failures.NOT_IN_JOB(host, variable=NODES))
    try:
        nodes = entries_of(Path(environ[NODES]).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(failures.NODES_UNREADABLE(host, str(error), file=environ[NODES])) from None
    if (place := place_of(host, nodes)) is None:
        raise Unusable(failures.NOT_OF_JOB(host, file=environ[NODES]))
    return place
