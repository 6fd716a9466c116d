"""``fedfutures page``: serves a page that shows a run, until it is interrupted."""

from __future__ import annotations

import functools
import importlib.util
import os
import secrets
import sys
from collections.abc import Sequence

from fedfutures.futures.page_process import INSTALL
from fedfutures.seeing.page_links import SECRET_BYTES, link
from fedfutures.seeing.runs import runs

from ..arguments.parser import Parser
from ..arguments.values import whole_number
from . import refusals
from .asking import NotOne, add_run, the_run

NEEDED = ("starlette", "uvicorn", "prometheus_client")


def main(arguments: Sequence[str]) -> int:
    """Serve; return the exit code."""
    given = parser().parse_args(list(arguments))
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return refusals.refuse(f"the page needs {', '.join(missing)}: {INSTALL}")
    from ..page.serving import opened, server_of

    try:
        path = the_run(given.run, runs()).path
        secret = secrets.token_bytes(SECRET_BYTES)
        token = token_in(given.token_file) if given.token_file else ""
        door = opened(given.port)
    except NotOne as error:
        return refusals.refuse(str(error))
    except ValueError as error:
        return refusals.refuse(str(error))
    except OSError as error:
        what = given.token_file if error.filename else f"port {given.port}"
        return refusals.refuse(f"{what} cannot be used: {error.strerror}")
    address = link(door.getsockname()[1], secret)
    print(
        f"{address}\nIt opens once, on this machine; reload the page as often as you like. Ctrl-C ends it.", flush=True
    )
    try:
        server_of(path, secret, token, controls=given.page_control).run([door])
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 0


def token_in(path: str) -> str:
    """Return the token in a file, which is made if it is not there. Raises ValueError and OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        with open(path, encoding="ascii", errors="replace") as file:
            status, token = os.fstat(file.fileno()), file.read().strip()
        if status.st_mode & 0o077:
            raise ValueError(f"others may read the token in {path}: chmod 600 {path}") from None
        if len(token) < 32 or not token.isalnum():
            raise ValueError(f"{path} has no token: at least 32 letters and digits") from None
        return token
    with open(descriptor, "w", encoding="ascii") as file:
        token = secrets.token_hex(SECRET_BYTES)
        file.write(token + "\n")
    return token


def parser() -> Parser:
    """Return the parser of the command line."""
    what = "Serve a page that shows a run, for a browser on this machine, until it is interrupted."
    found = Parser("python -m fedfutures page", description=what, allow_abbrev=False)
    add_run(found)
    port = functools.partial(whole_number, least=0, most=65535)
    found.add_argument("--port", type=port, default=0, metavar="PORT", help="where; default: any free port")
    found.add_argument(
        "--page-control", action="store_true", help="let the page end Futures; without it, it only shows"
    )
    found.add_argument(
        "--token-file", metavar="FILE",
        help="the token with which other programs, such as Prometheus, may read; the file is made if there is none",
    )  # fmt: skip
    return found
