"""The faults of the soak: each is a function that does it on one host, and returns how long it lasts and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import machines

from .stage import HOME, Stage, alive

PAUSE_SECONDS = 0.8
"""Between two faults, on average."""
LONGEST_SECONDS = 8.0
MEMORY_BYTES = 2 << 30
SHORT_MEMORY_BYTES = 64 << 20
"""Of /dev/shm on the last host, as in a container."""


@dataclass
class Lasting:
    """A fault that goes on for `seconds`, until `end` is called."""

    seconds: float
    end: Callable[[], object]


@dataclass
class Happened:
    """A fault that was done; `time` and `until` are in seconds of the machine's clock."""

    kind: str
    host: str
    time: float
    until: float


Fault = Callable[[Stage, str], "Lasting | bool"]


def _kill(pids: list[int], stage: Stage, number: signal.Signals = signal.SIGKILL) -> bool:
    if not pids:
        return False
    machines.send([stage.dice.choice(pids)], number)
    return True


def _stop(pids: list[int], stage: Stage) -> Lasting | bool:
    if not pids:
        return False
    pid = stage.dice.choice(pids)
    machines.send([pid], signal.SIGSTOP)
    return Lasting(_seconds(stage), lambda: machines.send([pid], signal.SIGCONT))


def _seconds(stage: Stage) -> float:
    return stage.dice.choice([0.1, 0.5, stage.dice.uniform(0.5, 4.0), stage.dice.uniform(4.0, LONGEST_SECONDS)])


@pytest.mark.fault("C1")
def kill_worker(stage: Stage, host: str) -> bool:
    return _kill(stage.workers(host), stage)


@pytest.mark.fault("C10")
def tell_worker_to_end(stage: Stage, host: str) -> bool:
    return _kill(stage.workers(host), stage, signal.SIGTERM)


@pytest.mark.fault("D1", "D2")
def kill_broker(stage: Stage, host: str) -> bool:
    return _kill(stage.brokers(host), stage)


@pytest.mark.fault("C5", "C6")
def kill_host_process(stage: Stage, host: str) -> bool:
    return _kill(stage.host_processes(host), stage)


@pytest.mark.fault("C5")
def kill_connector(stage: Stage, host: str) -> bool:
    return _kill(stage.connector(), stage)


@pytest.mark.fault("C3")
def stop_worker(stage: Stage, host: str) -> Lasting | bool:
    return _stop(stage.workers(host), stage)


@pytest.mark.fault("D5")
def stop_broker(stage: Stage, host: str) -> Lasting | bool:
    return _stop(stage.brokers(host), stage)


@pytest.mark.fault("C7")
def stop_host_process(stage: Stage, host: str) -> Lasting | bool:
    return _stop(stage.host_processes(host), stage)


@pytest.mark.fault("C7")
def freeze_host(stage: Stage, host: str) -> Lasting:
    stage.lab.freeze(host)
    return Lasting(_seconds(stage), lambda: stage.lab.thaw(host))


@pytest.mark.fault("D5")
def cut_host_off(stage: Stage, host: str) -> Lasting:
    stage.lab.cut(host)
    return Lasting(_seconds(stage), lambda: stage.lab.heal(host))


@pytest.mark.fault("D7", "D8")
def lose_packets(stage: Stage, host: str) -> Lasting:
    share = stage.dice.choice([5, 20])
    chain = f"type filter hook input priority 0; policy accept; numgen random mod 100 < {share} drop;"
    stage.lab.run(host, f"echo 'table inet soak {{ chain input {{ {chain}\n}}\n}}' | nft -f -")
    return Lasting(_seconds(stage), lambda: stage.lab.run(host, "nft delete table inet soak"))


@pytest.mark.fault("D7")
def slow_link(stage: Stage, host: str) -> Lasting:
    stage.lab.run(host, "tc qdisc add dev eth0 root tbf rate 8mbit burst 32kbit latency 400ms")
    return Lasting(_seconds(stage), lambda: stage.lab.run(host, "tc qdisc del dev eth0 root"))


@pytest.mark.fault("E15")
def close_ports(stage: Stage, host: str) -> Lasting:
    stage.lab.only_ssh(host)
    return Lasting(_seconds(stage), lambda: stage.lab.any_port(host))


@pytest.mark.fault("E7")
def kill_ssh_sessions(stage: Stage, host: str) -> bool:
    stage.lab.kill_sessions(host)
    return True


@pytest.mark.fault("E4", "E7")
def kill_ssh_server(stage: Stage, host: str) -> Lasting:
    """Nobody can log in meanwhile; nor do the sessions live."""
    stage.lab.refuse(host)
    stage.lab.kill_sessions(host)
    return Lasting(_seconds(stage), lambda: stage.lab.run(host, "/usr/sbin/sshd"))


@pytest.mark.fault("B7")
def keep_processors_busy(stage: Stage, host: str) -> Lasting:
    count = stage.dice.choice([4, 20])
    hogs = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]

    def end() -> None:
        for hog in hogs:
            hog.kill()
        for hog in hogs:
            hog.wait()

    return Lasting(_seconds(stage), end)


@pytest.mark.fault("B3")
def fill_shared_memory(stage: Stage, host: str) -> Lasting | bool:
    """Only on the host that has little: all of the others' is half of the machine's memory."""
    if host != stage.lab.hosts[-1]:
        return False
    stage.lab.run(host, f"head -c {SHORT_MEMORY_BYTES} /dev/zero > /dev/shm/full || true")
    return Lasting(_seconds(stage), lambda: stage.lab.run(host, "rm -f /dev/shm/full"))


