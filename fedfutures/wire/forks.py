"""Control frames (:mod:`.control`) between a host process and its template, from which it has Workers forked."""

from __future__ import annotations

from typing import Any

from ..lazy_dataclass import dataclass
from .door import Text


@dataclass(slots=True)
class TemplateReady:
    """Template to host process: I have imported the program; fork Workers from me, or, if that is unsafe, I end."""

    unsafe: Text = ""  # why, if it is


@dataclass(slots=True)
class ForkWorker:
    """From the host process to its template: fork this Worker, whose descriptors come along, or say why not."""

    name: str
    facts: dict[str, Any]  # of the host and the Broker
    box: int  # which of the crash cells that were made before the template
    workers: int  # of this host
    size: int  # Workers of the whole Federation


@dataclass(slots=True)
class WorkerForked:
    """Worker to host process, by the socket of the template: I have become your child."""

    name: str
    pid: int
    why: Text = ""  # there is no such Worker, for this reason
