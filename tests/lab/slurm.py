"""A Slurm on hosts in namespaces: munge, the controller on h1, and a node on each host.

::

    with Slurm(3, directory) as slurm:
        slurm.write("prog.py", PROGRAM)  # into the user's home, which all hosts share
        number = slurm.batch("python -m fedfutures prog.py", "-N3")  # `python`: the interpreter of this environment
        assert slurm.ended(number) == "COMPLETED"
        print(slurm.read(f"slurm-{number}.out"))

Tests take the fixture ``slurm`` (`fixtures.py`). By hand: ``python -m tests.lab --slurm -n 3 COMMAND`` runs a command
as the user on h1, such as ``sbatch job.sh`` or ``bash``.

The nodes have 4 processors and 2 GPUs each, which are nulls (`GPUS`), and never mind what the machine has. Jobs end
as on clusters: SIGTERM, then SIGKILL after `KILL_WAIT_SECONDS`. A job may be requeued, and an salloc without a command
gives a shell on the first node.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Sequence

from . import machines
from .cluster import PATH, Cluster
from .machines import Failed, wait_until

KILL_WAIT_SECONDS = 10
GPUS = 2
CONF = """\
ClusterName=lab
SlurmctldHost={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
LaunchParameters=use_interactive_step
GresTypes=gpu
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
KillWait={kill_wait}
MinJobAge=600
JobRequeue=1
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=1
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurmctld.log
SlurmdLogFile=/var/log/slurmd.log
{nodes}
PartitionName=lab Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""
DAEMONS = """
mkdir -p /run/munge /var/spool/slurmctld /var/spool/slurmd /opt/gpus
printf %s '{key}' >/etc/munge/munge.key
chown -R munge: /etc/munge /var/lib/munge /var/log/munge /run/munge
chmod 600 /etc/munge/munge.key
chmod 700 /etc/munge /var/log/munge; chmod 711 /var/lib/munge; chmod 755 /run/munge
for number in {gpus}; do mknod /opt/gpus/gpu$number c 1 3; done  # Slurm takes nothing but devices
cat >/etc/slurm/slurm.conf <<END
{conf}
END
echo 'Name=gpu File=/opt/gpus/gpu[0-{last_gpu}]' >/etc/slurm/gres.conf
# 22.05 loads a cgroup plugin whatever it is told; the one of v1 wants no mount
echo CgroupPlugin=cgroup/v1 >/etc/slurm/cgroup.conf
setpriv --reuid munge --regid munge --init-groups munged --force
[ $(hostname) != {controller_name} ] || slurmctld
slurmd
"""


class Slurm(Cluster):
    """A Slurm that is up when this is made; see the top of this module."""

    needs = ("munged", "slurmctld", "slurmd", "sbatch", "setpriv")
    _key = ""

    def _come_up(self) -> None:
        self._key = secrets.token_hex(128)
        self.on_all(self._daemons())
        self.await_nodes()

    def _daemons(self) -> str:
        lab = self.lab.machines
        nodes = "\n".join(
            f"NodeName={name} NodeAddr={machine.address} CPUs={self.cpus} RealMemory=2000 Gres=gpu:{GPUS} State=UNKNOWN"
            for name, machine in lab.items()
        )
        first = self.hosts[0]
        conf = CONF.format(
            controller=f"{first}({lab[first].address})", nodes=nodes, names=",".join(lab), kill_wait=KILL_WAIT_SECONDS
        )
        gpus = " ".join(map(str, range(GPUS)))
        return DAEMONS.format(key=self._key, conf=conf, gpus=gpus, last_gpu=GPUS - 1, controller_name=first)

    def await_nodes(self, seconds: float = machines.LIMIT_SECONDS) -> None:
        """Wait until no job has any node."""
        try:
            wait_until(lambda: self._states() == {"idle"}, "idle", seconds)
        except Failed as error:
            log = self.lab.run(self.hosts[0], "sinfo -N -l; squeue; tail -n 20 /var/log/slurmctld.log")
            raise Failed(f"the nodes are not idle: {error}\n{log}") from None

    def _states(self) -> set[str]:
        return set(self.lab.run(self.hosts[0], "sinfo -h -N -o %t 2>/dev/null || :").split())

    def boot(self, host: str) -> None:
        """Boot a node that was powered off; it has nothing of what was written there."""
        self.lab.start(host)
        self.on_all(self._user_script() + self._daemons(), [host])
        self.await_nodes(30.0)

    # ------------------------------------------------------------------------------------------------------------- jobs

    @property
    def variables(self) -> dict[str, str]:
        """The interpreter of this environment is the first ``python`` of the path."""
        return {"PATH": f"{os.path.dirname(sys.executable)}:{PATH}"}

    def batch(self, script: str, *options: str, host: str | None = None) -> int:
        """Submit a job script of these lines with options of sbatch; return the number of the job."""
        lines = script if script.startswith("#!") else f"#!/bin/bash\n{script}\n"
        path = self.write("job.sh", lines)
        said = machines.output(
            self.command(host or self.hosts[0], "sbatch", "--parsable", *options, str(path)), "sbatch"
        )
        return int(said.strip().split(";")[0])

    def fields(self, number: int | str) -> dict[str, str]:
        """Return what ``scontrol show job`` says; of an array of a heterogeneous job, of the first part."""
        text = self.run(self.hosts[0], f"scontrol -o show job {number}").splitlines()[0]
        return dict(word.partition("=")[::2] for word in text.split())

    def state(self, number: int | str) -> str:
        """Return the state of a job, such as RUNNING."""
        return self.fields(number)["JobState"]

    def ended(self, number: int | str, seconds: float = 60.0) -> str:
        """Wait for the end of a job; return its state."""
        return self.await_state(number, ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"), seconds)

    def await_state(self, number: int | str, states: Sequence[str], seconds: float = 60.0) -> str:
        """Wait until a job is in one of the states; return it. Raises Failed, which says what the job printed."""
        deadline = time.monotonic() + seconds
        while (state := self.state(number)) not in states:
            if time.monotonic() > deadline:
                raise Failed(f"after {seconds} s job {number} is {state}: {self.read(f'slurm-{number}.out')}")
            time.sleep(0.1)
        return state

    def exit_code(self, number: int | str) -> str:
        """Return code and signal of a job that has ended, such as 3:0."""
        return self.fields(number)["ExitCode"]

    def end_all(self) -> None:
        """Cancel all jobs, and end what their processes have left."""
        self.lab.run(self.hosts[0], "scancel --full --signal=KILL -u lab; scancel -u lab; true")
        self.end_processes()
        self.await_nodes(30.0)
