"""``python -m tests.soak``: makes hosts, launches the load, does faults, and says what it has shown. For root."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from tests import journal
from tests.lab import Failed, Machine, Namespaces, Site, machines

from . import chaos, verdict
from .stage import Stage

HOSTS = 4
WORKERS = 8
QUIET_SECONDS = 15.0
"""At the end nothing is done to anybody, so what is open can end."""
WARM_SECONDS = 60.0
"""After this the sizes of processes are noted for the first time."""
PATIENCE_SECONDS = 300.0
LEFT_SECONDS = 2.0
LOAD = Path(__file__).with_name("load.py")
MARK = "FEDFUTURES_SOAK"
JOURNAL = "FEDFUTURES_JOURNAL"


class Soak:
    """One soak: the directories, the laboratory and the program."""

    def __init__(self, place: Path, seconds: float, seed: str) -> None:
        self.seconds, self.seed = seconds, seed
        self.mark = uuid.uuid4().hex
        self.journal, self.temporary = place / "journal", place / "tmp"
        self.journal.mkdir()
        self.temporary.mkdir()
        points = f" FEDFUTURES_FAILPOINTS={seed}" if os.environ.get("SOAK_FAILPOINTS") else ""
        lines = [f"SetEnv {JOURNAL}={self.journal}{points}"]
        hosts = [Machine(f"h{number + 1}", lines=lines) for number in range(HOSTS)]
        self.lab = Namespaces([Site(hosts)], place / "lab", shared=[self.journal])
        self.begun = threading.Event()
        self.counts: dict[str, float] = {}
        self.before: dict[str, list[str]] = {}

    def launch(self) -> subprocess.Popen[str]:
        """Start the program in the place of the first host."""
        environment = {**os.environ, JOURNAL: str(self.journal), "TMPDIR": str(self.temporary), MARK: self.mark}
        environment.pop("XDG_RUNTIME_DIR", None)
        if os.environ.get("SOAK_FAILPOINTS"):
            environment["FEDFUTURES_FAILPOINTS"] = self.seed
        command = [*self.lab.origin_prefix, sys.executable, "-m", "fedfutures", "--hosts", *self.lab.hosts]
        command += ["--ssh-config", str(self.lab.config), "--allow-root", "-n", str(WORKERS)]
        command += [str(LOAD), str(self.seconds), self.seed]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment,
            start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()
        return process

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                if line.startswith("{"):
                    self.counts = json.loads(line)
                elif line == "begun\n":
                    self.begun.set()
                else:
                    print(line, end="", flush=True)

    def run(self) -> verdict.Verdict:
        """Launch, disturb, wait for the end, and look at what is there then."""
        with self.lab:
            self.before = {host: self._files(host) for host in self.lab.hosts[1:]}
            process = self.launch()
            if not self.begun.wait(60):
                os.killpg(process.pid, signal.SIGKILL)
                raise Failed("the program has not begun")
            stage = Stage(self.lab, process.pid, random.Random(self.seed))
            for host in stage.others():
                chaos.shorten_memory(stage, host)
            disturbed = max(0.0, self.seconds - QUIET_SECONDS)
            warm = min(WARM_SECONDS, disturbed / 4)
            happened = chaos.go_on(stage, warm, lambda: process.poll() is None)
            before = stage.sizes()
            happened += chaos.go_on(stage, disturbed - warm, lambda: process.poll() is None)
            after = stage.sizes()
            try:
                code = process.wait(QUIET_SECONDS + PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                code = self._show_and_kill(process)
            left = self._left()
        return self._verdict(code, happened, {role: (before[role], after[role]) for role in before}, left)

    def _show_and_kill(self, process: subprocess.Popen[str]) -> int:
        print(f"the program does not end: {machines.below(process.pid)}", file=sys.stderr)
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait(20)

    def _left(self) -> list[str]:
        """Return the processes and files of the run that are there after two seconds."""
        deadline = time.monotonic() + LEFT_SECONDS
        while (found := self._left_now()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _left_now(self) -> list[str]:
        found = [f"h1: {pid} {machines.name_of(pid)}" for pid in chaos.own_processes(f"{MARK}={self.mark}")]
        found += [f"h1: {path}" for path in self.temporary.iterdir()]
        for host in self.lab.hosts[1:]:
            pids = self.lab.processes(host)
            found += [f"{host}: {pid} {machines.name_of(pid)}" for pid in pids if machines.name_of(pid)]
            files = self._files(host)
            found += [f"{host}: {path}" for path in files if path not in self.before[host]]
        return found

    def _files(self, host: str) -> list[str]:
        return self.lab.run(host, "ls -d /dev/shm/* /tmp/* /var/tmp/* 2>/dev/null || true").split()

    def _verdict(
        self, code: int, happened: list[chaos.Happened], sizes: dict[str, tuple[int, int]], left: list[str]
    ) -> verdict.Verdict:  # fmt: skip
        log = journal.read([self.journal])
        results: dict[str, list[float]] = {}
        ends: list[float] = []
        for story in log.stories.values():
            for line in story.of("result"):
                results.setdefault(line.process.partition("-")[0], []).append(line.time / 1e9)
            if story.end is not None and story.key[0].startswith("origin"):
                ends.append(story.end.time / 1e9)
        for times in (*results.values(), ends):
            times.sort()
        faults = [(one.kind, one.host, one.time) for one in happened]
        return verdict.Verdict(
            self.seed, self.seconds, self.counts, code, verdict.counted(one.kind for one in happened), log.counts(),
            journal.broken(log), verdict.recoveries(faults, results), verdict.silences(ends, 5), sizes, left,
        )  # fmt: skip


def main() -> int:
    """Soak, and say what it has shown."""
    seconds = 60 * float(os.environ.get("SOAK_MINUTES") or 10)
    seed = os.environ.get("SOAK_SEED") or str(random.randrange(10**6))
    print(f"SOAK_SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        try:
            found = Soak(Path(directory), seconds, seed).run()
        except Failed as error:
            print(f"soak: {error}", file=sys.stderr)
            return 2
        if keep := os.environ.get("SOAK_JOURNAL"):
            (Path(directory) / "journal").rename(keep)
    print(found.text(), flush=True)
    return int(bool(found.problems))


if __name__ == "__main__":
    sys.exit(main())
