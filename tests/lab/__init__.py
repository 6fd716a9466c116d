"""Hosts on one machine, for tests and for trying things out: ``python -m tests.lab --help``.

There are two kinds. Both give each host a real sshd with keys of its own, and both write an ssh config in which the
hosts are called h1, h2 and so on, so ``ssh -F lab.config h2`` is all that a client needs.

- **Rootless** (`rootless.py`) works for every user: one sshd on each of 127.0.1.1, .2, .3 ... All hosts share the
  machine's name, files and processes, and nothing can be cut between them.
- **Namespaces** (`namespaces.py`) takes root: each host has a network, a name, files and processes of its own, hosts
  stand in sites behind routers, and a router lets through what the policy of its site says.

On hosts in namespaces there can be a batch system with an ordinary user (`cluster.py`): `slurm.py`,
`grid_engine.py`.
"""

from .grid_engine import GridEngine
from .machines import Failed, Machine
from .namespaces import Namespaces, Site
from .rootless import Rootless
from .slurm import Slurm

__all__ = ["Failed", "GridEngine", "Machine", "Namespaces", "Rootless", "Site", "Slurm"]
