"""A run is asked from another terminal: while it computes, while it is stuck, while parts of it are killed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hosts.ground import Ground
from launching import Ended, Running, eventually, launch, python, write

from fedfutures.errors import StartFailed
from fedfutures.seeing import runs as runs_module
from fedfutures.seeing.picture import RunPicture
from fedfutures.seeing.runs import SeenRun, ask, chosen, run_sockets, seen, stacks
from fedfutures.seeing.watching import news

pytestmark = pytest.mark.host

SECONDS = 20.0
PROGRAM = """
    import re, sys, time
    from fedfutures import futures

    def price(row, password="x"):
        time.sleep(row)
        return row

    def stuck(text):
        return re.match("(a+)+$", text)  # which holds the interpreter for longer than any test

    def nest(row):
        return futures.submit(price, row).result()

    def serve(way):
        quick = [futures.submit(price, 0.01) for _ in range(20)]
        futures.wait(quick)
        if way == "stuck":
            futures.submit(stuck, "a" * 64 + "b")
            futures.submit(price, 600.0)
            time.sleep(1.0)  # it is sent
            stuck("a" * 64 + "b")
        elif way == "nested":
            futures.submit(nest, 600.0).result()
        elif way == "map":
            list(futures.map(price, [0.0] * 10 + [600.0] * 30))
        futures.submit(price, 600.0, password="hidden").result()

    if __name__ == "__main__":
        serve(sys.argv[1])
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a program; it is killed in the end."""
    there: list[Running] = []
    write(tmp_path / "prog.py", PROGRAM)

    def start(*words: str, **more: object) -> Running:
        there.append(Running([*words], cwd=tmp_path, **more))  # type: ignore[arg-type]
        return there[-1]

    yield start
    for one in there:
        one.kill()
        one.process.communicate(timeout=SECONDS)
        assert one.gone()


def found(pid: int) -> SeenRun | None:
    """Return the run of a program."""
    return next(iter(chosen([seen(path) for path in run_sockets()], str(pid))), None)


def pictured(running: Running | int, condition: Callable[[RunPicture], object]) -> SeenRun:
    """Return the run of a program once its picture is as it should be."""
    pid = running if isinstance(running, int) else running.process.pid
    deadline = time.monotonic() + SECONDS
    while (run := found(pid)) is None or not condition(run.picture):
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    return run


def calls(picture: RunPicture) -> list[str]:
    return [call.text for call in picture.calls()]


def verb(name: str, running: Running, *words: str) -> Ended:
    return launch(name, str(running.process.pid), *words)


def test_what_runs_is_shown_with_arguments_place_and_others_like_it(started: Callable[..., Running]) -> None:
    running = started("-n", "2", "prog.py", "plain")
    run = pictured(running, lambda picture: picture.busy == 1 and "price(row=600.0, password=...)" in calls(picture))
    [call] = run.picture.calls()
    assert call.place is not None
    assert call.place[1:] == (6, "price")
    assert (call.seconds or 0.0) > 0.0
    assert "hidden" not in repr(run)
    line = next(line for line in launch("list").out.splitlines() if f"pid {running.process.pid}" in line)
    assert re.fullmatch(r"prog.py \(pid \d+\), for .*: 2 Workers, 1 busy", line), line
    status = verb("status", running)
    assert (status.code, status.err) == (0, "")
    assert "  20 Futures done; 1 given" in status.out
    assert re.search(r"^  price: 20 done in .* of Workers' time, half of them within \d+ ms", status.out, re.M)
    explained = verb("explain", running)
    said = r"^price\(row=600.0, password=...\) has run on \S+ for .*, in prog.py:6 \(price\); 20 others like it took"
    assert re.search(said, explained.out, re.M), explained.out
    assert "The program itself is in prog.py:" in explained.out
    shown = verb("stack", running)
    assert re.search(rf"^{re.escape(call.worker)}:\n  File \".*prog.py\", line 6 in price", shown.out, re.M), shown.out
    assert re.search(r"^the program:\n(  File .*\n)*  File \".*prog.py\", line \d+ in serve", shown.out, re.M), (
        shown.out
    )
    one = verb("stack", running, call.worker)
    assert one.out.splitlines()[0] == f"{call.worker}:"
    assert "the program" not in one.out
    assert json.loads(verb("status", running, "--json").out)["pid"] == running.process.pid


def test_what_is_stuck_in_c_code_is_found_all_the_same(started: Callable[..., Running]) -> None:
    running = started("-n", "2", "prog.py", "stuck")
    run = pictured(running, lambda picture: picture.origin is None and "price(row=600.0)" in calls(picture))
    [silent] = [worker for worker in run.picture.workers.values() if not worker.answers]
    assert silent.doing == "running"
    began = time.monotonic()
    explained = verb("explain", running)
    assert time.monotonic() - began < SECONDS
    assert f"Worker {silent.name} runs something and does not answer" in explained.out
    assert "The program has not answered" in explained.out
    command = re.search(r"Where it is: fedfutures (stack .*)$", explained.out, re.M)
    assert command is not None
    pasted = launch(*command[1].split())
    assert 'prog.py", line 10 in stuck' in pasted.out, pasted.out


def test_a_stopped_worker_is_named_and_a_killed_broker_hides_nothing(started: Callable[..., Running]) -> None:
    running = started("-n", "2", "prog.py", "plain")
    run = pictured(running, lambda picture: picture.busy == 1 and "price(row=600.0, password=...)" in calls(picture))
    idle = next(worker for worker in run.picture.workers.values() if not worker.is_busy)
    os.kill(idle.pid, signal.SIGSTOP)
    pictured(running, lambda picture: picture.workers[idle.name].doing == "stopped")
    assert f"Worker {idle.name} is stopped by a signal" in verb("explain", running).out
    assert f"{idle.name}:\n  nothing of the program runs" in verb("stack", running).out
    os.kill(idle.pid, signal.SIGCONT)
    for _ in range(3):
        for pid in broker_pids(run.path):
            os.kill(pid, signal.SIGKILL)
        run = pictured(running, lambda picture: picture.workers)
    pictured(running, lambda picture: picture.origin and "price(row=600.0, password=...)" in calls(picture))


def broker_pids(path: str) -> list[int]:
    reports = [report for _, report in ask(path, "status") if report and report.get("role") == "host"]
    return [one["pid"] for report in reports for one in report["processes"].values() if one["role"] == "broker"]


def test_nested_futures_and_maps(started: Callable[..., Running]) -> None:
    nested = started("-n", "2", "prog.py", "nested")
    run = pictured(nested, lambda picture: "price(row=600.0)" in " ".join(calls(picture)) or any(
        call.text == "price(row=600.0)" for worker in picture.workers.values() for call in worker.calls))  # fmt: skip
    assert any("price(row=600.0)" in line for line in verb("explain", nested).out.splitlines()), run
    mapped = started("-n", "2", "prog.py", "map")
    pictured(mapped, lambda picture: picture.origin and picture.origin["maps"] and picture.busy == 2)
    assert re.search(r"^  map\(price\): \d+ of 40 items done$", verb("status", mapped).out, re.M)


def test_an_executor_of_a_plain_program_is_asked_too(started: Callable[..., Running], tmp_path: Path) -> None:
    write(
        tmp_path / "plain.py",
        """
        import time
        from fedfutures import Executor

        if __name__ == "__main__":
            with Executor(2) as executor:
                executor.submit(time.sleep, 600).result()
        """,
    )
    running = started("plain.py", fedfutures=False)
    run = pictured(running, lambda picture: "sleep(600)" in calls(picture))
    assert run.name == "plain.py"


def test_which_run_is_meant(started: Callable[..., Running]) -> None:
    one, two = started("-n", "1", "prog.py", "plain"), started("-n", "1", "prog.py", "plain")
    for running in (one, two):
        pictured(running, lambda picture: picture.busy)
    several = launch("explain", "prog")
    assert several.code == 2
    assert "several runs are there; name one by its pid:" in several.err
    for running in (one, two):
        assert f"prog.py (pid {running.process.pid})" in several.err
    none = launch("status", "no-such-program")
    assert (none.code, none.out) == (2, "")
    assert "no run of yours on this machine is called no-such-program either" in none.err
    unknown = verb("stack", one, "h9.7")
    assert unknown.code == 2
    assert "the run has no Worker h9.7; it has " in unknown.err


def test_runs_that_were_killed_are_cleared_away(started: Callable[..., Running]) -> None:
    running = started("-n", "1", "prog.py", "plain")
    run = pictured(running, lambda picture: picture.busy)
    running.kill()
    assert running.gone()
    assert eventually(lambda: run.path not in run_sockets(), SECONDS)
    assert not os.path.exists(run.path)
    with pytest.raises(StartFailed, match="has ended"):
        list(ask(run.path, "status"))


def test_runs_of_jobs_are_found_in_their_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / place / "fedfutures-h0123456789abcde" for place in ("", "123.1.all.q", "a/b")]
    for path in paths:
        path.mkdir(parents=True, mode=0o700)
        (path / "ask").touch()
    (tmp_path / "fedfutures-home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    monkeypatch.setattr(runs_module, "usual_places", lambda: [str(tmp_path), "/no/such/place"])
    monkeypatch.setattr(runs_module, "remove_abandoned", lambda places: [])
    assert run_sockets() == [str(path / "ask") for path in (paths[1], paths[0])]


def test_a_signal_has_the_program_explain_itself(started: Callable[..., Running]) -> None:
    running = started("-n", "1", "prog.py", "plain")
    pictured(running, lambda picture: "price(row=600.0, password=...)" in calls(picture))
    running.process.send_signal(signal.SIGUSR1)
    assert running.process.stderr is not None
    for line in running.process.stderr:
        if "has run on" in line:
            assert line.startswith("fedfutures: price(row=600.0, password=...) has run on ")
            break


def test_a_program_whose_main_thread_has_ended_is_watched(started: Callable[..., Running], tmp_path: Path) -> None:
    """From then on Python imports no module any more that registers something for the end."""
    write(
        tmp_path / "late.py",
        """
        import os, threading, time
        from fedfutures import Executor

        def work():
            threading.main_thread().join()
            while not os.path.exists("enough"):
                executor.submit(pow, 2, 5).result()
                time.sleep(0.05)

        if __name__ == "__main__":
            executor = Executor(1)
            executor.submit(pow, 2, 5).result()
            threading.Thread(target=work).start()
        """,
    )
    running = started("late.py", fedfutures=False)
    run = pictured(running, lambda picture: picture.origin["sums"]["futures"] > 1)
    assert any(message[1] == "pow" for said in news(run.path) for message in said.report["messages"])
    (tmp_path / "enough").touch()
    ended = running.end()
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_all_hosts_of_a_run_are_seen(rootless, tmp_path: Path) -> None:
    ground = Ground(rootless, ["h1", "h2", "h3"], str(tmp_path), "paramiko")
    running = ground.start("-n", "3", ground.write("prog.py", PROGRAM_OF_HOSTS))
    try:
        run = pictured(running.pid, lambda picture: len(picture.calls()) == 3)
        assert sorted(call.worker for call in run.picture.calls()) == ["h1.1", "h2.1", "h3.1"]
        assert all(run.picture.hosts[name].answers for name in ("h1", "h2", "h3"))
        where = stacks(ask(run.path, "stack"))
        assert all("in nap" in where[name] for name in ("h1.1", "h2.1", "h3.1")), where
    finally:
        running.send_signal(signal.SIGINT)
        ground.finish(running)


PROGRAM_OF_HOSTS = """
import time
from fedfutures import futures

