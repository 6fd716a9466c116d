"""What Workers print appears in the program's own output, each line with the name of its Worker in front.

Standard output and error are the program's as they are at that moment, so a redirection of its own holds here, too.
What they cannot show is not left out: bytes that are no text, and characters that the encoding of the stream lacks, are
shown as escapes, ``\\xe9`` for instance.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import sys
from typing import Any

from ..program import records

RECORDS = 3
_LINE_BEGINS = re.compile(r"(\n|\r(?!\n))(?=[\s\S])")

bars: list[Any] = []
"""Bars of progress in the last line of the terminal, which is to be cleared before anything else is written."""

_Decoder = codecs.getincrementaldecoder("utf-8")


class Printer:
    """Prints what comes from Workers; with `prefix` each line says from which."""

    def __init__(self, prefix: bool) -> None:
        self._prefix = prefix
        self._decoders: dict[tuple[str, int], Any] = {}  # a chunk may end in the middle of a character
        self._begun: dict[str, bytes] = {}  # by Worker: a log record that has not come as a whole
        self._open: dict[int, tuple[str, bool] | None] = {}  # by stream: whose line has no end yet; after a \r
        self._said = False  # that a stream of the program raises
        self._cut: set[tuple[int, str]] = set()  # by stream: Workers whose line was ended for that of another

    def show(self, worker: str, stream: int, data: bytes) -> None:
        """Print a chunk of standard output (1) or error (2), whole lines or a part of one; handle log records (3)."""
        if stream == RECORDS:
            *lines, self._begun[worker] = (self._begun.get(worker, b"") + data).split(b"\n")
            for line in lines:
                records.handle(worker, line)
            return
        target = sys.stdout if stream == 1 else sys.stderr
        decoder = self._decoders.get((worker, stream))
        if decoder is None:
            decoder = self._decoders[worker, stream] = _Decoder("backslashreplace")
        text = decoder.decode(data)
        if text[:1] == "\n" and self._prefix and (stream, worker) in self._cut:
            text = text[1:]  # it ends a line that another Worker's has ended
        self._cut.discard((stream, worker))
        if target is not None and text:
            for bar in bars:
                bar.clear()
            self._write(stream, target, self._marked(worker, stream, text) if self._prefix else text)

    def _write(self, stream: int, target: Any, text: str) -> None:
        """Write to the program's stream; when that raises, to the one that the process began with, and say so once."""
        try:
            _write(target, text)
        except (ValueError, OSError):
            pass  # closed: the program does not want to see it
        except Exception as error:
            with contextlib.suppress(Exception):
                if not self._said:
                    self._said = True
                    name = "sys.stdout" if stream == 1 else "sys.stderr"
                    raised = f"{type(error).__name__}: {error}"
                    _write(
                        sys.__stderr__,
                        f"fedfutures: {name} of the program raised {raised}. What Workers print goes to the stream "
                        "with which the program began. Give the program a stream whose write() does not raise.\n",
                    )
                _write(sys.__stdout__ if stream == 1 else sys.__stderr__, text)

    def _marked(self, worker: str, stream: int, text: str) -> str:
        """Return the text with the Worker's name in front of each line that begins in it."""
        mark = f"[{worker}] "
        before = self._open.get(stream)
        begin = mark
        if before is not None:
            other, returned = before
            if other != worker:
                begin = mark if returned else f"\n{mark}"
                self._cut.add((stream, other))
            elif not returned or text[0] == "\n":
                begin = ""
        last = text[-1]
        self._open[stream] = None if last == "\n" else (worker, last == "\r")
        if "\r" in text:
            return begin + _LINE_BEGINS.sub(lambda found: found[1] + mark, text)
        return begin + text[:-1].replace("\n", f"\n{mark}") + last


def _write(target: Any, text: str) -> None:
    try:
        target.write(text)
    except UnicodeEncodeError:
        encoding = getattr(target, "encoding", None) or "ascii"
        target.write(text.encode(encoding, "backslashreplace").decode(encoding))
    target.flush()
