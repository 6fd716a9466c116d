"""Passes the options of the program's interpreter to host processes, and so to Workers, as ``multiprocessing`` does.

Options that concern the terminal or the start of a process (``-i -v -q``, ``-X importtime``) stay with the program.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence

_LETTERS = {"optimize": "O", "bytes_warning": "b", "dont_write_bytecode": "B"}
_OF_THIS_MACHINE = {"no_site": "S", "ignore_environment": "E", "no_user_site": "s", "safe_path": "P"}
_STAY = frozenset({"importtime", "presite", "showrefcount", "dev"})

_START = (
    "import gc, sys; gc.disable(); sys.path[:] = [place for place in sys.path if place] + sys.argv[1:]; "
    "sys.warnoptions and __import__('warnings').filters.insert(0, ('ignore', None, Exception, None, 0)); "
    "from {} import main; gc.enable(); main()"
)
"""Starts a process of ours: without modules of the working directory, and with warnings for Workers only. The garbage
collector rests while modules are loaded (:class:`.starting.LoadingModules`)."""
_STARTED = re.compile(re.escape(_START).replace(r"\{\}", r"([\w.]+)"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""Where Python finds this package, and the launcher, if they are not installed."""
QUIET = ("ignore", None, Exception, None, 0)
"""The first filter of warnings of a host process, so that ``-W error`` ends neither it nor a Broker."""


def interpreter_flags() -> list[str]:
    """Return the options with which this process was started."""
    flags = ["-I"] if sys.flags.isolated else []
    letters = _LETTERS if flags else _OF_THIS_MACHINE | _LETTERS
    for name, letter in letters.items():
        count = int(getattr(sys.flags, name, 0))
        if count and not (letter == "B" and "PYTHONDONTWRITEBYTECODE" in os.environ):
            flags.append("-" + letter * count)
    flags += [f"-W{option}" for option in _warning_options()]
    if sys.flags.dev_mode:
        flags += ["-X", "dev"]
    for name, value in sys._xoptions.items():
        if name not in _STAY:
            flags += ["-X", name if value is True else f"{name}={value}"]
    return flags


def _warning_options() -> list[str]:
    """Return the ``-W`` options, without those that ``-b`` and ``-X dev`` imply."""
    options = list(sys.warnoptions)
    of_bytes = ("", "default::BytesWarning", "error::BytesWarning")[min(sys.flags.bytes_warning, 2)]
    for option in (of_bytes, "default" if sys.flags.dev_mode else ""):
        if option in options:
            options.remove(option)
    return options


def for_another(flags: Sequence[str], *, host: bool = False) -> list[str]:
    """Return the options that another interpreter knows; with `host`, those that make sense on another host.

    >>> for_another(["-P", "-s", "-O", "-Werror", "-X", "dev"])
    ['-s', '-O', '-Werror', '-X', 'dev']
    >>> for_another(["-P", "-s", "-O", "-X", "pycache_prefix=/tmp"], host=True)
    ['-O']
    """
    kept: list[str] = []
    for flag in flags:
        if flag == "-P" or (host and flag in ("-I", "-S", "-E", "-s")):
            continue
        if host and kept[-1:] == ["-X"] and flag.startswith("pycache_prefix"):
            kept.pop()
            continue
        kept.append(flag)
    return kept


def shown(command: Sequence[str]) -> str:
    """Return a command as people type it in a shell.

    >>> shown(main_command("some.process", ["python3"], ["-O"]))
    'python3 -O -m some.process'
    """
    words = list(command)
    for place, word in enumerate(words):
        if found := _STARTED.fullmatch(word):
            words[place - 1 :] = ["-m", found[1]]
            break
    return shlex.join(words)


def main_command(module: str, python: Sequence[str], flags: Sequence[str], root: str | None = None) -> list[str]:
    """Return the command that runs ``main()`` of a module; `root`: where Python finds it if it is not installed."""
    return [*python, *flags, "-c", _START.format(module), *([root] if root is not None else [])]