def nap(seconds):
    time.sleep(seconds)

if __name__ == "__main__":
    futures.wait([futures.submit(nap, 600) for _ in range(3)])
"""


@pytest.mark.parametrize("way", ["launched", "executor"])
def test_arguments_are_hidden_where_the_user_wants_that(tmp_path: Path, way: str) -> None:
    write(
        tmp_path / "prog.py",
        """
        import sys, time
        from fedfutures import Executor, explain, futures

        def price(row):
            time.sleep(1.5 if row else 0.0)
            raise ValueError("no price")

        def crash(row):
            import os
            os._exit(3)

        if __name__ == "__main__":
            executor = Executor(1, hide_arguments=True) if sys.argv[1] == "executor" else futures
            future = executor.submit(price, 4711)
            while "has run on" not in (text := explain()):
                time.sleep(0.05)
            try:
                future.result()
            except ValueError as error:
                text += "".join(getattr(error, "__notes__", ())) + str(error.__cause__)
            print(text, executor.submit(crash, 4711).exception())
        """,
    )
    options = ["-n", "1", "--hide-arguments"] if way == "launched" else []
    run = launch if way == "launched" else python
    ended = run(*options, "prog.py", way, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "price(...) has run on " in ended.out
    assert "in price(...), on " in ended.out
    assert "crash(...) was running" in ended.out
    assert "4711" not in ended.out
