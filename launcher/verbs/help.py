"""``python -m fedfutures help [VERB]``: what a verb does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..arguments.parser import Parser


def main(arguments: list[str], verbs: Mapping[str, tuple[str, Callable[[list[str]], int]]]) -> int:
    """Print the help of a verb, or a line about each; `verbs` has the purpose and the function of each."""
    parser = Parser("python -m fedfutures help", description="Explain a verb, or list all of them.")
    parser.add_argument("verb", nargs="?", metavar="VERB", choices=list(verbs), help="one of: %(choices)s")
    verb = parser.parse_args(arguments).verb
    if verb is not None:
        return verbs[verb][1](["--help"])
    width = max(map(len, verbs))
    print("python -m fedfutures [options] PROGRAM ...   runs a program; --help lists the options.\n")
    print("python -m fedfutures VERB ...   does something else; VERB --help says what it takes:\n")
    for name, (purpose, _) in verbs.items():
        print(f"  {name:{width}}  {purpose}")
    return 0
