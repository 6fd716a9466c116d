"""What one CURVE connection of ZeroMQ moves, from one process to another: the peer of links between hosts."""

from __future__ import annotations

import subprocess
import sys
import time

import zmq

TAKER = "from benchmarks.curve import take; take()"


def raw_bytes_per_second(count: int, size: int) -> float:
    """Send `count` messages of `size` bytes to another process, and wait until it has all of them."""
    public, secret = zmq.curve_keypair()
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.curve_server, socket.curve_publickey, socket.curve_secretkey = True, public, secret
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    taker = subprocess.Popen([sys.executable, "-c", TAKER], stdin=subprocess.PIPE, text=True)
    assert taker.stdin is not None
    taker.stdin.write(f"{port}\n{public.decode()}\n")
    taker.stdin.close()
    try:
        assert socket.poll(10_000), "the other process did not connect"
        socket.recv()
        data = bytearray(size)
        start = time.perf_counter()
        for _ in range(count):
            socket.send(data, copy=False)
        socket.send(b"end")
        assert socket.poll(60_000), "not all arrived"
        seconds = time.perf_counter() - start
        assert int(socket.recv()) == count * size
    finally:
        taker.wait(10)
        context.destroy(linger=0)
    return count * size / seconds


def take() -> None:
    """The other process."""
    port, server = input(), input()
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.curve_serverkey = server.encode()
    socket.connect(f"tcp://127.0.0.1:{port}")
    socket.send(b"here")
    taken = 0
    while True:
        frame = socket.recv(copy=False)
        if len(frame) == 3:
            break
        taken += len(frame)
    socket.send(b"%d" % taken)
    context.destroy(linger=1000)
