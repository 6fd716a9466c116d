"""The settings that the launching side sends a host process first, in the frame ``BeginHost``.

Not in argv, which anyone may read, nor in the environment, which all tasks inherit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..errors import RemoteProtocolError
from ..wire.control import BeginHost


@dataclass(slots=True)
class Settings:
    """Everything a host process needs to know."""

    host: str  # its name in prefixes and errors
    workers: int
    size: int  # Workers of the whole Federation
    program: tuple[str, str] | None = None  # ("file", path) or ("module", name): what Workers may import
    argv: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)  # sys.path of the Origin
    directory: str | None = None  # working directory
    directory_needed: bool = True  # Workers do not start without it; else they stay where they are
    nice: int = 0
    environment: dict[str, str] = field(default_factory=dict, repr=False)  # more variables of the Workers
    threads: int = 1  # for BLAS and OpenMP, where the user has set nothing
    initializer: bytes | None = None  # the payload of (function, arguments)
    max_tasks_per_child: int | None = None
    profile: str | None = None  # directory for profiles
    debug: bool = False
    verbosity: int = 0
    brokers: int = 1
    dials: list[list[int]] = field(default_factory=list)  # (parent, child): which Broker of this host dials which
    far_address: str | None = None  # where Brokers bind for neighbours on other hosts; None: nowhere
    grace: float = 0.0  # how long the host goes on, in seconds, when the launching side is not heard
    departure: float = 30.0  # how long, in seconds, what runs on a Worker may take when the Worker is told to end
    seal: bytes | None = field(default=None, repr=False)  # the run's key for sealing tasks; Brokers let go of it
    authkey: bytes = field(default=b"", repr=False)  # that of the program's multiprocessing; Brokers let go of it
    flags: list[str] = field(default_factory=list)  # of the program's interpreter
    unbuffered: bool = False  # python -u
    descriptors: list[int] = field(default_factory=list)  # that the host process inherits for the initializer
    shadowed: list[str] = field(default_factory=list)  # what the host process has loaded and the program has, too
    code: bool = False  # the program and its modules come from the Origin
    beside: list[str] = field(default_factory=list)  # modules that stand beside the program there
    directories: list[str] = field(default_factory=list)  # (run, shared, disk) of a host process that was killed
    neighbours: list[list[str]] = field(default_factory=list)  # on other hosts, of each Broker; empty: not known
    has_door: bool = False  # the connector comes to it: the host process beside the program, in runs with other hosts
    hosts: int = 1  # that have Workers, in the whole Federation
    life: int = 0  # how often the host process was started again
    in_job: bool = False  # of a batch system, which ends a run on all hosts at once
    memory_per_worker: int = 0  # how many bytes each may use, with all that it has started; 0: any number
    server: str = ""  # where the host server listens that says how many Workers this run has; "": all of them
    place: str = ""  # where the standing Federation is recorded; this host process starts its keeper again
    min_workers: int = 0  # so many are always there, and up to `workers` when they are wanted; 0: all of them are
    template: bool = False  # Workers are forked from a process that has imported the program, where that is safe
    preload: list[str] = field(default_factory=list)  # modules that such a process imports, whatever the program does
    joined: bool = False  # from another machine, to a standing Federation: Brokers say what they could use
    stand_ins: list[list[str]] = field(default_factory=list)  # pairs: an import of the first gets the second
    hides_arguments: bool = False  # texts of calls are without them, in errors and in what is said of the run
    records: bool = False  # Workers note the calls that they make from the first one on: somebody will ask
    serves: bool = False  # this is no run: a host server with so many slots as `workers` says

    @property
    def is_elastic(self) -> bool:
        """Whether the number of Workers follows what the run could use; `workers` is the most then."""
        return bool(self.server or self.min_workers or self.joined)

    def count_workers(self, size: int, hosts: int) -> None:
        """Set the number of Workers of the whole Federation, and of hosts that have some."""
        self.size, self.hosts = size, hosts

    def forget_secrets(self) -> None:
        """Drop the keys: a process that routes tasks must not be able to forge them."""
        self.seal, self.authkey = None, b""


def frame_of(settings: Settings) -> BeginHost:
    """Return the frame that carries settings."""
    return BeginHost(asdict(settings))


def settings_from(values: dict[str, Any]) -> Settings:
    """Return the settings from a frame's fields; raise RemoteProtocolError for unknown, missing and wrong ones."""
    try:
        program = values["program"]
        settings = Settings(**values | {"program": tuple(program) if program else None})
    except (KeyError, TypeError) as error:
        raise RemoteProtocolError(f"settings: {error}") from None
    for one in fields(Settings):
        if not _IS[str(one.type)](getattr(settings, one.name)):
            raise RemoteProtocolError(f"settings: {one.name} has a bad value")
    return settings


def _list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is list and set(map(type, value)) <= {kind}


_IS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: type(value) is str,
    "str | None": lambda value: value is None or type(value) is str,
    "int": lambda value: type(value) is int,
    "int | None": lambda value: value is None or type(value) is int,
    "float": lambda value: type(value) in (int, float),
    "bool": lambda value: type(value) is bool,
    "bytes": lambda value: type(value) is bytes,
    "bytes | None": lambda value: value is None or type(value) is bytes,
    "list[str]": _list_of(str),
    "list[int]": _list_of(int),
    "list[list[int]]": lambda value: _list_of(list)(value) and all(map(_list_of(int), value)),
    "list[list[str]]": lambda value: _list_of(list)(value) and all(map(_list_of(str), value)),
    "dict[str, str]": lambda value: type(value) is dict and _list_of(str)([*value, *value.values()]),
    "tuple[str, str] | None": lambda value: value is None or [type(one) for one in value] == [str, str],
}
"""By the annotation of a field, what must be true of its value."""
