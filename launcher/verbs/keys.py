"""``python -m fedfutures key``, ``allow NAME PUBLICKEY`` and ``revoke NAME KEY``: who may come by TCP."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import DoorVisit, status_of
from fedfutures.standing.places import StandingPlace
from fedfutures.standing.status import Status
from fedfutures.wire.control import KeyRevoked, RevokeKey

from ..arguments.parser import Parser
from ..connector.listening import address_of
from ..ssh.own_keys import AllowedKeys, loaded, made, public_line, usual_path
from . import refusals


def main_of_key(arguments: Sequence[str]) -> int:
    """Make the user's key if there is none, and print its public half; return the exit code: 0, or 2 for a bad file."""
    parser_of_key().parse_args(list(arguments))
    path = usual_path()
    try:
        if made(path):
            print(f"fedfutures: a new key is in {path}; it stays on this machine", file=sys.stderr)
        print(public_line(loaded(path)))
    except StartFailed as error:
        return refusals.say(error)
    return 0


def main_of_allow(arguments: Sequence[str]) -> int:
    """Let a key in; return the exit code: 0, or 2 for what is no key and a name that is unknown."""
    given = parser_of_allow().parse_args(list(arguments))
    try:
        place, status = StandingPlace(given.name), status_of(given.name)
        is_new = AllowedKeys(place.path).add(" ".join(given.key))
    except StartFailed as error:
        return refusals.say(error)
    print(f"the key may come to {given.name}" if is_new else f"the key may come to {given.name} already")
    where = address_of(status)
    if where:
        print(f"there: fedfutures join '{where}'; or for a program: fedfutures --join '{where}' prog.py")
    else:
        print(f"but {given.name} does not listen: start it again with fedfutures up {given.name} --listen PORT")
    return 0


def main_of_revoke(arguments: Sequence[str]) -> int:
    """Let a key in no longer, and end its connections; return the exit code: 0, or 2 for a key that is not allowed."""
    given = parser_of_revoke().parse_args(list(arguments))
    try:
        place, status = StandingPlace(given.name), status_of(given.name)
        found = AllowedKeys(place.path).remove(" ".join(given.key))
        if not found:
            raise StartFailed(f"no such key is allowed in {given.name}; fedfutures status {given.name} shows who is", 2)
        ended = sum(_connections_ended(status, key) for key in found)
    except StartFailed as error:
        return refusals.say(error)
    keys, connections = len(found), f"{ended} connection{'s' * (ended != 1)}"
    print(f"{keys} key{'s' * (keys != 1)} may no longer come to {given.name}; {connections} ended")
    return 0


def _connections_ended(status: Status, key: str) -> int:
    """Have the keeper end what has come with a key; return how many connections these were. Raises StartFailed."""
    if not status.request.get("listen"):
        return 0
    visit = DoorVisit(status.door, status.name)
    try:
        answer = visit.ask(RevokeKey(key))
    finally:
        visit.close()
    if not isinstance(answer, KeyRevoked):
        raise StartFailed(f"the keeper of {status.name} has answered by {type(answer).__name__}", 3)
    return answer.connections


def parser_of_key() -> Parser:
    """Return the parser of the command line of ``key``."""
    return Parser(
        "python -m fedfutures key",
        description="Print the public half of your key, by which you come to a standing Federation without ssh; it is "
        "made if there is none. The variable FEDFUTURES_KEY names another file than ~/.config/fedfutures/key.",
        allow_abbrev=False,
    )  # fmt: skip


def parser_of_allow() -> Parser:
    """Return the parser of the command line of ``allow``."""
    found = Parser(
        "python -m fedfutures allow",
        description="Let somebody come to a standing Federation by TCP, with a host or a program. Who comes can run "
        "anything as you, on all hosts.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="the standing Federation")
    found.add_argument("key", metavar="PUBLICKEY", nargs="+", help="what fedfutures key prints there")
    return found


def parser_of_revoke() -> Parser:
    """Return the parser of the command line of ``revoke``."""
    found = Parser(
        "python -m fedfutures revoke",
        description="Let a key no longer come to a standing Federation, and end its connections.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="the standing Federation")
    found.add_argument(
        "key", metavar="KEY", nargs="+", help="the public key, its fingerprint SHA256:..., or its comment"
    )
    return found
