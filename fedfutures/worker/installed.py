"""How a package that this machine has gets to another host: from an index, by its name there, or with the program."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
from urllib.parse import unquote, urlparse

INSTALL = "install it there: ssh {host} {python} -m pip install "
"""``{host}`` and ``{python}`` stand for those that lack it."""


def advice(top: str, *, travels: bool = True) -> str:
    """Return what people do about a top-level module that another host lacks; `travels`: its text could be sent.

    A package of one's own, installed from a directory, is on no index, and one of its name may be a stranger's: it
    travels once its directory is on PYTHONPATH. An index has the others, under a name that need not be the module's:
    for a module of no distribution that is known here there is no advice.

    >>> advice("no_such_module_anywhere")
    ''
    """
    try:
        distribution = distribution_of(top)
        directory = None if distribution is None else _directory_of(distribution)
    except Exception:  # of packages whose metadata is broken
        return ""
    if distribution is None:
        return ""
    if directory is None:
        return f"{INSTALL}{distribution.metadata['Name']}=={distribution.version}"
    if not travels:
        return f"install it there, from its sources: it is your own package, installed from {directory}"
    return (
        f"it is your own package, installed from {directory}, and on no index: start the program with "
        f"PYTHONPATH={shlex.quote(directory)}, and fedfutures sends it"
    )


def distribution_of(top: str) -> importlib.metadata.Distribution | None:
    """Return what has brought a top-level module; Python 3.10 itself would not look at the lists of files."""
    for distribution in importlib.metadata.distributions():
        names = (distribution.read_text("top_level.txt") or "").split()
        if not names:
            names = [str(path).partition("/")[0] for path in distribution.files or ()]
        if top in names or f"{top}.py" in names:
            return distribution
    return None


def _directory_of(distribution: importlib.metadata.Distribution) -> str | None:
    """Return the directory that holds the modules of what was installed from one (PEP 610); None for others."""
    text = distribution.read_text("direct_url.json")
    origin = json.loads(text) if text else {}
    if "dir_info" not in origin:
        return None
    root = unquote(urlparse(origin["url"]).path)
    source = os.path.join(root, "src")
    return source if os.path.isdir(source) else root
