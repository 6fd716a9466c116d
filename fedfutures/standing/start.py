"""Starts a keeper: who starts it takes the lock of the place first, and the keeper inherits it.

So of several that start one at a time, one does, and a keeper that is killed before it is ready leaves the place free.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import NoReturn

from .. import limits
from ..errors import RemoteProtocolError, StartFailed
from ..host import starting
from ..host.flags import ROOT, main_command
from ..host.system import subreaper_paused
from ..wire.control import BeginServer, ControlFrame, HostTable, Notice, ServerStatus, StartRefused
from ..wire.framing import FrameReader, pack
from .identity import READ_AT_START
from .log import opened
from .places import StandingPlace
from .recipe import Recipe, recipe_from
from .status import Status, status_from

READY_SECONDS = 60.0
LAST_WORD_SECONDS = 1.0
"""For so long one that does not become ready may say why."""
LOGINS = 3.0
"""How often a host may take its time: it may need several logins."""

_processes: list[subprocess.Popen[bytes]] = []


class HasKeeper(StartFailed):
    """Somebody else has the lock: a keeper lives, or is being started."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the standing Federation {name} has a keeper already", 2)


def start_keeper(place: StandingPlace, recipe: Recipe, *, quiet: bool = True) -> Status:
    """Start the keeper of a standing Federation, in a session of its own; return what it says.

    quiet: print the table of hosts only if one cannot be used.

    Raises StartFailed, and HasKeeper where there is one.
    """
    place.make()
    if not place.take():
        raise HasKeeper(place.name)
    try:
        orders = _orders(place, recipe)
        process = _popen(place, recipe)
    finally:
        place.let_go()
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(orders)
        answer = _answer(process.stdout.fileno(), _seconds(recipe), quiet=quiet)
    if isinstance(answer, StartRefused):
        process.wait()
        raise StartFailed(answer.reason, answer.exit_code)
    if not isinstance(answer, ServerStatus):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LAST_WORD_SECONDS)
        process.kill()
        process.wait()
        raise StartFailed(f"the keeper of {place.name} did not become ready; its messages are in {place.log}")
    _processes.append(process)  # it outlives this process, which need not wait for it
    return status_from(answer.status)


def start_again(place: StandingPlace) -> bool:
    """Start the keeper again, from what is recorded, and do not wait for it; return whether it is being started.

    A host process calls this: it has one thread, and kills its own children when it ends, so the keeper is none of
    them. Raises OSError and StartFailed.
    """
    if not place.take(0.0):
        return False
    pipe: tuple[int, ...] = ()
    try:
        record = place.record()
        if record is None:  # the Federation was taken down meanwhile
            return False
        recipe, pipe = recipe_from(record), os.pipe2(os.O_CLOEXEC)
        os.set_blocking(pipe[1], False)
        os.write(pipe[1], _orders(place, recipe))
        with subreaper_paused():
            if not (pid := os.fork()):
                _part(lambda: _become_keeper(place, recipe, pipe[0]))
            os.waitpid(pid, 0)
    finally:
        place.let_go()
        for descriptor in pipe:
            os.close(descriptor)
    return True


def recovered(place: StandingPlace) -> Status:
    """Start the keeper again, from what is recorded, and wait for it. Raises StartFailed."""
    record = place.record()
    if record is None:
        raise StartFailed(f"what was recorded of {place.name} cannot be read; try: fedfutures up {place.name}", 2)
    return start_keeper(place, recipe_from(record))


def _command(recipe: Recipe) -> list[str]:
    return main_command(starting.keeper_module, [recipe.python], [], ROOT)


def _environment(recipe: Recipe) -> dict[str, str]:
    """Return that of this process, but for what the interpreter reads as it begins: so programs find their equal."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(READ_AT_START)}
    return others | recipe.environment


def _orders(place: StandingPlace, recipe: Recipe) -> bytes:
    return pack(BeginServer(place.path, asdict(recipe) | {"lock": place.lock}))


def _popen(place: StandingPlace, recipe: Recipe) -> subprocess.Popen[bytes]:
    try:
        with opened(place.log) as log:
            return subprocess.Popen(
                _command(recipe), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                bufsize=0, cwd="/", env=_environment(recipe), pass_fds=[place.lock],
            )  # fmt: skip
    except OSError as error:
        raise StartFailed(f"the keeper of {place.name} cannot be started: {limits.reached(error) or error}") from error


def _part(become: Callable[[], NoReturn]) -> NoReturn:
    """Leave the session and the parent of the process that has forked this one."""
    code = 1
    try:
        os.setsid()
        if not os.fork():
            become()
        code = 0
    finally:
        os._exit(code)


def _become_keeper(place: StandingPlace, recipe: Recipe, orders: int) -> NoReturn:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(ending, signal.SIG_DFL)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    with opened(place.log) as log:
        for number, descriptor in enumerate((orders, null, log.fileno())):
            os.dup2(descriptor, number)
    os.set_inheritable(place.lock, True)
    for number in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, place.lock}:
        with contextlib.suppress(OSError):
            os.close(number)
    command = _command(recipe)
    os.execve(command[0], command, _environment(recipe))


def _seconds(recipe: Recipe) -> float:
    """Return how long a keeper may take: hosts may have been given their time."""
    of_hosts: float | None = recipe.request.get("options", {}).get("start_timeout")
    return READY_SECONDS + LOGINS * (of_hosts or 0.0)


def _answer(descriptor: int, seconds: float, *, quiet: bool) -> ControlFrame | None:
    reader, deadline = FrameReader(), time.monotonic() + seconds
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
        for frame in frames:
            if isinstance(frame, (ServerStatus, StartRefused)):
                return frame
            if isinstance(frame, HostTable) and (frame.problems or not quiet):
                print(frame.text, file=sys.stderr)
            elif isinstance(frame, Notice):
                print(f"fedfutures: {frame.text}", file=sys.stderr)
    return None
