"""Origin and Worker without processes: their sockets are lists, and the test plays the Broker."""

from __future__ import annotations

import os
from collections import deque
from typing import Any

from fedfutures.federation.channel import Channel
from fedfutures.host.crash_cells import TOLD
from fedfutures.wire import codec
from fedfutures.wire.control import ControlFrame
from fedfutures.wire.framing import pack
from fedfutures.wire.messages import (
    PROTOCOL,
    Batch,
    Function,
    Hello,
    State,
    Welcome,
)
from fedfutures.worker.files import Files
from fedfutures.worker.importing import Answers


class Wire:
    """A socket whose other end is the test."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.fd, self._other = os.pipe()
        self.inbox: deque[bytes] = deque()
        self.sent: list[bytes] = []

    def receive(self) -> bytes | None:
        return self.inbox.popleft() if self.inbox else None

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._other)


class Bench:
    """A node, and the Broker at the other end of its sockets."""

    def __init__(self, made: Any, pipe: int = -1) -> None:
        self.node, self.pipe = made, pipe
        self.main = made.driver.main
        self.greeter = 0
        self.node.service()
        self.link(5)

    def link(self, session: int) -> None:
        self.channel = Channel(session)
        self.say(Welcome(PROTOCOL, "b", session, session, self._greeter()))
        self.heard()

    def _greeter(self) -> int:
        """What the last Hello of the node is answered with."""
        for frame in self.main.sent:
            for *_, message in codec.decode_all(frame):
                if type(message) is Hello:
                    self.greeter = message.incarnation + message.round
        return self.greeter

    def arrive(self, *said: Any) -> None:
        """Put messages of the Broker where the node will find them."""
        for message in said:
            self.main.inbox.append(codec.encode(message, *self.channel.number(message, 0.0)))

    def say(self, *said: Any) -> None:
        self.arrive(*said)
        self.node.service()

    def publish(self, number: int, unmet: int) -> None:
        self.node.driver.meta.inbox.append(codec.encode(State(5, number, unmet, 0, 3), 0, 0))
        self.node.service()

    def order(self, *frames: ControlFrame) -> None:
        """Send a Worker frames of its host process."""
        for frame in frames:
            os.write(self.pipe, pack(frame))
            self.node.cells[TOLD] += 1

    def heard(self, *kinds: type) -> list[Any]:
        """What the node has said since the last time; of some kinds, or all."""
        self._greeter()
        frames, self.main.sent = self.main.sent, []
        found = []
        for frame in frames:
            for sequence, acknowledged, message in codec.decode_all(frame):
                if self.channel.accept(sequence, acknowledged, 0.0):
                    found.append(message)
        return [message for message in found if not kinds or type(message) in kinds]

    def give(self, function: Any, payloads: list[bytes], piece: int, **more: Any) -> None:
        digest, name, body, _ = self.node.functions.define(function)
        ids = list(range(1, len(payloads) + 1))
        self.say(
            Function(digest, name, body),
            Batch(piece, "origin-2", digest, 1, 0, 0, False, ids, payloads, **more),
        )

    def give_noted(self, piece: int, *names: str, **more: Any) -> None:
        payloads = [self.node.payloads.dump(((name,), {})) for name in names]
        self.give(note, payloads, piece, root="origin-1", **more)

    def run(self) -> list[str]:
        """Let the Worker run all it has; return what was noted, in order."""
        noted.clear()
        self.node.run()
        self.node.runners.stopping = False
        return list(noted)


noted: list[str] = []
here: list[Any] = []


def note(name: str) -> str:
    noted.append(name)
    return name


def note_other(name: str) -> str:
    return note(name)


def submit_two(name: str) -> None:
    for number in range(2):
        here[0].submit(note_other, (f"{name}{number}",), {})


def batches(bench: Bench) -> list[tuple[int, list[int]]]:
    return [(batch.priority, batch.ids) for batch in bench.heard(Batch)]


def answers_of(worker: Bench, directory: str = "", **options: float) -> Answers:
    """What a Worker asks its Origin for; `directory`: for the files of packages."""
    node = worker.node
    facts = {"disk": directory, "run": directory, "shared": directory}
    files = Files(node.driver, node.submissions, facts)
    return Answers(node.driver, node.submissions, node.payloads, files, "h2", **options)
