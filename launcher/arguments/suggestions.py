"""What a user may have meant: options of other launchers, typing errors, our options behind the program."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Container, Iterable, Sequence

FOREIGN = {
    "-n": ("-np", "--np", "--n", "-N", "-j", "--jobs", "--workers", "--max-workers", "--num-workers", "--nworkers",
           "--n-workers", "--nproc", "--nprocs", "--ntasks", "--processes", "-w"),
    "--hosts": ("--host", "-host", "-H", "--nodes", "--nodelist"),
    "--hostfile": ("--machinefile", "--host-file", "--nodefile", "-f"),
    "--path": ("--cwd", "--wdir", "--chdir", "--directory", "--working-directory"),
    "--python-interpreter": ("--python", "--interpreter", "--python-executable"),
    "-v": ("--verbose",),
    "-b": ("--brokers",),
    "--ssh-executable": ("--ssh",),
    "--allow-root": ("--root", "--allow-run-as-root", "--run-as-root"),
    "--dry-run": ("--dryrun", "--plan"),
    "--version": ("-V",),
}  # fmt: skip
"""Our options, each with those of other launchers that mean the same."""

_OURS = {theirs: ours for ours, names in FOREIGN.items() for theirs in names}
_TAKES_NUMBER = frozenset({"-n", "-b"})

POINTED_OUT = frozenset({
    "-n", "-b", "--hosts", "--hostfile", "--ssh-executable", "--rsh", "--ssh-config", "--host-key-policy", "--tunnel",
    "--min-hosts", "--require-all", "--grace", "--allow-root", "--python-interpreter", "--pythonpath", "--prolog",
    "--env-file", "--no-prefix",
})  # fmt: skip
"""Options that hardly any program has itself."""

_ANY_OPTION = re.compile(
    r"^\s*(?:import|from)\s+(?:fire|typer|absl|tyro|jsonargparse|simple_parsing|plac|cyclopts)\b", re.MULTILINE
)
"""Imports of libraries that make options of the names of parameters: the text of a program does not show them."""


def suggestion(word: str, following: Sequence[str], known: Collection[str], *, only_foreign: bool = False) -> str:
    """Return ``; did you mean ...?`` for a word that is none of the known options, or an empty string.

    `following` are the words behind it.

    >>> suggestion("-np4", [], ["-n"]), suggestion("--jobs", ["4"], ["-n"])
    ('; did you mean -n 4?', '; did you mean -n 4?')
    >>> suggestion("--hostfil=x", [], ["--hostfile"])
    '; did you mean --hostfile=x?'
    """
    name, equals, value = word.partition("=")
    attached = re.fullmatch(r"(-[A-Za-z]{1,2}|--n)([0-9]+)", name)
    if attached and attached[1] in _OURS:
        name, equals, value = attached[1], "=", attached[2]
    ours = _OURS.get(name)
    if ours is None and name[:1] == "-" and f"-{name}" in known:  # -hostfile
        ours = f"-{name}"
    if ours is None and not only_foreign:
        close = _close(name, [option for option in known if len(option) > 2], 0.7)
        ours = close[0] if close and len(name) > 2 else None
    if ours is None:
        return ""
    if not equals and following and ours in _TAKES_NUMBER and following[0].isdigit():
        value = following[0]
    if value:
        ours += f" {value}" if ours in _TAKES_NUMBER else f"={value}"
    return f"; did you mean {ours}?"


def behind_the_program(rest: Iterable[str], given: Container[str], text: str) -> list[str]:
    """Return our options that stand behind the program, with their values.

    Without those that stand in front of it as well (`given`), and those that the `text` of the program names.

    >>> behind_the_program(["-n", "2", "--x"], [], "print(1)"), behind_the_program(["-n2"], [], "p.add_argument('-n')")
    (['-n 2'], [])
    """
    if _ANY_OPTION.search(text):
        return []
    found, words = [], list(rest)
    for at, word in enumerate(words):
        name = word.partition("=")[0]
        if re.fullmatch(r"-[nb][0-9]+", word):
            name = word[:2]
        if word == "--":
            break
        if name not in POINTED_OUT or name in given or re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
            continue
        value = words[at + 1 : at + 2] if name == word else []
        found.append(" ".join([word, *(one for one in value if not one.startswith("-"))]))
    return found


def similar_file(path: str) -> str:
    """Return ``; did you mean ...?`` with the file beside `path` that has nearly its name, or an empty string."""
    directory, name = os.path.split(path)
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return ""
    close = _close(name, [other for other in names if other != name], 0.8)
    return f"; did you mean {os.path.join(directory, close[0])}?" if close else ""


def _close(name: str, names: Sequence[str], cutoff: float) -> list[str]:
    from difflib import get_close_matches  # which few runs need

    return get_close_matches(name, names, 1, cutoff)
