"""``--telemetry``: a span of OpenTelemetry for each Future, with its Worker, host, attempts and outcome.

A Future's span is below the one that was current where the program submitted it. Where the program has set up no tracer
provider of its own by the time the first outcome comes, spans go by OTLP to where the ``OTEL_`` variables say. They are
put together in a thread, from what comes with outcomes; Workers need nothing of OpenTelemetry.

Source: OpenTelemetry specification, "Trace API" and "SDK environment variables", https://opentelemetry.io/docs/specs/otel
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import threading
import time
from collections import deque
from typing import Any, NamedTuple

from ..node import events as rules
from ..seeing.spans import WorkerTimes
from ..wire.facts import blocks, names_of
from ..wire.messages import KINDS, VALUE, WITH_OUTPUT

EVERY_SECONDS = 0.25
END_SECONDS = 5.0
"""So long the end waits for the last spans to be sent."""
UNSENT_AT_MOST = 1 << 16
NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_SCOPE = "fedfutures"
"""The name of the instrumentation scope, and in front of its attributes."""
INSTALL = "python -m pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


def problem() -> str:
    """Return what is missing, for people; "" if nothing is."""
    try:
        for name in NEEDED:
            importlib.import_module(name)
    except ImportError:
        return f"needs opentelemetry: {INSTALL}"
    return ""


class FinishedMessage(NamedTuple):
    """Outcomes of one message, as they were put aside."""

    at: float
    function: str
    ids: list[int]
    odd: list[tuple[int, int]]
    facts: bytes


class FutureSpans:
    """Those of one run, of this program; `federation` has it. Raises ImportError without OpenTelemetry."""

    def __init__(self, federation: Any, program: str) -> None:
        from opentelemetry import trace

        self._trace, self._program, self._origin = trace, program, federation.origin
        self._provider: Any = None  # that we have set up
        self._tracer: Any = None
        self._parents: dict[int, Any] = {}  # by number, of those that were submitted below a span
        self._aside: deque[FinishedMessage] = deque()
        self._times = WorkerTimes()
        self._epoch = time.time() - time.monotonic()
        self._over, self._telling = threading.Event(), threading.Lock()
        self._is_told_at_exit = False
        submissions = self._origin.submissions
        submissions.draw_numbers_by(map(self._note_submit, submissions.numbers))
        federation.counting.watch(self._on_outcomes)
        federation.at_close(self._end)
        self._thread = threading.Thread(target=self._tell_on, name="fedfutures-telemetry", daemon=True)
        self._thread.start()

    def _note_submit(self, number: int) -> int:
        """A Future of this number is being submitted."""
        parent = self._trace.get_current_span().get_span_context()
        if parent.is_valid:
            self._parents[number] = parent
        return number

    def _on_outcomes(self, action: rules.Resolve, function: str) -> None:
        """Futures of one function have outcomes. The lock of the node is held."""
        if not self._is_told_at_exit:  # before the provider that the program has set up meanwhile is shut down
            self._is_told_at_exit = True
            atexit.register(self._tell)
        self._aside.append(
            FinishedMessage(time.monotonic(), function, list(action.ids), list(action.odd), action.facts)
        )  # fmt: skip

    # -- the thread that tells ---------------------------------------------------------------------------------------

    def _tell_on(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self._tell()
        self._tell()
        if self._provider is not None:
            self._provider.shutdown()  # which sends the last ones

    def _tell(self) -> None:
        with self._telling:
            while self._aside:
                self._tell_message(self._aside.popleft())

    def _tell_message(self, message: FinishedMessage) -> None:
        if self._tracer is None:
            self._tracer = self._begin()
        kinds, numbers = dict(message.odd), iter(message.ids)
        for name, attempts, all_seconds in blocks(message.facts, len(message.ids)):
            worker, host = names_of(name)
            for begin, end in self._times.place(worker, [max(0.0, one) for one in all_seconds], message.at):
                number = next(numbers)
                kind = kinds.get(number, VALUE)
                outcome = KINDS[VALUE if kind == WITH_OUTPUT else kind]
                facts = {"future": number, "attempts": attempts, "outcome": outcome, "worker": worker}
                self._tell_future(
                    message.function.encode("utf-8", "backslashreplace").decode(), facts, host, begin, end
                )

    def _tell_future(
        self, function: str, facts: dict[str, Any], host: str, begin: float, end: float
    ) -> None:  # fmt: skip
        trace, parent = self._trace, self._parents.pop(facts["future"], None)
        context = None if parent is None else trace.set_span_in_context(trace.NonRecordingSpan(parent))
        span = self._tracer.start_span(
            function, context=context, kind=trace.SpanKind.CONSUMER, start_time=self._nanoseconds(begin),
            attributes={
                **{f"{_SCOPE}.{name}": fact for name, fact in facts.items()}, "host.name": host,
                "code.function.name": function,
            },
        )  # fmt: skip
        if facts["outcome"] != KINDS[VALUE]:
            span.set_status(trace.StatusCode.ERROR, facts["outcome"])
        span.end(self._nanoseconds(end))

    def _nanoseconds(self, at: float) -> int:
        return int((at + self._epoch) * 1e9)

    def _begin(self) -> Any:
        """Return the tracer; where the program has no provider, set one up that sends by OTLP."""
        trace = self._trace
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": os.path.basename(self._program)}
            most = None if os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else UNSENT_AT_MOST
            before = threading.enumerate()
            self._provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=most))
            trace.set_tracer_provider(self._provider)
            for thread in {*threading.enumerate()} - {*before}:
                if thread.daemon:  # the end of the program does not take it for one of the program's
                    thread.name = f"fedfutures-telemetry-{thread.name}"
        return trace.get_tracer(_SCOPE)

    def _end(self) -> None:
        self._over.set()
        with contextlib.suppress(RuntimeError):
            self._thread.join(END_SECONDS)
