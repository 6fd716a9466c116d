"""Log records of Futures, handled by the program's own logging: :func:`forward`."""

from __future__ import annotations

import logging

from .program import process, records
from .worker import current

__all__ = ["forward"]


def forward(logger: logging.Logger | str | None = None, level: int | str = logging.NOTSET) -> None:
    """Let the program handle the log records of Futures, as if it had logged them itself.

    Call it in the program after you have configured logging and before you submit; call it again after you have changed
    a level. Workers then only send these records: the program's handlers and filters apply, and one process writes each
    log file. All records have the attributes `worker` ("origin" for the program's own) and `host`, for formats and
    filters.

    logger:
        The logger whose records are sent, with those below it; by default the root, that is all loggers.
    level:
        Records below this level are not sent, nor are those below the levels of the program's loggers.

    Tracebacks arrive as text, and extra attributes that are no plain data as their ``repr``. If a Worker logs more than
    8 MB/s for long, it is not slowed down; the excess is dropped, and a record of the logger "fedfutures" says so. In a
    Worker this function does nothing, so you may call it at the top level of a program.
    """
    if not current.is_origin:
        return
    name = logger.name if isinstance(logger, logging.Logger) else logger or ""
    checked = logging.Handler(level).level  # as a number, or the error that logging raises
    records.ask("" if name == "root" else name, checked)
    process.count_change()
