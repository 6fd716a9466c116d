"""What happened, one line for each message sent and for each thing that befell a node, to be read and compared.

    0.000131 b0 -> b0.1          Welcome b0 size 2                             |

Lines carry virtual time, so the same seed writes the same lines; the first line is the command that did. Compared with
one that was written before (``--compare``), a transcript shows the first message that is another now.
"""

from __future__ import annotations

from pathlib import Path

from ..federation.events import Send
from ..lazy_dataclass import field_types
from ..wire import messages
from ..wire.messages import Message
from .observer import Listener

_KINDS = dict(enumerate(("error", "cancelled", "poisoned", "lost", "late", "begun once", "out of memory"), 1))


def ranges(numbers: list[int]) -> str:
    """Write numbers as ranges.

    >>> ranges([1, 2, 3, 7, 9, 10])
    '1-3,7,9-10'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def short(message: Message) -> str:
    """Write a message in a few words.

    >>> short(messages.Cancel(3, [1, 2, 5]))
    'Cancel piece 3: 1-2,5'
    """
    kind = type(message).__name__
    if isinstance(message, messages.Batch):
        text = f"Batch piece {message.piece}: {message.submitter}/{ranges(message.ids)}"
        text += f" attempt {message.attempt}" if message.attempt > 1 else ""
        text += f" crashes {message.crashes}" if message.crashes else ""
        text += f" priority {message.priority}" if message.priority else ""
        return text + (f" backlog {message.backlog}" if message.backlog else "") + (" spent" if message.spent else "")
    if isinstance(message, messages.Holding):
        return f"Holding piece {message.piece}: {message.submitter}/{ranges(message.ids)} attempt {message.attempt}"
    if isinstance(message, messages.Results):
        odd = "".join(f" {number} {_KINDS[what]}" for number, what in message.odd)
        return f"Results piece {message.piece}: {ranges(message.ids)}{odd}"
    if isinstance(message, (messages.Return, messages.Cancel, messages.Running)):
        return f"{kind} piece {message.piece}: {ranges(message.ids)}"
    if isinstance(message, messages.Function):
        return f"Function {message.digest!r}"
    fields = (f"{name} {getattr(message, name)}" for name in field_types(type(message)))
    return " ".join([kind, *fields])


class Transcript(Listener):
    """The lines so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_send(self, now: float, sender: str, peer: str, action: Send) -> None:
        header = f"#{action.sequence} " if action.sequence else ""
        self._line(now, f"{sender} -> {peer}", f"{header}{short(action.message)}")

    def on_incident(self, now: float, name: str, what: str) -> None:
        self._line(now, name, f"* {what}")

    def _line(self, now: float, who: str, what: str) -> None:
        self.lines.append(f"{now:12.6f} {who:<22} {what}")

    def write(self, path: Path, command: str) -> None:
        """Write the command, and what it tells."""
        path.write_text("\n".join([f"$ {command}", *self.lines]) + "\n", encoding="utf-8")

    def differs(self, path: Path) -> str:
        """Say where a transcript written before differs from this one; '' if nowhere."""
        told = path.read_text(encoding="utf-8").splitlines()[1:]
        for number, (old, new) in enumerate(zip(told, self.lines), 2):
            if old != new:
                return f"{path}:{number}\n  was {old}\n  now {new}"
        if len(told) != len(self.lines):
            return f"{path}: {len(told)} lines, now {len(self.lines)}"
        return ""
