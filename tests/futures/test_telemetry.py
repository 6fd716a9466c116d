"""Each Future is a span, as a collector of OTLP gets it, below the span in which the program submitted it."""

from __future__ import annotations

import http.server
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import CHAIN, free_port, launch, write

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = [pytest.mark.host, pytest.mark.once]

PROGRAM = """
    import os, signal, sys, time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)

    def fail():
        raise ValueError("no")

    def once(path):
        if not os.path.exists(path):
            open(path, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)

    if __name__ == "__main__":
        futures.wait([futures.submit(nap, 0.05) for _ in range(20)])
        failed = futures.submit(fail)
        failed.exception()
        futures.submit(once, sys.argv[1]).result()
"""
IN_A_SPAN = """
    from opentelemetry import trace
    from fedfutures import futures

    if __name__ == "__main__":
        with trace.get_tracer("mine").start_as_current_span("outer") as outer:
            futures.submit(pow, 2, 5).result()
            future = futures.submit(pow, 2, 6)
        future.result()
        futures.submit(pow, 2, 7).result()
        print(format(outer.get_span_context().span_id, "016x"))
"""
OWN_PROVIDER = """
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from fedfutures import futures

    if __name__ == "__main__":
        trace.set_tracer_provider(TracerProvider())
        trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
"""


class Collector:
    """A server that takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        found = self.requests = list[Any]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    data = gzip.decompress(data)
                found.append(ExportTraceServiceRequest.FromString(data))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def spans(self) -> list[Any]:
        return [
            span for request in self.requests for one in request.resource_spans for scope in one.scope_spans
            for span in scope.spans
        ]  # fmt: skip


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.end()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def run(place: Path, program: str, address: str, *words: str) -> Any:
    write(place / "prog.py", program)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address}
    return launch("-n", "2", "--telemetry", "prog.py", *words, cwd=place, env=environment)


def test_each_future_is_a_span(tmp_path: Path, collector: Collector) -> None:
    began = time.time()
    ended = run(tmp_path, PROGRAM, collector.address, "done once")
    assert ended.code == 0, ended.err
    spans = collector.spans()
    assert Counter(span.name for span in spans) == {"nap": 20, "fail": 1, "once": 1}
    facts = {span.name: attributes(span) for span in spans}
    assert facts["nap"]["fedfutures.outcome"] == "value"
    assert facts["fail"]["fedfutures.outcome"] == "error"
    assert facts["once"]["fedfutures.attempts"] == 2
    assert all(one["fedfutures.worker"].startswith(one["host.name"] + ".") for one in facts.values())
    assert [span.name for span in spans if span.status.code == 2] == ["fail"]
    [resource] = {one.resource.SerializeToString() for request in collector.requests for one in request.resource_spans}
    assert b"prog.py" in resource
    rows: dict[str, list[Any]] = {}
    for span in spans:
        assert began * 1e9 < span.start_time_unix_nano <= span.end_time_unix_nano < (time.time() + 1) * 1e9
        rows.setdefault(attributes(span)["fedfutures.worker"], []).append(span)
        if span.name == "nap":
            assert 0.05e9 <= span.end_time_unix_nano - span.start_time_unix_nano < 1e9
    for row in rows.values():
        row.sort(key=lambda span: span.start_time_unix_nano)
        assert all(
            one.end_time_unix_nano <= other.start_time_unix_nano + 1000 for one, other in itertools.pairwise(row)
        )


def test_it_is_below_the_span_of_the_program(tmp_path: Path, collector: Collector) -> None:
    program = OWN_PROVIDER + IN_A_SPAN.partition('if __name__ == "__main__":\n')[2]
    ended = run(tmp_path, program, collector.address)
    assert ended.code == 0, ended.err
    spans = collector.spans()
    assert Counter(span.name for span in spans) == {"outer": 1, "pow": 3}
    parents = Counter(span.parent_span_id.hex() for span in spans if span.name == "pow")
    assert parents == {ended.out.strip(): 2, "": 1}
    [outer] = [span for span in spans if span.name == "outer"]
    assert sum(span.trace_id == outer.trace_id for span in spans) == 3


def test_a_collector_that_is_not_there_costs_no_run(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = run(tmp_path, PROGRAM, f"http://127.0.0.1:{free_port()}", "done once")
    assert ended.code == 0
    assert time.monotonic() - began < 25.0


def test_its_threads_are_none_of_the_program(tmp_path: Path, collector: Collector) -> None:
    """What callbacks submit while the program ends is waited for, however long that takes."""
    ended = run(tmp_path, CHAIN, collector.address)
    assert ended.code == 0, ended.err
    assert len(collector.spans()) == 41


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    write(tmp_path / "without" / "sitecustomize.py", """
        import sys
        sys.modules["opentelemetry.sdk"] = None
    """)  # fmt: skip
    ended = launch("--telemetry", "prog.py", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "without")})
    assert ended.code == 2
    assert "--telemetry needs opentelemetry: python -m pip install opentelemetry-sdk" in ended.err
