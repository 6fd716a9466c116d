"""The process that serves the page of this run: started beside the program, and ended with it."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import threading
from typing import Any

from .. import limits
from ..errors import StartFailed
from ..host import starting
from ..host.flags import ROOT, main_command
from ..host.inherited import close_in_children
from ..host.run_door import SOCKET
from ..seeing.page_links import SECRET_BYTES, link

START_SECONDS = 30.0
INSTALL = "python -m pip install starlette uvicorn prometheus-client"


class PageProcess:
    """Of the run with this private directory. `port`: 0 is any; `controls`: the page may end Futures.

    Nothing is waited for: :meth:`link` does that. Raises StartFailed where no process can be started.
    """

    def __init__(self, directory: str, port: int = 0, *, controls: bool = False) -> None:
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._facts: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self.is_over = False
        asked = {
            "path": os.path.join(directory, SOCKET), "port": port, "secret": self._secret.hex(), "controls": controls,
        }  # fmt: skip
        try:
            self._process = subprocess.Popen(
                main_command(starting.page_module, [sys.executable], [], ROOT), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, bufsize=0,
            )  # fmt: skip
        except OSError as error:
            raise StartFailed(f"the page cannot be served: {limits.reached(error) or error}") from error
        close_in_children(self)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        except BrokenPipeError:
            pass  # link() says why

    def link(self) -> str:
        """Return an address that opens the page once; each call returns a new one. Raises StartFailed."""
        with self._lock:
            if self.is_over:
                raise StartFailed("the run has ended, and its page with it")
            if self._facts is None:
                self._facts = self._read()
        if problem := self._facts.get("problem"):
            raise StartFailed(f"the page cannot be served: {problem}")
        return link(int(self._facts["port"]), self._secret)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        poller = select.poll()
        poller.register(self._process.stdout, select.POLLIN)
        if not poller.poll(START_SECONDS * 1000):
            self._process.kill()
        if text := self._process.stdout.readline():
            facts: dict[str, Any] = json.loads(text)
            return facts
        return {"problem": _reason(self._process.stderr.read().decode("utf-8", "replace"))}

    def end(self) -> None:
        """End it at once: it has nothing to save, and the browser keeps what it shows."""
        self.is_over = True
        self._process.kill()
        with self._lock:  # whoever waits for the link hears of the end now
            self._process.wait()
            self.let_go()

    def let_go(self) -> None:
        """Close the pipes; in a process that the program has forked, so that the page ends with the program."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def page_beside(federation: Any, port: int = 0, *, controls: bool = False) -> PageProcess:
    """Start the page of a Federation, and have it end with that. Raises StartFailed if that cannot be started."""
    _ = federation.origin  # so the directory is there
    page = PageProcess(federation.run_directory, port, controls=controls)
    federation.at_close(page.end)
    return page


def _reason(said: str) -> str:
    """Return why the process has ended, from what it has said."""
    lines = said.strip().splitlines() or [f"its process has said nothing for {START_SECONDS:g} s"]
    missing = "ModuleNotFoundError" in lines[-1]
    return f"{lines[-1]}. Install what it needs: {INSTALL}" if missing else lines[-1]
