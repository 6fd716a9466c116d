"""The places of texts in which command lines stand. Pure.

In reStructuredText these are blocks and inline literals; a docstring is such text. A message is
prose that has commands in it.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
OPENS = re.compile(r"( *)(?:\.\. code-block::.*|(?!\.\. ).*::)")


class Piece(NamedTuple):
    """A piece of text with commands."""

    line: int
    text: str
    kind: str  # "block", "literal", or "prose": commands end where their sentence goes on


def of_page(text: str) -> Iterator[Piece]:
    """Yield the blocks and literals of reStructuredText, and each paragraph of the rest.

    >>> for piece in of_page("A ``b`` c::\\n\\n    d \\\\\\n      e\\n\\nf"): print(piece)
    Piece(line=1, text='b', kind='literal')
    Piece(line=1, text='A   c::\\n', kind='prose')
    Piece(line=3, text='d \\\\\\n  e', kind='block')
    Piece(line=6, text='f', kind='prose')
    """
    lines = text.expandtabs().split("\n")
    rest: list[str] = []
    at = begin = 0
    while at < len(lines):
        opens = OPENS.fullmatch(lines[at])
        rest.append(lines[at])
        at += 1
        if opens is None:
            continue
        end = at
        while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > len(opens[1])):
            end += 1
        block = lines[at:end]
        while block and (not block[0].strip() or re.match(r" *:\w+:", block[0])):
            at, block = at + 1, block[1:]
        if not block:
            continue
        yield from _of_prose("\n".join([*rest, ""]), begin + 1)
        yield Piece(at + 1, textwrap.dedent("\n".join(block)).rstrip(), "block")
        at = begin = end
        rest = []
    yield from _of_prose("\n".join(rest), begin + 1)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _of_prose(text: str, line: int) -> Iterator[Piece]:
    for found in LITERAL.finditer(text):
        yield Piece(line + text[: found.start()].count("\n"), " ".join(found[1].split()), "literal")
    text = LITERAL.sub(lambda found: " " + "\n" * found[0].count("\n"), text)
    if text.strip():
        yield Piece(line, text, "prose")


def of_module(text: str) -> Iterator[Piece]:
    """Yield the pieces of all strings of a Python module; what a message puts in is the placeholder VALUE."""
    parts: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in ast.walk(node) if part is not node}
            if id(node) not in parts:
                joined = (part.value if isinstance(part, ast.Constant) else "VALUE" for part in node.values)
                yield from _moved("".join(map(str, joined)), node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield from _moved(node.value, node.lineno)


def _moved(text: str, line: int) -> Iterator[Piece]:
    if "fedfutures" in text:
        for piece in of_page(text):
            yield piece._replace(line=line + piece.line - 1)
