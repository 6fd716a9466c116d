"""Starts a keeper, and waits until it is ready."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from dataclasses import asdict

from .. import limits
from ..errors import RemoteProtocolError, StartFailed
from ..host import starting
from ..host.flags import ROOT, main_command
from ..wire.control import BeginServer, ControlFrame, ServerStatus, StartRefused
from ..wire.framing import FrameReader, pack
from .places import StandingPlace
from .recipe import Recipe
from .status import Status, status_from

READY_SECONDS = 60.0

_processes: list[subprocess.Popen[bytes]] = []


def start_keeper(place: StandingPlace, recipe: Recipe) -> Status:
    """Start the keeper of a standing Federation, in a session of its own; return what it says. Raises StartFailed."""
    place.make()
    command = main_command(starting.keeper_module, [sys.executable], [], ROOT)
    try:
        with open(os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True, bufsize=0,
                cwd="/",
            )  # fmt: skip
    except OSError as error:
        raise StartFailed(f"the keeper of {place.name} cannot be started: {limits.reached(error) or error}") from error
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(pack(BeginServer(place.path, asdict(recipe))))
        answer = _answer(process.stdout.fileno(), place)
    if isinstance(answer, StartRefused):
        process.wait()
        raise StartFailed(answer.reason, answer.exit_code)
    if not isinstance(answer, ServerStatus):
        process.kill()
        process.wait()
        raise StartFailed(f"the keeper of {place.name} did not become ready; its messages are in {place.log}")
    _processes.append(process)  # it outlives this process, which need not wait for it
    return status_from(answer.status)


def _answer(descriptor: int, place: StandingPlace) -> ControlFrame | None:
    reader, deadline = FrameReader(), time.monotonic() + READY_SECONDS
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    while poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
        data = os.read(descriptor, 1 << 16)
        if not data:
            return None
        try:
            frames = reader.feed(data)
        except RemoteProtocolError:
            return None
        if frames:
            return frames[0]
    return None
