"""The end of a launched program: it first waits for what it has submitted, unless it ends in failure.

A normal end is the end of the main program, or ``sys.exit`` with the code 0 or None. The launcher then waits for all
Futures and makes the calls of all maps, three times: before the threads of the program have ended, after that, and when
its ``atexit`` callbacks have run, for threads and callbacks may submit, too. The order of the last two is that of
``atexit``: what was registered last runs first.

Any other end is at once: another exit code, an exception, an interrupt. The Federation counts the Futures that it cuts
off, and says how many. A program that the walltime cuts short ends with the exit code 75: it has not caught
``WalltimeReached``, or was waiting for Futures at its end.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from fedfutures.errors import WalltimeReached

from . import exits
from .walltimes import EXIT_CODE


def run_to_end(federation: Any, run: Callable[[], None], how_to_go_on: Callable[[], str] = str) -> NoReturn:
    """Run the program, close the Federation, and exit as the program does.

    how_to_go_on: returns what to do when the walltime has cut the program short.
    """
    late = LateEnd(federation, how_to_go_on)
    atexit.register(late.close)
    why = "the program failed"
    try:
        code = _run_and_drain(federation, run)
    except SystemExit as end:
        exits.say_whose(end)
        code, why = end.code, f"the program exited with code {_status(end.code)}"
    except KeyboardInterrupt as error:
        _report(error)
        _interrupted(federation)
    except WalltimeReached as error:
        late.say(error)
        code = EXIT_CODE
    except BaseException as error:
        _report(error)
        code = 1
    else:
        atexit.register(late.drain)
        raise SystemExit(code)
    federation.cut_off(why)
    raise SystemExit(code)


def _run_and_drain(federation: Any, run: Callable[[], None]) -> Any:
    code: Any = 0
    try:
        run()
    except SystemExit as end:
        if not is_normal(end.code):
            raise
        exits.say_whose(end)
        code = end.code
    from fedfutures import futures  # loaded long since; not when this module is

    # The program's frames are gone now, and with them the iterators of maps: nobody can read those maps any more.
    futures.end_main()
    federation.drain()
    if federation.cut_short is not None:
        raise federation.cut_short
    return code


def is_normal(code: Any) -> bool:
    """Whether an exit code is that of a normal end.

    >>> is_normal(None), is_normal(0), is_normal(3), is_normal("no input")
    (True, True, False, False)
    """
    return code is None or (isinstance(code, int) and code == 0)


def _status(code: Any) -> int:
    return code & 0xFF if isinstance(code, int) else 1


class LateEnd:
    """What is left when the main program has ended: threads, ``atexit`` callbacks, and what these have submitted."""

    def __init__(self, federation: Any, how_to_go_on: Callable[[], str]) -> None:
        self._federation, self._how_to_go_on = federation, how_to_go_on
        self._is_said = False

    def drain(self) -> None:
        """Wait for Futures after the threads of the program have ended, before its ``atexit`` callbacks run."""
        from fedfutures.futures.federation import was_interrupted  # loaded long since; not when this module is

        if was_interrupted():
            _interrupted(self._federation)
        try:
            self._federation.drain()
        except KeyboardInterrupt:
            _interrupted(self._federation)

    def close(self) -> None:
        """Wait for Futures after the ``atexit`` callbacks, and close the Federation."""
        try:
            self._federation.finish(program_ends=True)
        except KeyboardInterrupt:
            _interrupted(self._federation)
        if self._federation.cut_short is not None and not self._is_said:
            self.say(self._federation.cut_short)
            sys.stdout.flush()
            os._exit(EXIT_CODE)  # nothing else changes the code of a program that has come to its end

    def say(self, error: WalltimeReached) -> None:
        """Say that the walltime has cut the program short, and how to go on."""
        self._is_said = True
        self._federation.on_said()
        _report(error)
        print(self._how_to_go_on(), file=sys.stderr, flush=True)


def _interrupted(federation: Any) -> NoReturn:
    federation.cut_off("the program was interrupted")
    end_by_interrupt()
    raise SystemExit(130)


def end_by_interrupt() -> None:
    """End this process by SIGINT, so that a shell script that runs it ends, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def _report(error: BaseException) -> None:
    """Print the traceback as plain ``python`` does, without frames of fedfutures."""
    from fedfutures.wire.tracebacks import remove_our_frames  # only programs that fail need it

    if isinstance(error, KeyboardInterrupt) and _is_of_the_end(error.__traceback__):
        error.__traceback__ = None
    remove_our_frames(error)
    sys.excepthook(type(error), error, error.__traceback__)
    sys.stderr.flush()


def _is_of_the_end(frames: TracebackType | None) -> bool:
    """Whether the interrupt came while the launcher waited for Futures: no frame of the program is there."""
    names = []
    while frames is not None:
        names.append(str(frames.tb_frame.f_globals.get("__name__")))
        frames = frames.tb_next
    below = [name for name in names if not name.startswith("fedfutures_launcher")]
    return bool(below) and below[0].startswith("fedfutures.")
