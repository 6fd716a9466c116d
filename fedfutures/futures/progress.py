"""``progress=True``: how many items of a map are done, with rate and remaining time, on standard error.

Done is what has been computed, delivered or not: the first item of an ordered map may be the slowest. A thread looks
every now and then, so something is shown while nothing is delivered. On a terminal and in a notebook that is a bar:
tqdm's where that is installed, in a notebook with ipywidgets a widget of it, else one of our own. Elsewhere, in the log
of a batch job say, it is lines, the first after a second, the next ones at intervals that grow with the time that has
passed: some forty in two hours.

Where calls run in the process itself, and in a Future, no thread looks, and what was delivered counts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import notebook, printing

FIRST_LINE_SECONDS = 1.0
LINE_EVERY_SECONDS = 5.0
GROWTH = 0.2
"""The interval between two lines is at least this part of the time that has passed."""
BAR_EVERY_SECONDS = 0.1
BAR_WIDTH_AT_MOST = 40


def with_progress(
    results: Iterable[Any], iterables: tuple[Iterable[Any], ...], done: Callable[[], int] | None = None
) -> Iterator[Any]:
    """Yield the results and show on standard error how many items are done.

    `done` says how many, from any thread; None: as many as were delivered.
    """
    lengths = [len(iterable) for iterable in iterables if hasattr(iterable, "__len__")]  # type: ignore[arg-type]
    total = min(lengths) if lengths else None
    return _delivered(results, total) if done is None else _watched(results, total, done)


def _delivered(results: Iterable[Any], total: int | None) -> Iterator[Any]:
    shown = _display(total)
    count = 0
    try:
        for result in results:
            yield result
            count += 1
            if shown.is_due():
                shown.show(count)
    finally:
        shown.end(count)


def _watched(results: Iterable[Any], total: int | None, done: Callable[[], int]) -> Iterator[Any]:
    shown = _display(total)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(BAR_EVERY_SECONDS):
            if shown.is_due():
                shown.show(done())

    watcher = threading.Thread(target=watch, name="fedfutures-progress", daemon=True)
    with contextlib.suppress(RuntimeError):  # no thread can be started any more
        watcher.start()
    try:
        yield from results
    finally:
        over.set()
        if watcher.ident is not None and watcher is not threading.current_thread():  # which may collect garbage
            watcher.join()
        shown.end(done())


def _display(total: int | None) -> LogLines:
    in_notebook = notebook.is_here()
    if not in_notebook and (sys.stderr is None or not sys.stderr.isatty()):
        return LogLines(total)
    try:
        if in_notebook and importlib.util.find_spec("ipywidgets") is not None:
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
    except ImportError:
        return Bar(total)
    return Tqdm(total, tqdm)


class LogLines:
    """A line now and then."""

    due = FIRST_LINE_SECONDS  # after the beginning
    every, growth = LINE_EVERY_SECONDS, GROWTH

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.began = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time to show something."""
        return time.monotonic() >= self.began + self.due

    def show(self, count: int) -> None:
        """Show that `count` items are done."""
        seconds = time.monotonic() - self.began
        self.due = seconds + max(self.every, self.growth * seconds)
        self._draw(count, seconds)

    def _draw(self, count: int, seconds: float) -> None:
        _say(progress_line(count, self.total, seconds) + "\n")

    def end(self, count: int) -> None:
        """Show how it has ended."""
        _say(last_line(count, self.total, time.monotonic() - self.began) + "\n")


class Bar(LogLines):
    """A bar in the last line of the terminal; what Workers print goes above it."""

    due, every, growth = 0.0, BAR_EVERY_SECONDS, 0.0

    def __init__(self, total: int | None) -> None:
        super().__init__(total)
        printing.bars.append(self)

    def _draw(self, count: int, seconds: float) -> None:
        columns = shutil.get_terminal_size().columns
        _say(f"\r{bar_line(count, self.total, seconds, columns, _blocks())}\x1b[K")

    def clear(self) -> None:
        """Make room for other text; the bar comes again a little later."""
        _say("\r\x1b[K")

    def end(self, count: int) -> None:
        printing.bars.remove(self)
        self.clear()
        super().end(count)


class Tqdm(LogLines):
    """The bar of tqdm."""

    due, every, growth = 0.0, BAR_EVERY_SECONDS, 0.0

    def __init__(self, total: int | None, tqdm: Any) -> None:
        super().__init__(total)
        self.bar = tqdm(total=total)

    def _draw(self, count: int, seconds: float) -> None:
        self.bar.n = count
        self.bar.refresh()

    def end(self, count: int) -> None:
        self.show(count)
        self.bar.close()


def progress_line(count: int, total: int | None, seconds: float) -> str:
    """Return a line that says how far it is.

    >>> progress_line(50, 200, 10.0), progress_line(50, None, 10.0)
    ('50 of 200 done (25 %), 5.0/s, 30 s left', '50 done, 5.0/s')
    """
    rate = count / seconds if seconds > 0 else 0.0
    if total is None:
        return f"{_done(count, total)}, {rate:,.1f}/s"
    left = f"{_duration((total - count) / rate)} left" if rate else "not known how long"
    return f"{_done(count, total)}, {rate:,.1f}/s, {left}"


def last_line(count: int, total: int | None, seconds: float) -> str:
    """Return the line for the end.

    >>> last_line(200, 200, 40.0)
    '200 of 200 done (100 %) in 40 s, 5.0/s'
    """
    return f"{_done(count, total)} in {_duration(seconds)}, {count / max(seconds, 1e-9):,.1f}/s"


def _done(count: int, total: int | None) -> str:
    return f"{count:,} done" if total is None else f"{count:,} of {total:,} done ({100 * count // max(1, total)} %)"


def bar_line(count: int, total: int | None, seconds: float, columns: int, blocks: str = "#") -> str:
    """Return a bar that fits so many columns; without a total it is words alone.

    >>> bar_line(50, 200, 10.0, 60)
    '|####             | 50 of 200 done (25 %), 5.0/s, 30 s left'
    """
    words = progress_line(count, total, seconds)
    width = min(BAR_WIDTH_AT_MOST, columns - len(words) - 4)
    if total is None or width < 5:
        return words[: columns - 1]
    full = width * min(count, total) // max(1, total)
    return f"|{blocks * full}{' ' * (width - full)}| {words}"


def _blocks() -> str:
    """Return what bars are made of: a full block where the terminal can show it."""
    return "\u2588" if "utf" in (getattr(sys.stderr, "encoding", None) or "").lower() else "#"


def _duration(seconds: float) -> str:
    """Return a time for people.

    >>> _duration(0.24), _duration(42.4), _duration(750), _duration(7300)
    ('0.2 s', '42 s', '12.5 min', '2.0 h')
    """
    if seconds < 10 and round(seconds, 1) != round(seconds):
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _say(text: str) -> None:
    """Write to standard error, which may be closed."""
    with contextlib.suppress(Exception):
        sys.stderr.write(text)
        sys.stderr.flush()
