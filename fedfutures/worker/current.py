"""Which node this process is: what the face asks, and what ``fedfutures.IS_ORIGIN`` and its like report."""

from __future__ import annotations

from .node import Node

node: Node | None = None
"""The Worker of this process, or the Origin of its launched program; None in a plain program."""

is_origin = True
"""False in Workers only: a plain program is its own origin."""

name = "origin"
"""``host.number`` of a Worker; "origin" elsewhere."""

importing_program = False
"""Whether a Worker is importing the user's program right now: then nothing may be submitted."""
