"""The socket at which anybody of this user asks what goes on in a run: ``ask``, in the private directory.

The host process beside the program opens it, so questions are answered while the program computes, or is stuck. It
passes each to its first Broker, which asks every machine, and passes the answers back as they come. Where no Broker
answers in time it says what it knows itself. Whoever asks reads a line with the version first (:mod:`.greeting`).
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable

from ..errors import RemoteProtocolError
from ..lazy_dataclass import dataclass
from ..wire.control import AskRun, CancelFuture, ControlFrame, RunSays, WatchRun
from .frame_line import FrameLine
from .greeting import line

SOCKET = "ask"
ASKERS_AT_MOST = 32
QUESTIONS_AT_MOST = 64
"""Of all askers, at one time."""
UNREAD_AT_MOST_BYTES = 64 << 20
SECONDS_AT_MOST = 60.0
SHUT_SECONDS = 1.0
LATE_SECONDS = 0.5
"""How much later than it should a Broker may answer."""


class Asker:
    """A connection of somebody who asks."""

    def __init__(self, connection: socket.socket, poller: select.poll) -> None:
        self.connection = connection
        self.line = FrameLine(connection.fileno(), connection.fileno(), poller)
        self.line.send_bytes(line())

    def close(self) -> None:
        """Hang up."""
        self.line.let_go()
        self.connection.close()


@dataclass(slots=True)
class OpenQuestion:
    """A question that the Broker was asked."""

    asker: Asker
    asked: AskRun  # as the asker has numbered it
    until: float


class RunDoor:
    """The socket, who has come, and what was asked.

    ask: tells the first Broker, if it lives. report: what the host process knows itself, packed. tell: tells the
    program.
    """

    def __init__(
        self, directory: str, poller: select.poll, ask: Callable[[AskRun], object], report: Callable[[], bytes],
        tell: Callable[[ControlFrame], object], host: str,
    ) -> None:  # fmt: skip
        self._poller, self._ask, self._report, self._host = poller, ask, report, host
        self._tell_program = tell
        self._askers: dict[int, Asker] = {}  # by descriptor
        self._open: dict[int, OpenQuestion] = {}  # by the number that the Broker knows
        self._count = 0
        self._opens_at: float | None = None  # it is shut until then
        path = os.path.join(directory, SOCKET)
        with contextlib.suppress(FileNotFoundError):  # of a host process that was killed
            os.unlink(path)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(path)
        self._door.listen(8)
        self._door.setblocking(False)
        poller.register(self._door.fileno(), select.POLLIN)

    def serve(self, descriptor: int, events: int, now: float) -> bool:
        """Read or write a descriptor that is ready; return whether it is one of these."""
        if descriptor == self._door.fileno():
            self._accept(now)
            return True
        asker = self._askers.get(descriptor)
        if asker is None:
            return False
        try:
            data = asker.line.exchange(events)
            frames = asker.line.reader.feed(data) if data else []
            for frame in frames:
                self._on_question(asker, frame, now)
        except RemoteProtocolError:
            data = b""
        if data == b"":
            self._leave(asker)
        return True

    def _accept(self, now: float) -> None:
        try:
            connection, _ = self._door.accept()
        except BlockingIOError:
            return
        except OSError:  # there is no descriptor for it: it waits at the door
            self._poller.unregister(self._door.fileno())
            self._opens_at = now + SHUT_SECONDS
            return
        if len(self._askers) >= ASKERS_AT_MOST:
            connection.close()
            return
        self._askers[connection.fileno()] = Asker(connection, self._poller)

    def _on_question(self, asker: Asker, frame: ControlFrame, now: float) -> None:
        if isinstance(frame, (CancelFuture, WatchRun)):
            self._tell_program(frame)
            return
        if not isinstance(frame, AskRun) or len(self._open) >= QUESTIONS_AT_MOST:
            raise RemoteProtocolError(f"{type(frame).__name__} is not answered")
        seconds = min(max(frame.seconds, 0.0), SECONDS_AT_MOST)
        self._count += 1
        self._open[self._count] = OpenQuestion(asker, frame, now + seconds + LATE_SECONDS)
        self._ask(AskRun(self._count, frame.subject, seconds, frame.worker))

    def on_said(self, frame: RunSays) -> None:
        """The Broker says what one machine has answered."""
        if (question := self._open.get(frame.number)) is None:
            return
        if frame.last:
            del self._open[frame.number]
        self._tell(question, frame.name, frame.report, last=frame.last)

    def _tell(self, question: OpenQuestion, name: str, report: bytes, *, last: bool) -> None:
        line = question.asker.line
        line.send(RunSays(question.asked.number, name, report, last))
        if line.unsent.size > UNREAD_AT_MOST_BYTES:  # nobody reads
            self._leave(question.asker)

    def next_deadline(self) -> float | None:
        """Return when to call :meth:`tick`."""
        times = [question.until for question in self._open.values()]
        return min(times if self._opens_at is None else [*times, self._opens_at], default=None)

    def tick(self, now: float) -> None:
        """Answer what no Broker has answered in time: what the host process knows."""
        if self._opens_at is not None and now >= self._opens_at:
            self._opens_at = None
            self._poller.register(self._door.fileno(), select.POLLIN)
        for number, question in list(self._open.items()):
            if now >= question.until and number in self._open:
                del self._open[number]
                self._tell(question, self._host, self._report(), last=True)

    def _leave(self, asker: Asker) -> None:
        self._askers.pop(asker.connection.fileno(), None)
        self._open = {number: question for number, question in self._open.items() if question.asker is not asker}
        asker.close()

    def let_go(self) -> None:
        """Close the descriptors in a process that the host process has forked."""
        self._door.close()
        for asker in self._askers.values():
            asker.connection.close()
