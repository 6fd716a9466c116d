"""What the launching side tells a host process before all else: the fields of the frame ``BeginHost``.

They travel this way and no other: not in argv, which anyone may read, nor in the environment, which all tasks inherit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import RemoteProtocolError
from ..wire.control import BeginHost


@dataclass(slots=True)
class Settings:
    """Everything a host process needs to know."""

    host: str  # the name in prefixes and errors
    workers: int
    size: int  # Workers of the whole Federation
    program: tuple[str, str] | None = None  # ("file", path) or ("module", name): what Workers may import
    argv: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)  # sys.path of the Origin
    directory: str | None = None  # working directory
    directory_needed: bool = True  # else Workers stay where they are if there is none of this name
    nice: int = 0
    threads: int = 1  # for BLAS and OpenMP, where the user has set nothing
    initializer: bytes | None = None  # payload of (function, arguments)
    max_tasks_per_child: int | None = None
    profile: str | None = None  # directory for profiles
    debug: bool = False
    verbosity: int = 0
    brokers: int = 1
    dials: list[list[int]] = field(default_factory=list)  # (parent, child): which Broker of this host dials which
    far_address: str | None = None  # where Brokers bind for neighbours on other hosts; None: nowhere
    grace: float = 0.0  # how long the host goes on, in seconds, when the launching side is not heard
    seal: bytes | None = field(default=None, repr=False)  # the run's key for sealing tasks; Brokers let go of it
    authkey: bytes = field(default=b"", repr=False)  # that of the program's multiprocessing; Brokers let go of it
    flags: list[str] = field(default_factory=list)  # of the program's interpreter
    unbuffered: bool = False  # python -u
    descriptors: list[int] = field(default_factory=list)  # that the host process inherits for the initializer
    shadowed: list[str] = field(default_factory=list)  # what the host process has loaded and the program has, too
    code: bool = False  # the program and its modules come from the Origin
    beside: list[str] = field(default_factory=list)  # modules that stand beside the program there

    def count_workers(self, size: int) -> None:
        """Learn how many Workers the whole Federation has."""
        self.size = size

    def forget_secrets(self) -> None:
        """Let go of the keys: who routes tasks is not to be able to forge them."""
        self.seal, self.authkey = None, b""


def frame_of(settings: Settings) -> BeginHost:
    """Return the frame that carries settings."""
    return BeginHost(asdict(settings))


def settings_from(values: dict[str, Any]) -> Settings:
    """Return the settings that a frame held; raise RemoteProtocolError for others than there are."""
    try:
        program = values["program"]
        return Settings(**values | {"program": tuple(program) if program else None})
    except (KeyError, TypeError) as error:
        raise RemoteProtocolError(f"settings: {error}") from None
