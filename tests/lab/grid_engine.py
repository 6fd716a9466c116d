"""A Grid Engine on hosts in namespaces: the qmaster on h1, and an execution host on each.

::

    with GridEngine(3, directory) as engine:
        engine.write("prog.py", PROGRAM)  # into the user's home, which all hosts share
        number = engine.batch("python -m fedfutures prog.py", "-pe", "mpi", "5")
        engine.ended(number)
        print(engine.read(f"job.o{number}"))

Tests take the fixture ``grid_engine`` (`fixtures.py`). By hand: ``python -m tests.lab --grid-engine -n 3 COMMAND`` runs
a command as the user on h1, such as ``qsub job.sh`` or ``bash``.

The queue is all.q with 2 slots on each host; the parallel environment ``mpi`` gives them out in turn and lets a job use
``qrsh -inherit``. qdel and the limit of time send SIGKILL at once, as Grid Engine does unless it is told otherwise.
"""

from __future__ import annotations

import os
import re
import sys
import time

from . import machines
from .cluster import PATH, Cluster
from .machines import Failed, wait_until

SLOTS = 2
ROOT = "/var/lib/gridengine"
SPOOL = "/var/spool/gridengine"
TOOLS = "/usr/lib/gridengine"
VARIABLES = f"export SGE_ROOT={ROOT} SGE_CELL=default SGE_ARCH=lx-amd64 PATH={TOOLS}:/usr/sbin:/usr/bin:/sbin:/bin"
SETUP = f"""
{VARIABLES}
install -D -m 644 -o sgeadmin /usr/share/gridengine/default-bootstrap {ROOT}/default/common/bootstrap
echo {{first}} >{ROOT}/default/common/act_qmaster
"""
MASTER = f"""
rm -rf {SPOOL}/spooldb {SPOOL}/qmaster
install -d -o sgeadmin {SPOOL}/spooldb {SPOOL}/qmaster {SPOOL}/qmaster/job_scripts
sed 's/^load_report_time .*/load_report_time 00:00:01/; s/flush_time=[0-9:]*/flush_time=00:00:01/' \\
    /usr/share/gridengine/default-configuration >/etc/engine.conf
admin() {{{{ setpriv --reuid sgeadmin --regid sgeadmin --init-groups "$@" >/dev/null; }}}}
admin spoolinit berkeleydb libspoolb {SPOOL}/spooldb init
admin spooldefaults configuration /etc/engine.conf
admin spooldefaults complexes /usr/share/gridengine/util/resources/centry
admin spooldefaults usersets /usr/share/gridengine/util/resources/usersets
admin spooldefaults managers sgeadmin
admin spooldefaults managers root
sge_qmaster
until qconf -sh >/dev/null 2>&1; do sleep 0.05; done
for host in {{names}}; do qconf -ah $host; qconf -as $host; done >/dev/null 2>&1
cd $(mktemp -d)
cat >mpi <<END
pe_name mpi
slots 999
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule \\$round_robin
control_slaves TRUE
job_is_first_task FALSE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
END
cat >group <<END
group_name @allhosts
hostlist {{names}}
END
cat >edit <<END
#!/bin/sh
sed -i "s/^pe_list.*/pe_list mpi/; s/^hostlist.*/hostlist @allhosts/; s/^slots.*/slots {SLOTS}/
s|^shell .*|shell /bin/bash|; s/^load_thresholds.*/load_thresholds NONE/; s/^rerun .*/rerun TRUE/" \\$1
END
cat >schedule <<END
#!/bin/sh
sed -i "s/^schedule_interval.*/schedule_interval 0:0:1/; s/^flush_submit_sec.*/flush_submit_sec 1/
s/^flush_finish_sec.*/flush_finish_sec 1/" \\$1
END
chmod +x edit schedule
qconf -Ap mpi
qconf -Ahgrp group
EDITOR=./edit qconf -aq all.q
EDITOR=./schedule qconf -msconf
"""
EXECUTION = f"""
install -d -o sgeadmin {SPOOL}/execd
sge_execd
"""


class GridEngine(Cluster):
    """A Grid Engine that is up when this is made; see the top of this module."""

    needs = ("sge_qmaster", "sge_execd", "qsub", "setpriv")

    def _come_up(self) -> None:
        words = {"first": self.hosts[0], "names": " ".join(self.hosts)}
        self.on_all((SETUP + MASTER).format(**words), self.hosts[:1])
        self.on_all((SETUP + EXECUTION).format(**words))
        self.await_hosts()

    def await_hosts(self, seconds: float = machines.LIMIT_SECONDS) -> None:
        """Wait until every host takes work and no job has any."""
        try:
            wait_until(self._free, "free", seconds)
        except Failed as error:
            said = self.lab.run(self.hosts[0], f"{VARIABLES}; qstat -f -u '*'; tail -n 20 {SPOOL}/qmaster/messages")
            raise Failed(f"the queue is not free: {error}\n{said}") from None

    def _free(self) -> bool:
        lines = self.lab.run(self.hosts[0], f"{VARIABLES}; qstat -f -u '*'").splitlines()
        queues = [line.split() for line in lines if line.startswith("all.q@")]
        return (
            len(queues) == len(self.hosts) == sum(len(words) == 5 and words[2].startswith("0/0/") for words in queues)
        )

    # ------------------------------------------------------------------------------------------------------------- jobs

    @property
    def variables(self) -> dict[str, str]:
        """The interpreter of this environment is the first ``python`` of the path."""
        return {"PATH": f"{os.path.dirname(sys.executable)}:{PATH}", "SGE_ROOT": ROOT, "SGE_CELL": "default"}

    def batch(self, script: str, *options: str) -> int:
        """Submit a job script of these lines, in the home; return the number of the job."""
        head = f"#!/bin/bash\nexport PATH={self.variables['PATH']}\n"  # a job does not get that of who submits it
        path = self.write("job", script if script.startswith("#!") else f"{head}{script}\n")
        command = self.command(self.hosts[0], "qsub", "-terse", "-cwd", *options, str(path))
        return int(re.split(r"[.\s]", machines.output(command, "qsub"))[0])

    def state(self, number: int) -> str:
        """Return the state of a job as qstat has it, such as r or qw; of one that has ended, nothing."""
        for line in self.run(self.hosts[0], "qstat").splitlines():
            words = line.split()
            if words[:1] == [str(number)]:
                return words[4]
        return ""

    def ended(self, number: int, seconds: float = 60.0) -> None:
        """Wait for the end of a job. Raises Failed, which says what it printed."""
        deadline = time.monotonic() + seconds
        while state := self.state(number):
            if time.monotonic() > deadline:
                raise Failed(f"after {seconds} s job {number} is {state}: {self.read(f'job.o{number}')}")
            time.sleep(0.1)

    def exit_code(self, number: int, seconds: float = 30.0) -> int:
        """Return the exit code of a job that has ended, as the accounting has it: a while later."""
        found: list[int] = []

        def known() -> bool:
            for line in self.lab.run(self.hosts[0], f"cat {ROOT}/default/common/accounting || :").splitlines():
                words = line.split(":")
                if len(words) > 12 and words[5] == str(number) and words[-4] == "NONE":  # none of qrsh
                    found.append(int(words[12]))
            return bool(found)

        wait_until(known, f"the accounting knows job {number}", seconds)
        return found[0]

    def end_all(self) -> None:
        """Delete all jobs, and end what their processes have left."""
        self.lab.run(self.hosts[0], f"{VARIABLES}; qdel -f -u lab >/dev/null 2>&1 || :")
        self.end_processes()
        self.await_hosts(30.0)
