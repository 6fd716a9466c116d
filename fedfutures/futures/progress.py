"""``progress=True``: a bar with rate and remaining time (tqdm, an extra), or plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

LINE_EVERY_SECONDS = 5.0


def with_progress(results: Iterable[Any], iterables: tuple[Iterable[Any], ...]) -> Iterator[Any]:
    """Yield the results and show on standard error how many there were."""
    lengths = [len(iterable) for iterable in iterables if hasattr(iterable, "__len__")]  # type: ignore[arg-type]
    total = min(lengths) if lengths else None
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            return iter(tqdm(results, total=total))
    return _lines(results, total, sys.stderr)


def _lines(results: Iterable[Any], total: int | None, target: TextIO) -> Iterator[Any]:
    began = said = time.monotonic()
    count = 0
    for result in results:
        yield result
        count += 1
        now = time.monotonic()
        if now - said >= LINE_EVERY_SECONDS:
            said = now
            print(progress_line(count, total, now - began), file=target)
    print(progress_line(count, total, time.monotonic() - began), file=target)


def progress_line(count: int, total: int | None, seconds: float) -> str:
    """Return a line that says how far it is.

    >>> progress_line(50, 200, 10.0)
    '50 of 200 done (25 %), 5.0/s, 30 s left'
    """
    rate = count / seconds if seconds > 0 else 0.0
    if total is None:
        return f"{count} done, {rate:.1f}/s"
    left = f"{(total - count) / rate:.0f} s left" if rate else "not known how long"
    return f"{count} of {total} done ({100 * count // max(1, total)} %), {rate:.1f}/s, {left}"
