"""The parser of our options, and of those of each verb."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and exits with code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fedfutures: {message}; see {self.prog} --help\n")
