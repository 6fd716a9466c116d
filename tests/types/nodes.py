"""The three nodes have what the face needs of one (not for users)."""

from __future__ import annotations

from fedfutures.futures.node import AnyNode
from fedfutures.futures.serial import Serial
from fedfutures.worker.origin import Origin
from fedfutures.worker.worker import Worker


def nodes(origin: Origin, worker: Worker, serial: Serial) -> list[AnyNode]:
    return [origin, worker, serial]
