"""Sends log records of Workers to the program: one line of JSON each, over a pipe that the host process reads.

A record travels as ``logging.handlers.QueueHandler`` prepares it, message and traceback as text. The program's logger
of the same name handles it, so the program's handlers, filters and levels apply.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

CHARACTERS_AT_MOST = 12 << 10  # the bound of texts in a record: the host process bounds a line
write: Callable[[bytes], object] | None = None  # In a Worker: sends a line

_LEFT_OUT = frozenset({"args", "exc_info", "message", "msg", "stack_info"})
_forwarded: dict[str, int] = {}
_plain_factory: Any = None


def send_by(function: Callable[[bytes], object]) -> None:
    """In a Worker: set the function that sends a line."""
    global write
    write = function


def ask(logger: str, level: int) -> None:
    """In the program: have Workers send the records of a logger (the root: "") and of those below it."""
    _forwarded[logger] = level
    _name_sources()


def asked() -> list[Any] | None:
    """Return (loggers that Workers forward, levels that the program has set); None if no record was asked for."""
    if not _forwarded:
        return None
    return [dict(_forwarded), {"": logging.root.level} | levels()]


def levels() -> dict[str, int]:
    """Return the levels that loggers have got, without the root's."""
    return {logger.name: logger.level for logger in _loggers() if logger.level}


def _loggers() -> list[logging.Logger]:
    return [known for known in list(logging.root.manager.loggerDict.values()) if isinstance(known, logging.Logger)]


def _name_sources() -> None:
    """Give the program's own records the attributes of those from Workers."""
    global _plain_factory
    if _plain_factory is not None:
        return
    _plain_factory = plain = logging.getLogRecordFactory()
    host = os.uname().nodename.partition(".")[0]

    def factory(*arguments: Any, **more: Any) -> logging.LogRecord:
        record: logging.LogRecord = plain(*arguments, **more)
        vars(record).update(worker="origin", host=host)
        return record

    logging.setLogRecordFactory(factory)


def handle(worker: str, line: bytes) -> None:
    """In the program: give a Worker's record to the program's logger."""
    try:
        record = logging.makeLogRecord({**json.loads(line), "worker": worker, "host": worker.rpartition(".")[0]})
    except ValueError:  # the host process says that there were too many
        logging.getLogger("fedfutures").warning("records of %s: %s", worker, line.decode("utf-8", "replace").strip())
        return
    logger = logging.getLogger(None if record.name == "root" else record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


# -- in a Worker -------------------------------------------------------------------------------------------------------


class Sender(logging.Handler):
    """Sends records to the program."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one. It is written when this returns: no crash loses it."""
        try:
            if write is not None:
                write(_line_of(record))
        except Exception:
            self.handleError(record)


def _line_of(record: logging.LogRecord) -> bytes:
    said = {name: value for name, value in vars(record).items() if name not in _LEFT_OUT}
    said["msg"] = record.getMessage()
    if record.exc_info and not record.exc_text:
        said["exc_text"] = logging.Formatter().formatException(record.exc_info)
    if record.stack_info:
        said["stack_info"] = record.stack_info
    said = {name: _cut(value) for name, value in said.items()}
    return json.dumps(said, default=lambda value: _cut(repr(value))).encode() + b"\n"


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > CHARACTERS_AT_MOST // 4:
        return f"{value[: CHARACTERS_AT_MOST // 4]} [... {len(value)} characters]"
    return value


def apply(wanted: list[Any]) -> None:
    """Send the records of these loggers, and handle them in no other way here: the program's handlers do that."""
    forwarded, levels = wanted
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for name in forwarded:
        for logger in _loggers():
            if not name or logger.name.startswith(f"{name}."):
                logger.handlers.clear()
                logger.propagate = True
        top = logging.getLogger(name)
        top.handlers[:] = [Sender(forwarded[name])]
        if name:
            top.propagate = False
