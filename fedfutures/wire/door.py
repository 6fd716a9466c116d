"""The frames of standing Federations, and of hosts whose number of Workers changes.

They are control frames as those in :mod:`.control`, which lists all of them.
"""

from __future__ import annotations

from typing import Any

from ..lazy_dataclass import dataclass, field

Signed = int
"""A number that may be below 0; a plain `int` may not."""
Text = str
"""A text of any length; a plain `str` is a name of at most ``MAX_NAME_CHARACTERS``."""


@dataclass(slots=True)
class ResizeHost:
    """Launching side or host server to host process: have so many Workers from now on.

    Workers start at once; those that are too many finish what they run, and end.
    """

    workers: int
    size: int = 0  # Workers of the whole Federation; 0: as before


@dataclass(slots=True)
class WorkersWanted:
    """Broker to host process: so many Workers of this Broker could have something to run now."""

    broker: str
    count: int
    more: int = 0  # beyond the slots of the host; about so many


@dataclass(slots=True)
class ResizeRun:
    """Origin to connector: the run is to have so many Workers, on all hosts together."""

    workers: int


@dataclass(slots=True)
class RunReport:
    """Host process of a joined run to the host server: so many Workers it has, and could use. Answered by ResizeHost.

    The first one enters the run in the host server's allotment, and the end of the connection takes it out.
    """

    run: str  # its name: unique, and the same at each report
    wanted: int
    workers: int  # that live, those that are ending included
    told: int  # how many ResizeHosts have come on this connection
    program: Text = ""  # what runs, for people


@dataclass(slots=True)
class StatusWanted:
    """Whoever comes to the door of a host server, to it: what is there? Answered by ``ServerStatus``."""


@dataclass(slots=True)
class ServerStatus:
    """Host server to whoever asks, keeper to who has started it: what there is. A keeper is ready when it says so."""

    status: dict[str, Any]  # the fields of standing.status.Status


@dataclass(slots=True)
class StartHost:
    """Origin to host server: start a host process for me. Its standard streams come along.

    Answered by ``HostStarted``, or by ``StartRefused``.
    """

    identity: dict[str, str]  # of the Origin's interpreter: where the host server's is another one, it runs `command`
    command: dict[str, str]  # its words, by their places
    environment: dict[str, str]
    directory: Text  # "": the host server's own
    umask: int
    descriptors: list[int] = field(default_factory=list)  # come along, too, and keep these numbers


@dataclass(slots=True)
class HostStarted:
    """Host server to Origin: the host process runs."""

    pid: int


@dataclass(slots=True)
class HostProcessEnded:
    """Host server to Origin: the host process that it has started for it has ended, and was reaped."""

    code: Signed  # its exit code, or a signal's number below 0


@dataclass(slots=True)
class BeginServer:
    """Who starts a keeper to it: serve. Answered by ``ServerStatus`` or ``StartRefused``."""

    place: Text  # the directory that records the standing Federation
    options: dict[str, Any]  # the fields of standing.recipe.Recipe


@dataclass(slots=True)
class EndServer:
    """Whoever takes a standing Federation down to its keeper: end everything. The end of the connection answers."""

    reason: Text


@dataclass(slots=True)
class WithdrawWorker:
    """Host process to Worker: you are one too many; take nothing new, finish what runs, and end."""

    stays: bool = False  # no longer so: go on, unless you have left


@dataclass(slots=True)
class FederationSize:
    """Host process to its Workers: the whole Federation has so many Workers from now on."""

    workers: int


@dataclass(slots=True)
class OpenSession:
    """A program's connector to the keeper's, that to the host server: run a command line on this host, as ssh would.

    At the keeper's connector ``HostStarted`` or ``StartRefused`` answers, and then the connection has the standard
    input and output of what runs there. To the host server these are the stream.
    """

    stream: int  # even; 0: not numbered yet
    host: str
    command: Text  # "": fork a host process, as that command line would have been the host server's own


@dataclass(slots=True)
class ServerReady:
    """Host server to keeper's connector: programs may come. Sent again when the connector has come back."""

    directory: Text  # private; has the door to come back
    pid: int


@dataclass(slots=True)
class AddHost:
    """Whoever adds a host to the keeper, that to its connector: log in to it. Answered by ``HostAdded``."""

    spec: dict[str, Any]  # the fields of fedfutures_launcher.hosts.spec.HostSpec
    request: dict[str, Any] = field(default_factory=dict)  # for the first connector, if the keeper has had none


@dataclass(slots=True)
class HostAdded:
    """Keeper's connector to keeper to whoever has added a host: it serves, or cannot."""

    host: str
    workers: int  # that may live there, of all programs together
    problem: Text = ""  # why it cannot be used, and what to do; "": it can


@dataclass(slots=True)
class RemoveHost:
    """Whoever removes a host to the keeper, to its connector, to the host server: leave, when what runs is done.

    Answered by ``HostRemoved``; the host server sends ``HostLeaves``.
    """

    host: str
    seconds: int  # what runs may take so long


@dataclass(slots=True)
class HostRemoved:
    """Keeper's connector to keeper to whoever has removed a host: it has left, or will."""

    host: str
    problem: Text = ""  # it is none of the hosts, or is not reached


@dataclass(slots=True)
class WatchHosts:
    """A program's connector to the keeper's: which hosts are there? Answered by ``HostStarted`` and ``HostsThere``."""


@dataclass(slots=True)
class HostsThere:
    """Keeper's connector to a program's: these hosts can be joined. Sent again when there are others."""

    hosts: dict[str, Any]  # by name: "spec", as that of ``AddHost``, and "workers", how many may live there


@dataclass(slots=True)
class HostComes:
    """A host to the keeper's connector: I come by myself. Answered by ``OpenSession`` or ``StartRefused``.

    What the former says runs on the host, with the rest of the connection as its standard input and output. Its
    `stream` is 0 where that is a host server, 2 where it comes back to the one that runs.
    """

    host: str
    life: str  # the same each time that it comes; another host of the same name has another one
    workers: int  # that may live there; 0: one for each processor
    python: Text  # the interpreter that has fedfutures
    key: Text = ""  # the fingerprint of the key by which it has come; the bridge says so


@dataclass(slots=True)
class MoreWanted:
    """Host process to a program's connector, that to the keeper's, that to the keeper: more Workers are wanted.

    Each sums up what it hears, and says it again when that has changed.
    """

    count: int  # beyond those that there may be on the hosts of today; about so many


@dataclass(slots=True)
class SlotsWanted:
    """Host server to keeper's connector to keeper: programs could use so many of its slots; said when it is news."""

    host: str
    count: int


@dataclass(slots=True)
class RevokeKey:
    """Who revokes a key to the keeper, to its connector: end what has come with it. Answered by ``KeyRevoked``."""

    key: Text  # its fingerprint


@dataclass(slots=True)
class KeyRevoked:
    """Keeper's connector to keeper, to who has revoked a key: so many connections were ended."""

    key: Text
    connections: int
