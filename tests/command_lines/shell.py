"""The commands of a piece of shell text, split as a shell splits them. Pure.

It knows as much of the shell as pages for people need: quotes, continued lines, comments, variables, redirections,
lists and pipes, loops and conditions, and commands within a word, as behind ``sh -c``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

KEYWORDS = {"if", "then", "else", "elif", "do", "while", "until", "!", "time", "exec", "nohup", "{", "}"}
"""Words that may stand in front of a command."""
OPERATORS = set(";|&()")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
REDIRECTION = re.compile(r"(?<=[\s\w'\"])\d?(?:>>?|<)(?:&\d|\s*[^\s;|&)<>'\"]+)")
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)[^}]*\}|[@*#?])")
NESTED = re.compile(r"\s-m fedfutures(?:\s|$)")


def commands(text: str, variables: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the words of each command, those within words included; `variables`: "" has the value of all others.

    >>> list(commands("for i in 1 2; do FOO=1 time sh -c 'run \\"$i\\"' | tee x; done  # so", {"i": "1", "": "x"}))
    [['sh', '-c', 'run "1"'], ['tee', 'x'], ['done']]
    >>> list(commands("ssh h 'python -m fedfutures a.py' 2>&1", {}))
    [['ssh', 'h', 'python -m fedfutures a.py'], ['python', '-m', 'fedfutures', 'a.py']]
    """
    for line in _logical_lines(text):
        line = VARIABLE.sub(lambda found: variables.get(found[1] or found[2] or "@", variables.get("", "x")), line)
        words: list[str] = []
        for word in [*_words(REDIRECTION.sub(" ", line)), ";"]:
            if not set(word) <= OPERATORS:
                words.append(word)
                continue
            command = _without_prefix(words)
            words = []
            if command and command[0] not in ("for", "fi", "case", "esac"):
                yield command
                for each in command:
                    if NESTED.search(each):
                        yield from commands(re.sub(r"^--[\w-]+=", "", each), variables)


def _logical_lines(text: str) -> Iterator[str]:
    """Yield lines with those that continue them: behind a backslash, or within quotes that are open."""
    line = ""
    for each in [*text.replace("\\\n", " ").splitlines(), ""]:
        line = f"{line}\n{each}" if line else each
        if each and not _is_closed(line):
            continue
        if _is_closed(line):
            yield line
        else:  # no shell text: an apostrophe
            yield from (each.replace("'", " ").replace('"', " ") for each in line.splitlines())
        line = ""


def _is_closed(line: str) -> bool:
    try:
        _words(line)
    except ValueError:
        return False
    return True


def _words(line: str) -> list[str]:
    found = shlex.shlex(line, posix=True, punctuation_chars="".join(OPERATORS))
    found.whitespace_split = True
    return list(found)


def _without_prefix(words: list[str]) -> list[str]:
    """Leave out keywords, the prompt, and assignments in front."""
    at = 0
    while at < len(words) and (words[at] in KEYWORDS or words[at] == "$" or ASSIGNMENT.match(words[at])):
        at += 1
    return words[at:]