def talk_nonsense(stage: Stage, host: str) -> bool:
    """Connect to every port of a host from the place of the program, and send noise."""
    ports = stage.ports(host)
    if not ports:
        return False
    noise = stage.dice.randbytes(stage.dice.choice([1, 64, 5000]))
    text = "import socket, sys\nfor address, port in eval(sys.argv[1]):\n    for _ in range(20):\n"
    text += "        try:\n            one = socket.create_connection((address, port), 1)\n"
    text += "            one.sendall(bytes.fromhex(sys.argv[2]))\n            one.close()\n"
    text += "        except OSError:\n            pass\n"
    command = [*stage.lab.origin_prefix, sys.executable, "-I", "-S", "-c", text, repr(ports), noise.hex()]
    subprocess.run(command, timeout=60, check=False)
    return True


@pytest.mark.fault("E16")
def reboot_host(stage: Stage, host: str) -> bool:
    stage.lab.stop(host)
    stage.lab.start(host)
    shorten_memory(stage, host)
    return True


def shorten_memory(stage: Stage, host: str) -> None:
    """Bound the shared memory of a host, which else may take half of the machine's memory; the last one has little."""
    size = SHORT_MEMORY_BYTES if host == stage.lab.hosts[-1] else MEMORY_BYTES
    stage.lab.run(host, f"mount -o remount,size={size} /dev/shm")


EVERYWHERE: dict[Fault, int] = {
    kill_worker: 12, tell_worker_to_end: 4, kill_broker: 4, stop_worker: 6, stop_broker: 3, stop_host_process: 2,
    keep_processors_busy: 2,
}  # fmt: skip
"""With how often each is done, compared with the others."""
ON_OTHERS: dict[Fault, int] = {
    kill_host_process: 3, freeze_host: 2, cut_host_off: 3, lose_packets: 3, slow_link: 2, close_ports: 1,
    kill_ssh_sessions: 2, kill_ssh_server: 1, fill_shared_memory: 6, talk_nonsense: 2, reboot_host: 1,
}  # fmt: skip
AT_HOME: dict[Fault, int] = {kill_host_process: 2, kill_connector: 2}
"""On the machine of the program, which starts these processes again."""


def go_on(stage: Stage, seconds: float, lives: Callable[[], bool]) -> list[Happened]:
    """Do faults for a time, while the program lives; end all that last before returning."""
    happened: list[Happened] = []
    lasting: list[tuple[float, Callable[[], object]]] = []
    end = time.time() + seconds
    next_at = time.time()
    while time.time() < end and lives():
        now = time.time()
        _end_due(lasting, now)
        if now >= next_at:
            next_at = now + stage.dice.expovariate(1 / PAUSE_SECONDS)
            fault, host = _choose(stage, now)
            if fault is not None:
                happened += _do(fault, host, stage, lasting)
        time.sleep(0.02)
    _end_due(lasting, float("inf"))
    return happened


def _choose(stage: Stage, now: float) -> tuple[Fault | None, str]:
    chances = [(fault, host, share) for fault, share in EVERYWHERE.items() for host in stage.lab.hosts]
    chances += [(fault, host, share) for fault, share in ON_OTHERS.items() for host in stage.others()]
    chances += [(fault, HOME, share) for fault, share in AT_HOME.items()]
    free = [chance for chance in chances if now >= stage.busy.get(chance[1], 0.0)]
    if not free:
        return None, ""
    [(fault, host, _)] = stage.dice.choices(free, [share for _, _, share in free])
    return fault, host


def _do(fault: Fault, host: str, stage: Stage, lasting: list[tuple[float, Callable[[], object]]]) -> list[Happened]:
    name = fault.__name__.replace("_", " ")
    began = time.time()
    try:
        done = fault(stage, host)
    except (machines.Failed, OSError, subprocess.SubprocessError) as error:
        print(f"  not done: {name} on {host}: {error}", file=sys.stderr, flush=True)
        return []
    if not done:
        return []
    seconds = done.seconds if isinstance(done, Lasting) else 0.0
    clock = time.strftime("%H:%M:%S", time.localtime(began))
    print(f"{clock} {name} on {host}{f', {seconds:.1f} s' if seconds else ''}", flush=True)
    if isinstance(done, Lasting):
        lasting.append((time.time() + seconds, done.end))
        stage.busy[host] = time.time() + seconds
    return [Happened(name, host, began, began + seconds)]


def _end_due(lasting: list[tuple[float, Callable[[], object]]], now: float) -> None:
    for one in [one for one in lasting if now >= one[0]]:
        lasting.remove(one)
        try:
            one[1]()
        except (machines.Failed, OSError, subprocess.SubprocessError) as error:
            print(f"  not ended: {error}", file=sys.stderr, flush=True)


def left_alive(pids: list[int], within: float) -> list[int]:
    """Return which of these processes are still there after a time."""
    end = time.monotonic() + within
    while alive(pids) and time.monotonic() < end:
        time.sleep(0.02)
    return alive(pids)


def own_processes(mark: str) -> list[int]:
    """Return the processes of this machine that have a mark in their environment."""
    found = []
    for place in os.listdir("/proc"):
        try:
            if place.isdigit() and mark.encode() in Path(f"/proc/{place}/environ").read_bytes():
                found.append(int(place))
        except OSError:
            pass
    return [pid for pid in found if pid != os.getpid()]
