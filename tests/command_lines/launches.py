"""The command lines of fedfutures in pieces of text, ready to be given to its parser. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from fedfutures_launcher.verbs.table import VERBS

from .pieces import Piece
from .shell import commands

PLACEHOLDERS = {
    "...": "prog.py", "COMMAND": "./launcher", "DIR": "folder", "FILE": "file", "HOST": "h1", "N": "4",
    "NAME": "Deadlock", "PATH": "/usr/bin/python3", "PROGRAM": "prog.py", "RUN": "4711", "SECONDS": "30",
    "SIZE": "2G", "TIME": "1:30:00", "VALUE": "value", "VERB": "error", "WORKER": "h2.1",
}  # fmt: skip
"""What stands for something in a command line, and a value of its kind."""
VARIABLES = {"SLURM_ARRAY_TASK_ID": "3", "": "value"}
PYTHON = re.compile(r"(?:.*/)?(?:python[\d.]*|PYTHON|VALUE)")
WITH_VALUE = ("-W", "-X")
USAGE = re.compile(r"(\S+ -m fedfutures) \[options\] \(([^()]*)\) \[arguments \.\.\.\]")
IN_PROSE = re.compile(r"\S+ -m fedfutures(?= )")
ALONE = ("help", "list", "error")
"""Verbs that need no more words; the others are named alone in prose."""
CAPITALS = re.compile(r"[A-Z]+")


class Launch(NamedTuple):
    """The words behind ``python -m fedfutures``."""

    words: list[str]
    whole: bool  # all of them belong to the command line, as prose does not say


def in_piece(piece: Piece) -> Iterator[Launch]:
    """Yield the command lines of fedfutures in a piece of text.

    >>> [each.words for each in in_piece(Piece(1, "for i in 1 2; do bin/python -m fedfutures -n N $i; done", "block"))]
    [['-n', '4', 'value']]
    >>> list(in_piece(Piece(1, "say python -m fedfutures help. It lists them", "prose")))
    [Launch(words=['help', 'It', 'lists', 'them'], whole=False)]
    """
    text = USAGE.sub(lambda found: "\n".join(f"{found[1]} {each} x" for each in found[2].split("|")), piece.text)
    if piece.kind == "prose":
        for found in IN_PROSE.finditer(text):
            words = text[found.end() :].partition("\n\n")[0].split()
            yield Launch([value_of(word.strip("\"'`,;()").removesuffix(".")) for word in words], False)
        return
    for command in commands(text, VARIABLES):
        words = _behind_the_name(command)
        if words is not None and (words or piece.kind == "block"):
            yield Launch([value_of(word) for word in words], True)


def _behind_the_name(command: list[str]) -> list[str] | None:
    """Return the words behind ``python -m fedfutures`` or ``fedfutures`` in a command."""
    for at, word in enumerate(command):
        if not PYTHON.fullmatch(word):
            continue
        at += 1
        while at < len(command) and command[at].startswith("-") and command[at] != "-m":
            at += 2 if command[at] in WITH_VALUE else 1
        if command[at : at + 2] == ["-m", "fedfutures"]:
            return command[at + 2 :]
    name, *words = command
    is_verb = words[:1] and words[0] in VERBS and (words[1:] or words[0] in ALONE)
    if os.path.basename(name) == "fedfutures" and (is_verb or (words and words[0].startswith("-"))):
        return words
    return None


def value_of(word: str) -> str:
    """Put in values for placeholders; raise ValueError for a word in capitals of which there is none.

    >>> value_of("prog.py"), value_of("N"), value_of("--walltime=TIME")
    ('prog.py', '4', '--walltime=1:30:00')
    """
    if word.startswith("[") and word.endswith("]"):  # it may be left out
        word = word[1:-1]
    name, equals, value = word.partition("=")
    if equals and name.startswith("--"):
        return f"{name}={value_of(value)}"
    if word not in PLACEHOLDERS and CAPITALS.fullmatch(word):
        raise ValueError(f"{word} stands for something: say for what in PLACEHOLDERS")
    return PLACEHOLDERS.get(word, word)
