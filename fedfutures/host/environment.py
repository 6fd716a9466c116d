"""Environment variables for Workers: what ``--env`` and ``--env-file`` say, as ``docker run`` has them. Pure.

``NAME=VALUE`` sets a variable, and ``NAME`` gives it the value that it has on the launching side. A file has one of
these in each line; empty lines and lines that begin with ``#`` say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def resolved(words: Iterable[str], here: Mapping[str, str]) -> list[str]:
    """Return ``NAME=VALUE`` for each word; `here` is the environment of the launching side. Raises ValueError.

    >>> resolved(["A=1", "HOME"], {"HOME": "/home/ann"})
    ['A=1', 'HOME=/home/ann']
    """
    found = []
    for word in words:
        name, has_value, _ = word.partition("=")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{word!r} is neither NAME=VALUE nor the NAME of an environment variable")
        if not has_value and name not in here:
            raise ValueError(f"the environment variable {name} is not set here: export it, or say {name}=VALUE")
        if "\0" in word:
            raise ValueError(f"the value of {name} has a null character")
        found.append(word if has_value else f"{name}={here[name]}")
    return found


def words_of(text: str) -> list[str]:
    """Return the words of a file.

    >>> words_of("# threads\\nOMP_NUM_THREADS=1\\n\\nHOME\\n")
    ['OMP_NUM_THREADS=1', 'HOME']
    """
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def variables_of(words: Iterable[str]) -> dict[str, str]:
    """Return the variables of resolved words; the first of a name counts.

    >>> variables_of(["A=1", "B=", "A=2"])
    {'A': '1', 'B': ''}
    """
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        found.setdefault(name, value)
    return found
