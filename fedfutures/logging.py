"""Log records of Futures, handled by the program's own logging: :func:`forward`."""

from __future__ import annotations

import logging

from .program import process, records
from .worker import current

__all__ = ["forward"]


def forward(logger: logging.Logger | str | None = None, level: int | str = logging.NOTSET) -> None:
    """Have the records that Futures log handled by the program, as if it had logged them itself.

    Call it in the program when its logging is configured, before what is to log is submitted; once more when a level
    has changed. Workers then do nothing else with these records: the program's handlers and filters hold, and each line
    of a log file is written by one process. All records have the attributes `worker` ("origin" for the program's own)
    and `host`, for formats and filters.

    logger:
        Of this logger and those below it; by default the root, that is of all.
    level:
        Records below it are not sent. Those below the levels that the program's loggers have are not sent anyway.

    Tracebacks arrive as text, and extra attributes that are no plain data as their ``repr``. A Worker that logs more
    than 8 MB/s for long is not slowed down: the excess is left out, and a record of the logger "fedfutures" says so.
    In a Worker this does nothing, so it may stand at the top level of a program.
    """
    if not current.is_origin:
        return
    name = logger.name if isinstance(logger, logging.Logger) else logger or ""
    checked = logging.Handler(level).level  # as a number, or the error that logging raises
    records.ask("" if name == "root" else name, checked)
    process.count_change()
