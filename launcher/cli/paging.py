"""``--page``: a page beside the program, whose link is printed as soon as it is served."""

from __future__ import annotations

import sys
import threading
from typing import Any

from fedfutures.errors import StartFailed
from fedfutures.futures.page_process import PageProcess, page_beside


def serve_page(federation: Any, port: int, *, controls: bool) -> None:
    """Start it; the run does not wait for it, and goes on without it if it cannot be served."""
    try:
        page = page_beside(federation, port, controls=controls)
    except StartFailed as error:
        print(f"fedfutures: {error.summary}", file=sys.stderr, flush=True)
        return
    threading.Thread(target=_print_link, args=(page,), name="fedfutures-page", daemon=True).start()


def _print_link(page: PageProcess) -> None:
    try:
        text = f"{page.link()} (opens once; a new link: fedfutures page)"
    except StartFailed as error:
        if page.is_over:  # the run was shorter than the start of its page
            return
        text = error.summary
    print(f"fedfutures: {text}", file=sys.stderr, flush=True)
