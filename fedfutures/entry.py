"""``python -m fedfutures.entry``: a host process, and what it forks. The one place that knows all kinds of processes.

Workers' code is imported when the Brokers have been forked and the launching side knows of them: meanwhile that loads
its own.
"""

from __future__ import annotations

from .host import supervisor
from .host.child import ChildMain


def main() -> None:
    """Run a host process."""
    from .broker_process import shell

    supervisor.main(shell.main, load_worker)


def load_worker() -> ChildMain:
    """Import what Workers run, and what programs import: once here, not by each Worker when it imports the program."""
    import multiprocessing.spawn  # noqa: F401

    from . import shared  # noqa: F401
    from .futures import executor  # noqa: F401
    from .worker import process

    return process.main


if __name__ == "__main__":
    main()
