"""The process that has imported the program, or modules for it, and that forks a host's Workers (decision 0102).

It has no node: no ZeroMQ context, no sockets to the Broker, no threads. A Worker that is forked from it goes on behind
the import. If a fork would not be safe, it says why, and ends; then Workers import the program themselves.
"""

from __future__ import annotations

import faulthandler
import functools
import gc
import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from ..host.crash_cells import CrashCells
from ..host.host_report import write_stack_to
from ..host.marks import take_mark
from ..host.settings import Settings
from ..host.system import die_with_parent, name_process, write_all
from ..host.template import imports_program
from ..limits import reached
from ..program import records
from ..wire.control import ControlFrame, ForkWorker, TemplateReady, WorkerForked
from ..wire.framing import FrameReader, pack
from . import current
from .differing import NODE, Differing
from .fork_safety import footprint, unsafe
from .ground import Ground
from .process import prepare, run

ADOPTION_SECONDS = 5.0
_PAUSE_SECONDS = 0.0001
_FRAME_BYTES = 1 << 16
_DESCRIPTORS_AT_MOST = 8


def main(
    boxes: Sequence[CrashCells], settings: Settings, facts: dict[str, Any], name: str, control: int, box: CrashCells,
    dump: int,
) -> None:  # fmt: skip
    """Run a template in this, just forked, process; `boxes`: the crash cells of its Workers. A Worker returns, too."""
    name_process("fedfut-template")
    faulthandler.enable(dump, all_threads=False)
    write_stack_to(dump)
    spool = prepare(settings, box)
    if spool is not None:
        spool.write_at_once()
    current.be_worker(name, settings.host, has_files=True)
    ground = Ground()
    before = footprint()
    ground.watch()
    differing = Differing(functools.partial(_end, control, NODE))
    differing.begin()
    for name in settings.preload:
        _preload(name)
    if imports_program(settings) and settings.program is not None:
        ground.import_program(*settings.program)
    differing.end()
    _flush()
    why = differing.why or unsafe(before, footprint())
    if why:
        _end(control, why)
    gc.collect()
    gc.freeze()
    wanted = _serve(control, dump, facts) if _tell(control, TemplateReady()) else None
    if wanted is None:  # the run is over
        os._exit(0)
    worker, its_control = wanted
    its_box = boxes[worker.box]
    if spool is not None:
        spool.adopt(its_box.halves, its_box.cells)
    differing.begin_worker()
    ground.locks.begin()
    settings = replace(settings, workers=worker.workers, size=worker.size)
    run(settings, worker.facts, worker.name, its_control, its_box, ground)


def _preload(name: str) -> None:
    """Import a module; one that cannot be imported is the program's affair, where it imports that itself."""
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(f"fedfutures: --preload {name}: {type(error).__name__}: {error}", file=sys.stderr)


def _end(control: int, why: str) -> NoReturn:
    """No Worker may be forked from here."""
    _flush()
    _tell(control, TemplateReady(why))
    os._exit(0)


def _flush() -> None:
    """What the import has printed is printed once, not by each Worker."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # the program has replaced it, or closed it
            continue


# -- forking -----------------------------------------------------------------------------------------------------------


def _serve(control: int, dump: int, facts: dict[str, Any]) -> tuple[ForkWorker, int] | None:
    """Fork Workers until the host process hangs up: None. In a Worker: return what is wanted, and its control pipe."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are meant for Workers
    connection, reader, descriptors = socket.socket(fileno=control), FrameReader(), list[int]()
    while True:
        data, more = _receive(connection)
        if not data:
            connection.detach()
            return None
        descriptors += more
        for frame in reader.feed(data):
            if not isinstance(frame, ForkWorker):
                continue
            if (middle := _fork(control, frame)) is not None:
                _become_worker(frame, descriptors, middle, connection, dump, facts)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                return frame, descriptors[0]
            for descriptor in descriptors:
                os.close(descriptor)
            descriptors.clear()


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    try:
        data, more, _, _ = socket.recv_fds(connection, _FRAME_BYTES, _DESCRIPTORS_AT_MOST, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return b"", []
    return data, more


def _fork(control: int, frame: ForkWorker) -> int | None:
    """Fork twice. Return None in the template; in the Worker the number of the process between, which ends."""
    try:
        middle = os.fork()
        if middle:
            os.waitpid(middle, 0)
            return None
    except OSError as error:
        _tell(control, WorkerForked(frame.name, 0, reached(error) or str(error)))
        return None
    middle = os.getpid()
    try:
        if os.fork():
            os._exit(0)
    except OSError as error:
        _tell(control, WorkerForked(frame.name, 0, reached(error) or str(error)))
        os._exit(1)
    return middle


def _become_worker(
    frame: ForkWorker, descriptors: list[int], middle: int, connection: socket.socket, dump: int, facts: dict[str, Any]
) -> None:  # fmt: skip
    """Become a child of the host process, with a process group, a mark and descriptors of its own, and tell it so."""
    deadline = time.monotonic() + ADOPTION_SECONDS
    while os.getppid() == middle and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    die_with_parent(facts["pid"])
    os.setpgid(0, 0)
    take_mark(facts["mark"])
    _, its_dump, out, err, its_records = descriptors
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.dup2(its_dump, dump, inheritable=False)  # faulthandler writes there, or whatever the program has put there
    records.send_by(functools.partial(write_all, its_records))
    for descriptor in (its_dump, out, err):
        os.close(descriptor)
    if not _tell(connection.fileno(), WorkerForked(frame.name, os.getpid())):
        os._exit(0)  # the host process has given this Worker up
    connection.close()


def _tell(control: int, frame: ControlFrame) -> bool:
    try:
        write_all(control, pack(frame))
    except OSError:
        return False
    return True
