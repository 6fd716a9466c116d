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

from ..worker import current
from . import notebook, printing
from .counted import Counted, bad, last_line, line
from .run_sights import RETRIES

FIRST_LINE_SECONDS = 1.0
LINE_EVERY_SECONDS = 5.0
GROWTH = 0.2
"""The interval between two lines is at least this part of the time that has passed."""
BAR_EVERY_SECONDS = 0.1
BAR_WIDTH_AT_MOST = 40
JOIN_SECONDS = 2.0


Counter = Callable[[], Counted]
everywhere = False
"""Whether all that takes more than a second is shown: the launcher's ``--progress``."""
_watches: set[ProgressWatch] = set()


def show_everywhere(wanted: bool) -> None:
    """From now on show the progress of all that takes more than a second, if so wanted."""
    global everywhere
    everywhere = wanted


def is_shown() -> bool:
    """Whether the progress of something is watched now."""
    return bool(_watches)


def watching(
    wanted: bool, counter: Callable[[], Counter], total: Callable[[], int | None], workers: Callable[[], int]
) -> contextlib.AbstractContextManager[object]:  # fmt: skip
    """Return what shows the progress of a ``with`` block, if that is wanted here or everywhere.

    counter: makes what counts. total: how many there are, as far as is known. workers: that might run them.
    """
    if not (wanted or everywhere) or not current.is_origin:
        return contextlib.nullcontext()
    return ProgressWatch(counter(), total, workers, late=not wanted)


def with_progress(
    results: Iterable[Any], iterables: tuple[Iterable[Any], ...], feeder: Any, *, wanted: bool
) -> Iterator[Any]:  # fmt: skip
    """Yield the results of a map, and show on standard error how many items are done; `feeder` has the map."""
    total, counter = length_of(iterables), counter_of(feeder)
    if counter is None:
        return delivered(results, total) if wanted else iter(results)
    return _watched(results, ProgressWatch(counter, lambda: total, lambda: feeder.node.size, late=not wanted))


def length_of(iterables: tuple[Iterable[Any], ...]) -> int | None:
    """Return how many items these have together; None where that is not known."""
    lengths = [len(iterable) for iterable in iterables if hasattr(iterable, "__len__")]  # type: ignore[arg-type]
    return min(lengths) if lengths else None


def counter_of(feeder: Any) -> Counter | None:
    """Return what counts the items of a map, for any thread; None where calls run in the process itself."""
    count = feeder.counter()
    if count is None:
        return None
    before = _retries_of(feeder)
    return lambda: Counted(count(), feeder.failed, _retries_of(feeder) - before, feeder.slicing.mean)


def _retries_of(feeder: Any) -> int:
    found: dict[str, int] = feeder.node.sights.report(RETRIES)
    return found.get(feeder.name, 0)


def delivered(results: Iterable[Any], total: int | None) -> Iterator[Any]:
    """Yield the results, and show how many were delivered."""
    shown = display(total)
    count = 0
    try:
        for result in results:
            yield result
            count += 1
            if shown.is_due():
                shown.show(Counted(count))
    finally:
        shown.end(Counted(count))


def _watched(results: Iterable[Any], watch: ProgressWatch) -> Iterator[Any]:
    with watch:
        yield from results


