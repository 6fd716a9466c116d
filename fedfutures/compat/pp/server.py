"""``python -m fedfutures.compat.pp.server``: ``ppserver``, as a standing Federation whose name is the port."""

from __future__ import annotations

import argparse
import configparser
import os
import sys
from collections.abc import Sequence

from ..members import become
from .jobs import DEFAULT_PORT

_WITHOUT_EFFECT = {
    "secret": "-s: ssh or a key lets programs in", "interface": "-i: nothing listens on the network",
    "broadcast": "-b: --announce says what is heard", "proto": "-n: both ends have the same Python",
    "format": "-f: fedfutures logs 60000 shows the log", "socket_timeout": "-k: a call may take as long as it takes",
    "restart": "-r: give restart=True to pp.Server",
}  # fmt: skip
"""What is accepted, and why it has no effect."""
_IN_FILE = {
    "general": ("secret", "workers", "proto", "restart", "pid_file", "debug"),
    "network": ("autodiscovery", "interface", "broadcast", "port", "timeout", "socket_timeout"),
}  # fmt: skip


def translated(words: Sequence[str]) -> tuple[list[str], argparse.Namespace]:
    """Return the words of ``python -m fedfutures`` that do the same, and what was given.

    >>> translated(["-p", "35000", "-w", "4", "-t", "60", "-a"])[0]
    ['up', '35000', '--foreground', '-n', '4', '--idle', '60', '--announce']
    """
    given = parser().parse_args(list(words))
    if given.config is not None:
        given = parser().parse_args([*_words_of(given.config), *words])
    found = ["up", str(given.port), "--foreground"]
    found += ["-n", str(given.workers)] if given.workers is not None else []
    found += ["--idle", str(given.timeout)] if given.timeout is not None else []
    found += ["--announce"] if given.autodiscovery else []
    return found, given


def _words_of(path: str) -> list[str]:
    """Return what a config file says, as words of the command line."""
    config = configparser.ConfigParser()
    try:
        with open(path) as file:
            config.read_file(file)
    except (OSError, configparser.Error) as error:
        parser().error(f"-c {path}: {error}")
    found: list[str] = []
    for section, keys in _IN_FILE.items():
        for key in keys:
            value = config.get(section, key, fallback=None)
            if value is None:
                continue
            if key in ("autodiscovery", "debug", "restart"):
                found += [f"--{key}"] if config.getboolean(section, key) else []
            else:
                found += [f"--{key}", value.strip("'\"")]
    return found


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``ppserver``'s options."""
    found = argparse.ArgumentParser(
        "ppserver", description="Serve programs of Parallel Python on this machine, until Ctrl-C. It runs "
        "python -m fedfutures up 60000 --foreground.",
    )  # fmt: skip
    found.add_argument("-p", "--port", type=int, default=DEFAULT_PORT, help="its name for programs; default: 60000")
    found.add_argument("-w", "--workers", type=int, help="Workers; default: one for each processor")
    found.add_argument("-t", "--timeout", type=int, help="end after so many seconds without a program")
    found.add_argument("-a", "--autodiscovery", action="store_true", help="announce it on the network")
    found.add_argument("-c", "--config", help="a file of these options")
    found.add_argument("-P", "--pid_file", help="write the process id to this file")
    found.add_argument("-d", "--debug", action="store_true", help="accepted")
    found.add_argument("-r", "--restart", action="store_true", help="accepted, without effect")
    for letter, name in (
        ("s", "secret"), ("i", "interface"), ("b", "broadcast"), ("n", "proto"), ("f", "format"),
        ("k", "socket_timeout"),
    ):  # fmt: skip
        found.add_argument(f"-{letter}", f"--{name}", help="accepted, without effect")
    return found


def main() -> None:
    """Do what the command line says."""
    words, given = translated(sys.argv[1:])
    for name, why in _WITHOUT_EFFECT.items():
        if getattr(given, name):
            print(f"fedfutures: without effect: {why}", file=sys.stderr)
    if given.pid_file is not None:
        with open(given.pid_file, "w") as file:
            file.write(f"{os.getpid()}\n")
    become(words)


if __name__ == "__main__":
    main()
