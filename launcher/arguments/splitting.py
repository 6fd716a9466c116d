"""Where the program begins in a command line: our options stand in front of it, its own arguments behind it. Pure.

The parser knows which option takes a value, so each option is declared in one place. Two options take words that could
be the program as well:

- ``--hosts a b prog.py``: the words are hosts if a program follows them. If none does, one of them is the program, but
  never the first: the first file that ends in ``.py`` or is a path with a slash; otherwise the last word, if it is a
  file. ``--`` in front of the program leaves no doubt.
- ``--profile DIR prog.py``: the word is the directory, unless it is a program itself or nothing follows it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .suggestions import suggestion

ENDINGS = (".py", ".pyw", ".pyz")


class Cut(NamedTuple):
    """A command line in its parts."""

    ours: list[str]
    kind: str  # "file", "module", "code" or "stdin"; "": there is no program
    place: str  # path, module name or code
    rest: list[str]  # the program's own arguments


class BadLine(ValueError):
    """The command line makes no sense; the text says why."""


def is_program(word: str) -> bool:
    """Whether ``python WORD`` would find something to run."""
    return os.path.isfile(word) or os.path.isfile(os.path.join(word, "__main__.py"))


def program_among(words: Sequence[str], exists: Callable[[str], bool] = is_program) -> int | None:
    """Return which of the words behind ``--hosts`` is the program; None: all of them are hosts.

    >>> program_among(["a", "prog.py", "data.csv"], {"prog.py", "data.csv"}.__contains__)
    1
    >>> program_among(["a", "b"], {"b"}.__contains__), program_among(["prog.py"], {"prog.py"}.__contains__)
    (1, None)
    """
    for place, word in enumerate(words[1:], 1):
        if (word.endswith(ENDINGS) or "/" in word) and exists(word):
            return place
    last = len(words) - 1
    return last if last > 0 and exists(words[last]) else None


class Splitter:
    """Cuts a command line by the options of a parser. Raises :class:`BadLine`."""

    def __init__(self, known: Iterable[argparse.Action], exists: Callable[[str], bool] = is_program) -> None:
        self._actions = {name: action for action in known for name in action.option_strings}
        self._exists = exists
        self._words: list[str] = []
        self._lists: list[tuple[int, int]] = []  # where the words of each --hosts begin and end

    def cut(self, words: Sequence[str]) -> Cut:
        """Return the parts of a command line."""
        self._words, self._lists = list(words), []
        at = 0
        while at < len(self._words):
            word = self._words[at]
            if word == "--":
                behind = self._words[at + 1 :]
                return Cut(self._words[:at], "file" if behind else "", "".join(behind[:1]), behind[1:])
            if word == "-":
                return self._at(at, "stdin")
            if not word.startswith("-"):
                return self._at(at, "file")
            if word.startswith("--"):
                at = self._long(at)
            else:
                letter = self._first_with_value(word, self._words[at + 1 :])
                if letter is not None and word[letter] in "mc":
                    return self._named(at, letter)
                at += 2 if letter == len(word) - 1 else 1
        return self._from_hosts()

    def _at(self, at: int, kind: str) -> Cut:
        return Cut(self._words[:at], kind, self._words[at], self._words[at + 1 :])

    def _named(self, at: int, letter: int) -> Cut:
        """Cut at a word with -m or -c; its value may be attached, as in -mtimeit, and flags may precede it."""
        word = self._words[at]
        flags, value = word[:letter], word[letter + 1 :]
        values = ([value] if value else []) + self._words[at + 1 :]
        kind = "module" if word[letter] == "m" else "code"
        if not values:
            raise BadLine(f"-{word[letter]} needs {'a module' if kind == 'module' else 'code'}")
        return Cut(self._words[:at] + ([flags] if flags != "-" else []), kind, values[0], values[1:])

    def _long(self, at: int) -> int:
        """Return where the words of a long option end."""
        word = self._words[at]
        name, equals, _ = word.partition("=")
        action = self._actions.get(name)
        if action is None:
            raise BadLine(f"{name} is no option{suggestion(word, self._words[at + 1 :], self._actions)}")
        at += 1
        if equals or action.nargs == 0:
            return at
        if action.nargs == "+":
            begin = at
            while at < len(self._words) and not self._words[at].startswith("-"):
                at += 1
            self._lists.append((begin, at))
            return at
        if action.nargs == "?":
            return at + self._is_value(at)
        return at + 1

    def _is_value(self, at: int) -> bool:
        """Whether a word behind an option with an optional value is its value, and not the program."""
        if at + 1 >= len(self._words) or self._words[at].startswith("-"):
            return False
        return not (self._words[at].endswith(ENDINGS) or self._exists(self._words[at]))

    def _first_with_value(self, word: str, following: Sequence[str]) -> int | None:
        """Return the place of the letter that takes a value, as the n in ``-vn``; None: there is none."""
        foreign = suggestion(word, following, self._actions, only_foreign=True)
        if foreign:
            raise BadLine(f"{word} is no option{foreign}")
        for place, letter in enumerate(word[1:], 1):
            if letter in "mc":
                return place
            action = self._actions.get(f"-{letter}")
            if action is None:
                raise BadLine(f"{word} is no option{suggestion(word, [], self._actions)}")
            if action.nargs != 0:
                return place
        return None

    def _from_hosts(self) -> Cut:
        """Look for the program among the hosts: it stands nowhere else."""
        for begin, end in self._lists:
            place = program_among(self._words[begin:end], self._exists)
            if place is not None:
                return self._at(begin + place, "file")
        for begin, end in self._lists:
            for word in self._words[begin:end]:
                if word.endswith(ENDINGS):
                    raise BadLine(f"no program given; {word}, among the hosts, is no file here")
        return Cut(self._words, "", "", [])
