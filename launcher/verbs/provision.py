"""``python -m fedfutures provision --clean HOST ...``: removes what ``--provision`` has put there."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Sequence

from fedfutures.errors import StartFailed

from ..arguments.parser import Parser
from ..connector.access import ssh_client
from ..hosts.spec import BadHosts, HostSpec
from ..hosts.words import from_word
from ..ssh.client import Client
from ..ssh.session import LoginTarget
from ..ssh.texts.command import CLEAN, clean_command
from . import refusals
from .standing import add_host_options, hosts_of, without_ways

SECONDS = 30.0
"""A host that has not answered for so long is given up."""


def main(arguments: Sequence[str]) -> int:
    """Remove it from each host; return the exit code: 0, 2 for bad input, 3 if a host cannot be reached."""
    given = parser().parse_args(list(arguments))
    try:
        specs = list(map(from_word, given.hosts))
        client = ssh_client(hosts_of(given))
    except BadHosts as error:
        return refusals.say(StartFailed(str(error), 2))
    try:
        done = [_clean(client, spec) for spec in specs]
    finally:
        client.close()
    return 0 if all(done) else 3


def _clean(client: Client, spec: HostSpec) -> bool:
    """Clean one host, and say what was found there; return whether it was reached."""
    session = client.start(LoginTarget(spec.host, spec.host, spec.user, spec.port, command=clean_command()))
    session.close_input()
    said, deadline = b"", time.monotonic() + SECONDS
    while not said.partition(CLEAN)[2].endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        if select.select([session.read_fd], [], [], left)[0]:
            if not (data := os.read(session.read_fd, 1 << 16)):
                break
            said += data
    failure = session.failure
    session.close()
    if CLEAN in said:
        print(f"{spec.host}: {said.partition(CLEAN)[2].splitlines()[0].decode('utf-8', 'replace')}")
        return True
    print(f"fedfutures: {failure or f'{spec.host}: it did not say that it has removed anything'}", file=sys.stderr)
    return False


def parser() -> Parser:
    """Return the parser of its command line."""
    found = Parser(
        "python -m fedfutures provision",
        description="Remove from hosts what runs with --provision have put into ~/.cache/fedfutures there.",
        allow_abbrev=False,
    )
    found.add_argument("--clean", action="store_true", required=True, help="remove it; nothing else can be done yet")
    found.add_argument("hosts", nargs="+", metavar="HOST", help="[user@]host[:port], as ssh takes it")
    add_host_options(found, "the way to the hosts", without_ways())
    return found
