"""Every noun of a public name, and of a class that crosses a folder's border, stands in the nomenclature.

Its noun is its last word: that of ``LocalQueue`` is "queue". Messages, frames, events and actions are verbs, and have
pages of their own; errors have their tree in errors.py.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from house import tree

import fedfutures
from fedfutures import futures

PAGE = (Path(__file__).parents[1] / "docs" / "nomenclature.rst").read_text()
TERMS = re.findall(r"^   ([A-Z][A-Za-z-]*(?: [a-z-]+)*)$", PAGE, re.M)
"""The terms that are explained."""
INDEX = re.search(r"^Nouns of names\n-+\n(.*)", PAGE, re.M | re.S)
LISTED = re.findall(r"\*\*([a-z ]+)\*\*", INDEX[1] if INDEX else "")
"""Nouns that are explained in half a sentence, at the end of the page."""
KNOWN = {word for term in (*TERMS, *LISTED) for word in term.lower().split()}
SYNONYMS = {
    "job": "Future", "task": "Future", "scheduler": "Broker", "mailbox": "queue",
    "cluster": "Federation", "engine": "Worker", "shard": "slice", "promise": "Future",
}  # fmt: skip
"""What other libraries call these things: no class here is called so."""


def words(name: str) -> list[str]:
    """Return the words of a name in CamelCase or with underscores, in small letters.

    >>> words("SSHTarget"), words("map_reduce")
    (['ssh', 'target'], ['map', 'reduce'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def singular(noun: str) -> str:
    """Return a noun in the singular, as far as our names need it."""
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-1] if noun.endswith("s") and not noun.endswith(("ss", "us")) else noun


ELSEWHERE = ("messages", "control", "events", "errors")
"""Modules whose classes are explained on pages of their own."""


def folder(name: str) -> str:
    return name.rpartition(".")[0]


def _is_verb(found: ast.ClassDef) -> bool:
    return (ast.get_docstring(found) or "").startswith(("Event:", "Action:"))


def crossing() -> set[str]:
    """Return the classes that modules of another folder use than the one that defines them."""
    modules = tree.modules()
    names = set[str]()
    for name, module in modules.items():
        for node in module.nodes:
            if isinstance(node, ast.ImportFrom):
                base = ".".join(name.split(".")[: -node.level] + ([node.module] if node.module else []))
                if not node.level:
                    base = node.module or ""
                found = modules.get(base)
                if found is None or folder(base) == folder(name) or base.rpartition(".")[2] in ELSEWHERE:
                    continue
                own = {each.name for each in found.nodes if isinstance(each, ast.ClassDef) and not _is_verb(each)}
                names |= own & {alias.name for alias in node.names}
    return {name for name in names if not name.startswith("_")}


PUBLIC = {
    name for name in (*fedfutures.__all__, *futures.__all__)
    if isinstance(getattr(fedfutures, name, None) or getattr(futures, name, None), type) and not name.endswith("Error")
}  # fmt: skip
NAMES = sorted(PUBLIC | crossing())


def test_every_noun_is_explained() -> None:
    missing = {}
    for name in NAMES:
        noun = words(name)[-1]
        if not {noun, singular(noun)} & KNOWN:
            missing.setdefault(singular(noun), []).append(name)
    assert not missing, "not in docs/nomenclature.rst: " + "; ".join(
        f"{noun} ({', '.join(names)})" for noun, names in sorted(missing.items())
    )


def test_nothing_is_explained_twice() -> None:
    explained = [term.lower() for term in (*TERMS, *LISTED)]
    assert len(explained) == len(set(explained))
    assert len(TERMS) > 50


def test_what_is_listed_is_used() -> None:
    used = {form for name in NAMES for form in (words(name)[-1], singular(words(name)[-1]))}
    assert [noun for noun in LISTED if noun not in used] == []


@pytest.mark.parametrize("synonym", SYNONYMS)
def test_no_thing_has_the_name_that_others_give_it(synonym: str) -> None:
    assert [name for name in NAMES if synonym in " ".join(words(name))] == []
