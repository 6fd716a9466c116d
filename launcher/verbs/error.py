"""``python -m fedfutures error [NAME]``: what an error means, and what to do. The texts stand in ``errors.rst``."""

from __future__ import annotations

import difflib
import pkgutil
import re
import sys

from ..arguments.parser import Parser

DESCRIPTION = "Explain an error of fedfutures, or a standard one that its users meet: an example, causes and remedies."
_SECTION = re.compile(r"^(\w+)\n-{3,}\n\n", re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Print the section about an error, or a line about each."""
    parser = Parser("python -m fedfutures error", description=DESCRIPTION)
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the error; without it, all are listed")
    name = parser.parse_args(arguments).name
    found = sections()
    if name is None:
        width = max(map(len, found))
        for each, text in found.items():
            print(f"{each:{width}}  {first_sentence(text)}")
        return 0
    known = nearest(name, list(found))
    if known is None or known.lower() != short(name).lower():
        meant = "the command without a name lists all" if known is None else f"did you mean {known}?"
        print(f"fedfutures: there is no error {name}; {meant}", file=sys.stderr)
        return 2
    print(f"{known}\n{'=' * len(known)}\n\n{plain(found[known])}")
    return 0


def sections() -> dict[str, str]:
    """Return the texts about all errors by the names of these, in the order of the page, as reStructuredText."""
    data = pkgutil.get_data(__package__, "errors.rst")
    assert data is not None
    _, *parts = _SECTION.split(data.decode())
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2])}


def short(name: str) -> str:
    """Return the name of a class as a traceback has it, without its module.

    >>> short("fedfutures.errors.Deadlock:")
    'Deadlock'
    """
    return name.rstrip(":").rpartition(".")[2]


def nearest(name: str, known: list[str]) -> str | None:
    """Return the known name that is meant.

    >>> nearest("fedfutures.errors.deadlock", ["Deadlock"]), nearest("Poison", ["PoisonedFuture"]), nearest("x", ["y"])
    ('Deadlock', 'PoisonedFuture', None)
    """
    by_folded = {each.lower(): each for each in known}
    close = difflib.get_close_matches(short(name).lower(), by_folded, 1, 0.6)
    return by_folded[close[0]] if close else None


def first_sentence(text: str) -> str:
    """Return what a section says of its error in a line."""
    return plain(text.partition("\n\n")[0].replace("\n", " "))


def plain(text: str) -> str:
    """Return reStructuredText as people read it in a terminal.

    >>> print(plain(".. code-block:: python\\n   :class: plain\\n\\n   f(1)\\n\\n**Causes.** Of ``f``."))
       f(1)
    <BLANKLINE>
    Causes. Of f.
    """
    text = re.sub(r"^\.\. code-block:: \w+\n(?:   :.*\n)*\n", "", text, flags=re.MULTILINE)
    return text.replace("``", "").replace("**", "")
