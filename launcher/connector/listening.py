"""Where a standing Federation lets in who comes by TCP: what ``up --listen`` says, and the address that others type."""

from __future__ import annotations

import os
import pwd
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.standing.places import StandingPlace
from fedfutures.standing.status import Status

from ..launchers.keeper_visit import address_by_key
from ..layout.assemble import Request
from ..ssh.known_hosts import fingerprint
from ..ssh.own_keys import AllowedKeys, key_of, loaded, made

ANY = ("", "::", "0.0.0.0")
"""Addresses that mean all of a machine's."""


def server_key(place: StandingPlace) -> str:
    """Return the file of the key of the server itself."""
    return os.path.join(place.path, "server_key")


def listen_of(place: StandingPlace, word: str) -> dict[str, Any]:
    """Return what the keeper's connector is asked for by ``[ADDRESS:]PORT``; the server gets a key if it has none.

    Raises ValueError for what is no port, and StartFailed.
    """
    address, _, port = word.rpartition(":")
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"--listen {word}: write PORT or ADDRESS:PORT, and the port is a number from 1 to 65535")
    place.make()
    made(server_key(place))
    key = fingerprint(loaded(server_key(place)).asbytes())
    return {"address": address.strip("[]"), "port": int(port), "place": place.path, "key": key}


def announced_of(request: Request) -> tuple[str, dict[str, str], int]:
    """Return what a keeper's connector announces: where, the facts, and the port."""
    address = request.listen.get("address", "")
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in containers there may be no such entry
        user = ""
    facts = {
        "name": request.announce.get("name", ""), "host": request.local.name, "user": user,
        "address": "" if address in ANY else address, "key": request.listen.get("key", ""),
    }  # fmt: skip
    return request.announce.get("where", ""), facts, request.listen.get("port", 0)


def address_of(status: Status) -> str:
    """Return what others type to come to a Federation; "": it does not listen."""
    listen = status.request.get("listen")
    if not listen:
        return ""
    host = status.host if listen["address"] in ANY else listen["address"]
    return address_by_key(host, listen["port"], status.name, listen["key"])


def allowed(status: Status) -> list[str]:
    """Return who may come: fingerprint and comment of each key."""
    listen = status.request.get("listen")
    try:
        lines = AllowedKeys(listen["place"]).lines() if listen else []
        return [" ".join([fingerprint(key_of(line)), *line.split()[2:]]) for line in lines]
    except StartFailed as error:
        return [error.summary]
