"""``python -m fedfutures.keeper_process``: a keeper, and the host processes that it forks for programs that join."""

from __future__ import annotations

import gc

from . import host_process
from .standing import keeper


def main() -> None:
    """Run a keeper."""
    from .broker_process import shell  # noqa: F401

    host_process.load_worker()
    gc.freeze()
    keeper.main(host_process.main)


if __name__ == "__main__":
    main()
