"""``python -m fedfutures up NAME``: starts a standing Federation; ``down NAME`` ends it."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Sequence

from fedfutures.errors import StartFailed
from fedfutures.host.batch import scheduler_of
from fedfutures.host.hosts import Hosts
from fedfutures.host.system import processors
from fedfutures.lazy_dataclass import replaced
from fedfutures.standing.joining import status_of
from fedfutures.standing.places import StandingPlace
from fedfutures.standing.recipe import Recipe, recipe_from
from fedfutures.standing.start import start_keeper

from ..arguments import config
from ..arguments.parser import Parser
from ..arguments.values import seconds, worker_count
from ..connector import start
from ..connector.listening import listen_of
from ..hosts.spec import BadHosts
from . import refusals
from .discover import INTERFACE_HELP, announce_of
from .foreground import Foreground
from .scale_options import add_options_of_scaling, scale_of
from .standing import add_host_options, described, hosts_of, kinds_of_host_options

OWN = {
    "workers": str, "idle": str, "foreground": bool, "quiet": bool, "listen": str, "announce": bool, "interface": str,
    "scale": str, "min": str, "max": str, "scale-idle": str, "scale-wait": str,
}  # fmt: skip
"""Its options beside those of hosts, and what each takes in a file."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code: 0, 2 for bad input, 3 if no host works."""
    given = parser().parse_args(list(arguments))
    try:
        place = StandingPlace(given.name)
        given = _with_file(given, arguments)
        if place.is_taken():
            status = status_of(given.name)
            raise StartFailed(
                f"{given.name} stands already: its keeper has the pid {status.pid}. Programs join it by --join "
                f"{given.name}; to end it: fedfutures down {given.name}", 2
            )  # fmt: skip
        foreground = Foreground(place) if given.foreground else None
        status = start_keeper(place, _recipe(place, given, hosts_of(given)), quiet=given.quiet)
    except (BadHosts, ValueError) as error:
        print(f"fedfutures: {error}", file=sys.stderr)
        return 2
    except StartFailed as error:
        return refusals.say(error)
    if not given.quiet:
        print(described(status))
        print(f"programs join it: fedfutures --join {given.name} prog.py; it ends: fedfutures down {given.name}")
    if foreground is not None:
        foreground.stay()
    return 0


def _with_file(given: argparse.Namespace, arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options with those of the file, which the command line overrides."""
    path = given.config or config.usual_path(given.name)
    if given.config is None and not os.path.exists(path):
        return given
    named = ("hosts", "hostfile") if given.names or given.file else ()
    lists = tuple(name for name in ("pythonpath", "env") if getattr(given, name))
    return parser().parse_args([*config.words_of(path, OWN | kinds_of_host_options(), named + lists), *arguments])


def _recipe(place: StandingPlace, given: argparse.Namespace, hosts: Hosts) -> Recipe:
    """Return what the keeper is to do: what is not said is as it was in a Federation whose keeper was killed."""
    record = place.record()
    recipe = Recipe(given.name, processors()) if record is None else recipe_from(record)
    idle = recipe.idle if given.idle is None else given.idle
    scale = scale_of(given)
    if scale or given.listen or given.announce:
        listen = listen_of(place, given.listen) if given.listen else {}
        announce = announce_of(given) if given.announce else {}
        request, _ = start.request_of_keeper(
            hosts, given.workers, scales=bool(scale), listen=listen, announce=announce
        )  # fmt: skip
        return replaced(recipe, slots=0, idle=idle, scale=scale, request=request, notes={})  # type: ignore[no-any-return]
    if hosts.names or hosts.file is not None or (record is None and scheduler_of(os.environ) is not None):
        request, alone = start.request_of_keeper(hosts, given.workers)
        slots = 0 if request else alone or recipe.slots
        return replaced(recipe, slots=slots, idle=idle, request=request, notes={})  # type: ignore[no-any-return]
    return replaced(recipe, slots=given.workers or recipe.slots, idle=idle)  # type: ignore[no-any-return]


def parser() -> Parser:
    """Return the parser of its command line."""
    found = Parser(
        "python -m fedfutures up",
        description="Start a standing Federation: it outlives programs, and programs join it by its name.",
        allow_abbrev=False,
    )
    found.add_argument("name", metavar="NAME", help="its name: letters, digits and . _ -")
    found.add_argument(
        "-n", "--workers", dest="workers", type=functools.partial(worker_count, least=0), metavar="N",
        help="Workers at once, of all programs together; default: one for each processor that may be used; with "
        "--scale of the hosts that are there at first, and 0 means none",
    )  # fmt: skip
    found.add_argument(
        "--listen", metavar="[ADDRESS:]PORT",
        help="let hosts and programs come by TCP, too, whose key was allowed (fedfutures allow); default: by ssh alone",
    )  # fmt: skip
    found.add_argument(
        "--announce", action="store_true",
        help="announce it to the local network (fedfutures discover); that lets nobody in",
    )  # fmt: skip
    found.add_argument("--interface", metavar="ADDRESS", help=INTERFACE_HELP)
    add_options_of_scaling(found)
    found.add_argument(
        "--idle", type=seconds, metavar="TIME",
        help="end when no program has been there for so long: 90 (seconds), 30m, 1:30:00; default: never",
    )  # fmt: skip
    found.add_argument(
        "--config", metavar="FILE",
        help="a TOML file of these options, as in idle = \"30m\"; the command line overrides it; default: "
        "~/.config/fedfutures/NAME.toml, if it is there",
    )  # fmt: skip
    found.add_argument(
        "--foreground", action="store_true",
        help="stay until it ends, and print what its keeper does; SIGTERM and Ctrl-C take it down",
    )  # fmt: skip
    add_host_options(found, "other hosts")
    found.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    return found