class ProgressWatch:
    """Shows what `counter` counts, by a thread that looks now and then, as long as the ``with`` block runs.

    late: show nothing of what takes less than a second. The other arguments are those of :func:`watching`.
    """

    def __init__(
        self, counter: Counter, total: Callable[[], int | None], workers: Callable[[], int], *, late: bool = False
    ) -> None:  # fmt: skip
        self._counter, self._total, self._workers, self._late = counter, total, workers, late
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._look, name="fedfutures-progress", daemon=True)
        self._shown: LogLines | None = None

    def __enter__(self) -> None:
        self._shown = display(self._total(), late=self._late)
        _watches.add(self)
        with contextlib.suppress(RuntimeError):  # no thread can be started any more
            self._watcher.start()

    def _look(self) -> None:
        shown = self._shown
        assert shown is not None
        while not self._over.wait(BAR_EVERY_SECONDS):
            if shown.is_due():
                shown.resize(self._total(), self._workers())
                shown.show(self._counter())

    def __exit__(self, *_: object, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        _watches.discard(self)
        if is_finalizing():  # modules may be gone by then
            return
        self._over.set()
        watcher, shown = self._watcher, self._shown
        if watcher.ident is not None and watcher is not threading.current_thread():  # which may collect garbage
            watcher.join(JOIN_SECONDS)  # it may want a lock that this thread has, where garbage is collected
        assert shown is not None
        shown.resize(self._total(), self._workers())
        shown.end(self._counter())


def display(total: int | None, *, late: bool = False) -> LogLines:
    """Return what shows how far something is: a bar or lines. `late`: show nothing of what takes less than a second."""
    shown = _display_here(total)
    if late:
        shown.be_late()
    return shown


def _is_terminal() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        return False


def _display_here(total: int | None) -> LogLines:
    in_notebook = notebook.is_here()
    if not in_notebook and not _is_terminal():
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
        self.total, self.workers = total, 0
        self.began, self.is_silent = time.monotonic(), False

    def be_late(self) -> None:
        """Show nothing of what ends within :data:`FIRST_LINE_SECONDS`."""
        self.due, self.is_silent = FIRST_LINE_SECONDS, True

    def resize(self, total: int | None, workers: int) -> None:
        """There are so many now, and so many Workers."""
        self.total, self.workers = total, workers

    def is_due(self) -> bool:
        """Whether it is time to show something."""
        return time.monotonic() >= self.began + self.due

    def show(self, counted: Counted) -> None:
        """Show how far it is."""
        seconds = time.monotonic() - self.began
        self.due, self.is_silent = seconds + max(self.every, self.growth * seconds), False
        self._draw(counted, seconds)

    def _draw(self, counted: Counted, seconds: float) -> None:
        _say(line(counted, self.total, seconds, self.workers) + "\n")

    def drop(self) -> None:
        """Show nothing any more: something else is shown."""
        self.is_silent = True
        self.end(Counted(0))

    def end(self, counted: Counted) -> None:
        """Show how it has ended."""
        if not self.is_silent:
            _say(last_line(counted, self.total, time.monotonic() - self.began) + "\n")


class Bar(LogLines):
    """A bar in the last line of the terminal; what Workers print goes above it."""

    due, every, growth = 0.0, BAR_EVERY_SECONDS, 0.0

    def __init__(self, total: int | None) -> None:
        super().__init__(total)
        printing.bars.append(self)

    def _draw(self, counted: Counted, seconds: float) -> None:
        columns, words = shutil.get_terminal_size().columns, line(counted, self.total, seconds, self.workers)
        _say(f"\r{bar_line(words, counted.done, self.total, columns, _blocks())}\x1b[K")

    def clear(self) -> None:
        """Make room for other text; the bar comes again a little later."""
        _say("\r\x1b[K")

    def end(self, counted: Counted) -> None:
        printing.bars.remove(self)
        self.clear()
        super().end(counted)


class Tqdm(LogLines):
    """The bar of tqdm."""

    due, every, growth = 0.0, BAR_EVERY_SECONDS, 0.0

    def __init__(self, total: int | None, tqdm: Any) -> None:
        super().__init__(total)
        self._make = tqdm
        self._bar: Any = None

    def _draw(self, counted: Counted, seconds: float) -> None:
        if self._bar is None:  # not before it is due: tqdm draws at once
            self._bar = self._make(total=self.total, initial=counted.done)
            self._bar.start_t -= seconds
        self._bar.n, self._bar.total = counted.done, self.total
        self._bar.set_postfix_str(", ".join(bad(counted)), refresh=False)
        self._bar.refresh()

    def end(self, counted: Counted) -> None:
        if not self.is_silent:
            self.show(counted)
        if self._bar is not None:
            self._bar.close()


def bar_line(words: str, done: int, total: int | None, columns: int, blocks: str = "#") -> str:
    """Return a bar that fits so many columns, with these words; without a total it is words alone.

    >>> bar_line("50 of 200 done", 50, 200, 35)
    '|####             | 50 of 200 done'
    """
    width = min(BAR_WIDTH_AT_MOST, columns - len(words) - 4)
    if total is None or width < 5:
        return words[: columns - 1]
    full = width * min(done, total) // max(1, total)
    return f"|{blocks * full}{' ' * (width - full)}| {words}"


def _blocks() -> str:
    """Return what bars are made of: a full block where the terminal can show it."""
    return "\u2588" if "utf" in (getattr(sys.stderr, "encoding", None) or "").lower() else "#"


def _say(text: str) -> None:
    """Write to standard error, which may be closed."""
    with contextlib.suppress(Exception):
        sys.stderr.write(text)
        sys.stderr.flush()
