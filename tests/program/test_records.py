"""Log records of Futures in the program: its handlers, filters, levels and formats hold."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from launching import launch, python, write

from fedfutures.program import records

PROGRAM = """\
import logging, os, sys
import fedfutures.logging
from fedfutures import Executor, futures
{top}
log = logging.getLogger("app.part")
class Odd: pass
def work(x):
    log.debug("details of %s", x)
    log.info("work on %s", x, extra={{"step": x, "odd": Odd()}})
    logging.getLogger("noisy").warning("not wanted")
    logging.getLogger("other").error("from another")
    try:
        x / 0
    except ZeroDivisionError:
        log.exception("failed")
    return x
def crash():
    log.critical("about to end")
    os._exit(1)
class Few(logging.Filter):
    def filter(self, record): return "filtered" not in record.getMessage()
def configure():
    handler = logging.FileHandler(sys.argv[1])
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(worker)s %(message)s"))
    handler.addFilter(Few())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("noisy").setLevel(logging.ERROR)
def run(submit):
    {configure}
    fedfutures.logging.forward()
    logging.info("of the program")
    submit(work, 1).result()
    submit(log.info, "this is filtered").result()
    submit(crash).exception()
    log.setLevel(logging.DEBUG)
    fedfutures.logging.forward(level="DEBUG")
    submit(work, 2).result()
{guard}
    if "executor" in sys.argv:
        with Executor(2) as executor: run(executor.submit)
    else:
        run(futures.submit)
"""
GUARDED, UNGUARDED = "if __name__ == '__main__':", "if True:"
EXPECTED = [
    "INFO root origin of the program",
    "INFO app.part W work on 1", "ERROR other W from another", "ERROR app.part W failed",
    *["CRITICAL app.part W about to end"] * 3,
    "DEBUG app.part W details of 2", "INFO app.part W work on 2", "ERROR other W from another",
    "ERROR app.part W failed",
]  # fmt: skip


@pytest.mark.host
@pytest.mark.parametrize(
    ("guard", "where", "way"),
    [
        (GUARDED, "below", "launched"), (UNGUARDED, "below", "launched"), (GUARDED, "top", "launched"),
        (GUARDED, "below", "executor"),
    ],
)  # fmt: skip
def test_forwarded(tmp_path: Path, guard: str, where: str, way: str) -> None:
    top = "logging.basicConfig(level=logging.INFO, filename=sys.argv[1] + '.own')" if where == "top" else ""
    configure = "logging.root.handlers.clear(); configure()"
    program = write(tmp_path / "prog.py", PROGRAM.format(top=top, configure=configure, guard=guard))
    file = tmp_path / "the.log"
    run = launch("-n", "2", str(program), str(file)) if way == "launched" else python(str(program), str(file), way)
    assert (run.out, run.err, run.code) == ("", "", 0), run
    lines = file.read_text().splitlines()
    said = [line for line in lines if line.split()[0] in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")]
    workers = {line.split()[2] for line in said} - {"origin"}
    for worker in workers:
        said = [line.replace(f" {worker} ", " W ", 1) for line in said]
    assert sorted(said) == sorted(EXPECTED)
    assert said[0] == EXPECTED[0]
    assert sum("ZeroDivisionError" in line for line in lines) == 2
    if where == "top":
        assert (tmp_path / "the.log.own").read_text() == ""  # Workers leave it to the program


@pytest.mark.host
def test_one_logger_and_a_flood(tmp_path: Path) -> None:
    """Others stay in the Worker; of many records none is left out."""
    write(
        tmp_path / "prog.py",
        """\
        import logging, time
        import fedfutures.logging
        from fedfutures import futures
        def flood(n):
            for i in range(n):
                logging.getLogger("a.b").info("x" * 2000)
            logging.getLogger("c").error("stays in the Worker")
            return n
        class Count(logging.Handler):
            seen, others = 0, []
            def emit(self, record):
                if record.name == "a.b": Count.seen += 1
                else: Count.others.append(record.getMessage())
        if __name__ == "__main__":
            logging.getLogger("a").setLevel(logging.INFO)
            logging.root.addHandler(Count())
            fedfutures.logging.forward("a")
            for _ in range(4):
                futures.submit(flood, 5000).result()
            until = time.monotonic() + 30
            while Count.seen < 20_000 and time.monotonic() < until: time.sleep(0.05)
            print(Count.seen, Count.others)
        """,
    )
    ended = launch("-n", "1", "--no-prefix", "prog.py", cwd=tmp_path)
    assert (ended.out, ended.code) == ("20000 []\n", 0), ended
    assert set(ended.err.splitlines()) == {"stays in the Worker"}


def sent(record: logging.LogRecord, monkeypatch: pytest.MonkeyPatch) -> bytes:
    lines: list[bytes] = []
    monkeypatch.setattr(records, "write", lines.append)
    records.Sender().handle(record)
    [line] = lines
    assert line.endswith(b"\n")
    return line


def test_whatever_a_record_holds_it_is_one_line_of_bounded_length(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.LogRecord("app", 20, "caf\udce9.py", 5, "%s\n\ud800 and %s", ("a" * 100_000, object()), None)
    record.extra: Any = {"deep": [object()] * 3}  # type: ignore[misc]
    record.other = "é\r\n" * 10_000
    line = sent(record, monkeypatch)
    assert line.count(b"\n") == 1
    assert len(line) < 60_000
    said = json.loads(line)
    assert said["pathname"] == "caf\udce9.py"
    assert said["msg"].startswith("aaa")
    assert said["msg"].endswith(" characters]")
    records.handle("host.1", line)


def test_a_record_arrives_as_it_was(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    line = sent(logging.LogRecord("app.x", 30, "prog.py", 5, "is %d", (5,), None, "function"), monkeypatch)
    records.handle("host.7", line)
    [record] = caplog.records
    assert (record.getMessage(), record.name, record.levelname, record.lineno) == ("is 5", "app.x", "WARNING", 5)
    assert (record.__dict__["worker"], record.__dict__["host"]) == ("host.7", "host")
    logging.getLogger("app").setLevel(logging.ERROR)  # by now
    try:
        records.handle("host.7", line)
    finally:
        logging.getLogger("app").setLevel(logging.NOTSET)
    assert caplog.records == [record]
    records.handle("host.7", b"[... 5 bytes of output left out ...]\n")
    assert "5 bytes of output left out" in caplog.records[1].getMessage()
