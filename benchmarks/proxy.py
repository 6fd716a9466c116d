"""A link that can be slowed, cut and healed: a process between the unix sockets of two Brokers.

``python -m benchmarks.proxy DELAY HERE THERE [HERE THERE ...]`` listens at each HERE and passes every connection on to
the THERE beside it, byte for byte, in order, each chunk DELAY seconds after it came; nothing limits the throughput.
It is told on standard input, one line each, and answers every line with ``ok`` once it is so:

``delay SECONDS``
    From now on chunks take so long.
``cut``
    Close all connections, and refuse new ones. What was under way is lost.
``hold``
    A black hole: connections stay, and new ones are taken, but nothing comes through, nor that an end has closed its
    side. As TCP repeats what was lost on the way, all of it comes through once this is healed.
``heal``
    As if nothing had been.
``bytes``
    The answer says how many have come through since the start, there and back.

The end of standard input ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import sys
import time
from collections import deque

CHUNK_BYTES = 1 << 18


class Link:
    """The state that all connections of this process share."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.flows = asyncio.Event()
        self.flows.set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.carried = 0  # bytes

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes in one direction of a connection, and its end."""
        chunks: deque[tuple[float, bytes]] = deque()
        came = asyncio.Event()
        taking = asyncio.create_task(self._take(reader, chunks, came))
        try:
            while True:
                while not chunks:
                    came.clear()
                    await came.wait()
                due, data = chunks.popleft()
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                await self.flows.wait()
                if not data:
                    return
                self.carried += len(data)
                writer.write(data)
        finally:
            taking.cancel()

    async def _take(
        self, reader: asyncio.StreamReader, chunks: deque[tuple[float, bytes]], came: asyncio.Event
    ) -> None:
        data = b"?"
        while data:
            try:
                data = await reader.read(CHUNK_BYTES)
            except OSError:
                data = b""
            chunks.append((time.monotonic() + self.delay, data))
            came.set()


class Gate:
    """One address of the link, and where it leads."""

    def __init__(self, link: Link, here: str, there: str) -> None:
        self.link, self.here, self.there = link, here, there
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Take connections."""
        if self._server is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.here)
            self._server = await asyncio.start_unix_server(self._serve, self.here, limit=CHUNK_BYTES)

    def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.here)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.link.tasks.add(task)
        further: asyncio.StreamWriter | None = None
        try:
            await self.link.flows.wait()
            back, further = await asyncio.open_unix_connection(self.there, limit=CHUNK_BYTES)
            ways = [self.link.carry(reader, further), self.link.carry(back, writer)]
            pending = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in pending:
                    way.cancel()
        except (OSError, asyncio.CancelledError):
            pass  # nobody is there; cut
        finally:
            self.link.tasks.discard(task)
            for end in (writer, further):
                if end is not None:
                    end.transport.abort()


async def run(delay: float, places: list[str]) -> None:
    """Serve until standard input ends."""
    link = Link(delay)
    gates = [Gate(link, here, there) for here, there in zip(places[::2], places[1::2], strict=True)]
    for gate in gates:
        await gate.open()
    print("ok", flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := (await orders.readline()).decode().split():
        if line[0] == "delay":
            link.delay = float(line[1])
        elif line[0] == "hold":
            link.flows.clear()
        elif line[0] == "cut":
            for gate in gates:
                gate.close()
            for task in list(link.tasks):
                task.cancel()
        elif line[0] == "heal":
            for gate in gates:
                await gate.open()
            link.flows.set()
        print("ok", link.carried if line[0] == "bytes" else "", flush=True)


def main() -> None:
    """Run with a selector that waits for microseconds, where epoll's are milliseconds."""
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    asyncio.set_event_loop(loop)
    loop.run_until_complete(run(float(sys.argv[1]), sys.argv[2:]))
    os._exit(0)


if __name__ == "__main__":
    main()
