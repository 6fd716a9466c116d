"""Stand-ins for the launchers of PBS and LSF, of which there is no free package here: what their manuals say, no more.

This is no PBS and no LSF. A daemon on each host starts what it is asked for as the user, as those of batch systems do:

- ``pbsdsh -n INDEX -- PROGRAM ARGUMENTS...`` only in a job, on the node of that line of PBS_NODEFILE; the task reads
  /dev/null, and what it writes goes to the job's output, the file ``job.out`` in the home. When pbsdsh is killed, the
  task goes on. Sources: pbsdsh(1) of OpenPBS and of Torque.
- ``blaunch [-no-shell] HOST COMMAND...`` only in a job, with the streams of blaunch; without ``-no-shell`` a shell
  reads the words. Source: the LSF command reference.

Both wait for the task and end with its exit code.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab import machines
from lab.cluster import PATH, UID, Cluster

DAEMON = """
import json, os, socket, subprocess, sys, threading

def serve(connection):
    with connection:
        text, streams, _, _ = socket.recv_fds(connection, 1 << 17, 3)
        order = json.loads(text)
        process = subprocess.Popen(
            order["words"], stdin=streams[0], stdout=streams[1], stderr=streams[2], env=order["environment"],
            cwd=order["environment"]["HOME"], start_new_session=True, user=UID, group=UID, extra_groups=[],
        )
        for stream in streams:
            os.close(stream)
        code = process.wait()
        try:
            connection.send(str(code if code >= 0 else 128 - code).encode())
        except OSError:
            pass

listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen(64)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
ORDER = """
import json, os, socket, sys

def order(host, words, streams):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(f"{os.environ['HOME']}/daemons/{host}")
        text = json.dumps({"words": words, "environment": dict(os.environ)})
        socket.send_fds(connection, [text.encode()], streams)
        sys.exit(int(connection.recv(100) or 1))
"""
PBSDSH = """
if "PBS_JOBID" not in os.environ:
    sys.exit("pbsdsh: error from tm_init: not in a job")
option, index, dashes, *words = sys.argv[1:]
if (option, dashes) != ("-n", "--") or not words:
    sys.exit("usage: pbsdsh -n INDEX -- PROGRAM ARGUMENTS...")
nodes = open(os.environ["PBS_NODEFILE"]).read().split()
if int(index) >= len(nodes):
    sys.exit("pbsdsh: there is no such node")
host = nodes[int(index)].partition(".")[0].partition("[")[0]
output = os.open(f"{os.environ['HOME']}/job.out", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
order(host, words, [os.open(os.devnull, os.O_RDONLY), output, output])
"""
BLAUNCH = """
if "LSB_JOBID" not in os.environ:
    sys.exit("blaunch: not in a job of LSF")
words = sys.argv[1:]
plain = words[0] == "-no-shell"
host, *words = words[plain:]
order(host, words if plain else ["/bin/sh", "-c", " ".join(words)], [0, 1, 2])
"""


CENSUS = """
    import sys, time
    import fedfutures
    from fedfutures import futures

    def where(number):
        time.sleep(0.02)
        return fedfutures.worker.name.partition(".")[0]

    if __name__ == "__main__":
        seen, wanted, end = set(), set(sys.argv[1].split(",")), time.monotonic() + 20
        while not wanted <= seen and time.monotonic() < end:
            seen |= set(futures.map(where, range(64)))
        print(fedfutures.SIZE, *sorted(seen))
"""
LONG = """
    import sys, time
    from fedfutures import futures

    def nap(number):
        time.sleep(0.1)
        return number

    if __name__ == "__main__":
        count, found = int(sys.argv[1]), []
        for number in futures.map(nap, range(count), chunksize=1):
            found.append(number)
            if len(found) == 8:
                print("under way", flush=True)
        print("right" if found == list(range(count)) else "wrong", flush=True)
"""


class Standins(Cluster):
    """Hosts with a `pbsdsh` and a `blaunch` for the user; see the top of this module."""

    def _come_up(self) -> None:
        for name, text in (("pbsdsh", PBSDSH), ("blaunch", BLAUNCH)):
            self.write(f"bin/{name}", f"#!{sys.executable} -IS\n{ORDER}{text}")
        self.write("census.py", CENSUS)
        self.write("long.py", LONG)
        (self.home / "daemons").mkdir()
        daemon = self.write("bin/daemon", f"#!{sys.executable} -IS\n{DAEMON.replace('UID', str(UID))}")
        sockets = [self.home / "daemons" / host for host in self.hosts]
        for host, path in zip(self.hosts, sockets):
            self.on_all(f"setsid {daemon} {path} </dev/null >/dev/null 2>/run/daemon.log &", [host])
        machines.wait_until(lambda: all(path.exists() for path in sockets), "daemons")

    @property
    def variables(self) -> dict[str, str]:
        """The interpreter of this environment is the first ``python`` of the path; the stand-ins are there as well."""
        return {"PATH": f"{os.path.dirname(sys.executable)}:{self.home}/bin:{PATH}"}

    def pbs_job(self, nodes: Sequence[str]) -> dict[str, str]:
        """Return the variables of a job of PBS on these nodes, each once for each Worker."""
        return {"PBS_JOBID": "1.h1", "PBS_NODEFILE": str(self._hosts("nodes", nodes))}

    def lsf_job(self, hosts: Sequence[str]) -> dict[str, str]:
        """Return the variables of a job of LSF on these hosts, each once for each slot."""
        return {"LSB_JOBID": "1", "LSB_DJOB_HOSTFILE": str(self._hosts("slots", hosts))}

    def _hosts(self, name: str, hosts: Sequence[str]) -> Path:
        return self.write(name, "".join(f"{host}\n" for host in hosts))

    def launch(self, words: str, job: dict[str, str]) -> subprocess.Popen[str]:
        """Start a shell command on h1, in a job."""
        return subprocess.Popen(
            self.command("h1", "/bin/sh", "-c", f"exec {words}", environment=job), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def ended(self, process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
        """Wait for its end, and see that nothing is left; return what it has printed, and said in one line."""
        out, errors = process.communicate(timeout=30)
        assert process.returncode == code, errors
        self.assert_empty(time.monotonic())
        folder = self.home / ".cache" / "fedfutures"
        assert not folder.exists() or os.listdir(folder) == []
        return out, " ".join(errors.split())

    def run_in(self, job: dict[str, str], words: str, code: int = 0) -> tuple[str, str]:
        """Launch and wait, as above."""
        return self.ended(self.launch(words, job), code)

    def kill_connector(self) -> None:
        """Kill the connector of the only run."""
        found = [pid for pid in self.processes("h1") if b"fedfutures_launcher.connector" in _words(pid)]
        assert found
        machines.send(found, signal.SIGKILL)

    def end_all(self) -> None:
        """End what a test has left."""
        self.end_processes()
        (self.home / "job.out").unlink(missing_ok=True)


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
