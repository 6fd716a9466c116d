"""``python -m tests.lab``: hosts on this machine for as long as the command, or standard input, lasts."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from . import Failed, GridEngine, Machine, Namespaces, Rootless, Site, Slurm
from .cluster import Cluster

DESCRIPTION = """Make hosts h1, h2 ... on this machine, which last until COMMAND ends, or until standard input closes.
The command finds the ssh config that reaches them in $LAB_CONFIG: ssh -F $LAB_CONFIG h2. With --namespaces it runs in
the place of h1, and plain ssh h2 will do. With --slurm or --grid-engine it runs on h1 as the user lab, in a home that
all hosts share, and `python` is the interpreter of this environment: sbatch, salloc, srun, qsub and ssh work."""


def main() -> int:
    """Make the hosts, run the command, end the hosts."""
    parser = argparse.ArgumentParser("python -m tests.lab", description=DESCRIPTION)
    parser.add_argument("-n", dest="count", type=int, default=3, metavar="N", help="hosts; default: 3")
    parser.add_argument("--behind", type=int, default=0, metavar="N", help="so many more stand behind h2")
    parser.add_argument(
        "--namespaces", action="store_true", help="hosts with networks and files of their own (root only)"
    )
    parser.add_argument("--slurm", action="store_true", help="a Slurm on hosts in namespaces (root only)")
    parser.add_argument("--grid-engine", action="store_true", help="a Grid Engine on hosts in namespaces (root only)")
    parser.add_argument("--gated", action="store_true", help="sites let nothing in but ssh to h2")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    options = parser.parse_args()
    command = options.command[options.command[:1] == ["--"] :]
    with tempfile.TemporaryDirectory() as directory:
        try:
            if options.slurm or options.grid_engine:
                make = Slurm if options.slurm else GridEngine
                with make(options.count, Path(directory) / "cluster") as cluster:
                    return _submit(cluster, command)
            with _make(options, Path(directory) / "lab") as lab:
                return _use(lab, command)
        except Failed as error:
            print(f"lab: {error}", file=sys.stderr)
            return 1


def _make(options: argparse.Namespace, directory: Path) -> Rootless | Namespaces:
    names = [f"h{number + 1}" for number in range(options.count + options.behind)]
    outer, inner = names[: options.count], names[options.count :]
    if not options.namespaces:
        return Rootless([*map(Machine, outer), *(Machine(name, behind="h2") for name in inner)], directory)
    if not inner:
        return Namespaces(options.count, directory)
    policy = "gated" if options.gated else "open"
    return Namespaces([Site([outer[0], *outer[2:]], policy), Site([outer[1], *inner], policy, door="h2")], directory)


def _submit(cluster: Cluster, command: list[str]) -> int:
    return subprocess.run(cluster.command(cluster.hosts[0], *(command or ["/bin/bash"]))).returncode


def _use(lab: Rootless | Namespaces, command: list[str]) -> int:
    prefix = lab.origin_prefix if isinstance(lab, Namespaces) else []
    if command:
        return subprocess.run([*prefix, *command], env={**os.environ, "LAB_CONFIG": str(lab.config)}).returncode
    way = shlex.join([*prefix, "ssh", *([] if prefix else ["-F", str(lab.config)]), lab.hosts[-1]])
    print(f"{' '.join(lab.hosts)} are up: {way}", flush=True)
    try:
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
