"""``python -m fedfutures discover``: the standing Federations that are announced on the local network."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from fedfutures.errors import StartFailed

from ..arguments.parser import Parser
from ..arguments.values import seconds
from ..connector.announcing import ALL, AnnouncedFederation, discovered, is_installed
from . import refusals
from .listing import JSON_HELP

LISTEN_SECONDS = 3.0
INTERFACE_HELP = "the address of the interface of the local network; default: all"
NOT_INSTALLED = "this needs the library zeroconf; try: python -m pip install 'fedfutures[discovery]'"


def main(arguments: Sequence[str]) -> int:
    """Listen, and print what is announced; return the exit code: 0, or 2 where nobody can listen."""
    given = parser().parse_args(list(arguments))
    try:
        if not is_installed():
            raise StartFailed(NOT_INSTALLED, 2)
        found = discovered(given.interface or ALL, given.seconds)
    except StartFailed as error:
        return refusals.say(error)
    except OSError as error:
        return refusals.say(StartFailed(f"nobody can listen to {given.interface or 'the local network'}: {error}", 2))
    if given.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    elif found:
        print("\n".join(map(described, found)))
    else:
        print(f"fedfutures: no standing Federation was announced here within {given.seconds:g} s", file=sys.stderr)
    return 0


def described(one: AnnouncedFederation) -> str:
    """Return lines on what is announced, and how to join."""
    where = f"{one.user}@{one.host}" if one.user else one.host
    lines = [f"{one.name}: {one.workers} Workers, keeper on {one.host}, fedfutures {one.version}"]
    lines += [f"  by ssh: fedfutures --join {where}:{one.name} prog.py"]
    if one.address:
        lines += [
            f"  by an allowed key: fedfutures --join '{one.address}' prog.py",
            "  anybody on this network may have announced that: compare what is behind # with what its user says",
        ]
    return "\n".join(lines)


def announce_of(given: argparse.Namespace) -> dict[str, str]:
    """Return what the keeper's connector is asked for by ``--announce``. Raises ValueError without the library."""
    if not is_installed():
        raise ValueError(f"--announce: {NOT_INSTALLED}")
    return {"where": given.interface or ALL, "name": given.name}


def parser() -> Parser:
    """Return the parser of its command line."""
    found = Parser(
        "python -m fedfutures discover",
        description="List the standing Federations that are announced on the local network (up --announce).",
        allow_abbrev=False,
    )
    found.add_argument(
        "--seconds", type=seconds, default=LISTEN_SECONDS, metavar="TIME",
        help=f"listen for so long; default: {LISTEN_SECONDS:g} s",
    )  # fmt: skip
    found.add_argument("--interface", metavar="ADDRESS", help=INTERFACE_HELP)
    found.add_argument("--json", action="store_true", help=JSON_HELP)
    return found
