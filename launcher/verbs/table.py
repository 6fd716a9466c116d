"""The table of verbs: first words of the command line that mean something other than to run a program.

A first word that stands in the table is a verb, unless a program of that name is there: then it might be either, and
nothing runs. Options of a run may not precede a verb, so all that follows it is the verb's own.
"""

from __future__ import annotations

import difflib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..arguments.splitting import ENDINGS, BadLine, is_program
from ..arguments.suggestions import similar_file


class Verb(NamedTuple):
    """What a verb is for; the function that takes its arguments, explains ``--help``, and returns the exit code."""

    purpose: str
    main: Callable[[list[str]], int]


def _add(arguments: list[str]) -> int:
    from . import hosts

    return hosts.main_of_add(arguments)


def _remove(arguments: list[str]) -> int:
    from . import hosts

    return hosts.main_of_remove(arguments)


def _key(arguments: list[str]) -> int:
    from . import keys

    return keys.main_of_key(arguments)


def _allow(arguments: list[str]) -> int:
    from . import keys

    return keys.main_of_allow(arguments)


def _revoke(arguments: list[str]) -> int:
    from . import keys

    return keys.main_of_revoke(arguments)


def _checkpoint(arguments: list[str]) -> int:
    from . import checkpoint

    return checkpoint.main(arguments)


def _discover(arguments: list[str]) -> int:
    from . import discover

    return discover.main(arguments)


def _error(arguments: list[str]) -> int:
    from . import error  # a module is loaded only for its verb

    return error.main(arguments)


def _explain(arguments: list[str]) -> int:
    from . import asking

    return asking.main_of_explain(arguments)


def _stack(arguments: list[str]) -> int:
    from . import asking

    return asking.main_of_stack(arguments)


def _provision(arguments: list[str]) -> int:
    from . import provision

    return provision.main(arguments)


def _up(arguments: list[str]) -> int:
    from . import up

    return up.main(arguments)


def _down(arguments: list[str]) -> int:
    from . import down

    return down.main(arguments)


def _join(arguments: list[str]) -> int:
    from . import join

    return join.main(arguments)


def _list(arguments: list[str]) -> int:
    from . import listing

    return listing.main_of_list(arguments)


def _logs(arguments: list[str]) -> int:
    from . import logs

    return logs.main(arguments)


def _status(arguments: list[str]) -> int:
    from . import listing

    return listing.main_of_status(arguments)


def _report(arguments: list[str]) -> int:
    from . import report

    return report.main(arguments)


def _top(arguments: list[str]) -> int:
    from . import top

    return top.main(arguments)


def _page(arguments: list[str]) -> int:
    from . import page

    return page.main(arguments)


def _help(arguments: list[str]) -> int:
    from . import help

    return help.main(arguments, VERBS)


VERBS = {
    "add": Verb("add hosts to a standing Federation", _add),
    "allow": Verb("let a key come to a standing Federation by TCP", _allow),
    "checkpoint": Verb("show what a checkpoint has, remove results from it, or export them", _checkpoint),
    "discover": Verb("list the standing Federations that are announced on the local network", _discover),
    "down": Verb("end a standing Federation", _down),
    "error": Verb("explain an error of fedfutures by its name, or list all of them", _error),
    "explain": Verb("say what takes long in a run, and what waits for what", _explain),
    "help": Verb("explain a verb, or list all of them", _help),
    "join": Verb("bring this machine to a standing Federation, as a node of a batch job", _join),
    "key": Verb("print the public half of your key, by which you come to a standing Federation without ssh", _key),
    "list": Verb("list the runs and the standing Federations", _list),
    "logs": Verb("show what the keeper of a standing Federation has done", _logs),
    "page": Verb("serve a page that shows a run, for a browser", _page),
    "provision": Verb("remove from hosts what --provision has put there", _provision),
    "remove": Verb("remove hosts from a standing Federation", _remove),
    "report": Verb("say why a run was not faster, from its trace", _report),
    "revoke": Verb("let a key no longer come to a standing Federation, and end its connections", _revoke),
    "stack": Verb("show where in their code the Workers of a run are", _stack),
    "status": Verb("show a run, or a standing Federation", _status),
    "top": Verb("show what runs where in a run, again every second", _top),
    "up": Verb("start a standing Federation, which programs join", _up),
}


def verb_of(words: Sequence[str], exists: Callable[[str], bool] = is_program) -> str | None:
    """Return the verb with which a command line begins; None: it runs a program. Raises :class:`BadLine`.

    >>> verb_of(["error", "Deadlock"]), verb_of(["prog.py", "error"]), verb_of(["-n", "2", "error"])
    ('error', None, None)
    """
    word = words[0] if words else "-"
    if word in VERBS:
        if exists(word):
            raise BadLine(
                f"{word} is a verb of fedfutures, and a program here: for the program write ./{word} or -- {word}; for "
                f"the verb, go to another directory"
            )
        return word
    if word.startswith("-") or word.endswith(ENDINGS) or "/" in word or exists(word) or similar_file(word):
        return None
    close = difflib.get_close_matches(word.lower(), VERBS, 1, 0.7)
    if close:
        raise BadLine(f"there is no program {word} here, and no such verb; did you mean the verb {close[0]}?")
    return None


def run(verb: str, arguments: list[str]) -> int:
    """Run a verb; return its exit code, which is that of SIGPIPE if whoever reads the output has read enough."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of programs may be anything, and terminals lack characters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = VERBS[verb].main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        return 128 + signal.SIGPIPE
    return code
