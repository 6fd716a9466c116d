"""The figures of a run for Prometheus, by prometheus_client: what ``/metrics`` of a page answers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .state import PageState

KIND = CONTENT_TYPE_LATEST


class RunFigures(Collector):
    """Reads the figures off a state whenever somebody asks."""

    def __init__(self, state: PageState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        picture = self._state.picture
        origin, sums = self._state.origin, self._state.sums()
        yield GaugeMetricFamily("fedfutures_run_seconds", "Seconds since the run began", self._state.seconds)
        yield GaugeMetricFamily("fedfutures_workers", "Workers", len(picture.workers))
        yield GaugeMetricFamily("fedfutures_workers_busy", "Workers that run something", picture.busy)
        yield GaugeMetricFamily("fedfutures_futures_given", "Futures that Brokers have", origin.get("given", 0))
        yield GaugeMetricFamily("fedfutures_futures_waiting", "Futures in the program", origin.get("queued", 0))
        for what, (name, text) in _SUMS.items():
            yield CounterMetricFamily(f"fedfutures_futures_{name}", text, sums.get(what, 0))
        yield from self._of_functions(sums.get("functions", {}))
        yield from self._of_hosts()

    def _of_functions(self, functions: dict[str, dict[str, float]]) -> Iterator[Metric]:
        futures = CounterMetricFamily("fedfutures_function_futures", "Futures done", labels=["function"])
        seconds = CounterMetricFamily("fedfutures_function_seconds", "Seconds they took", labels=["function"])
        for name, one in functions.items():
            futures.add_metric([_label(name)], one["futures"])
            seconds.add_metric([_label(name)], one["seconds"])
        yield futures
        yield seconds

    def _of_hosts(self) -> Iterator[Metric]:
        picture = self._state.picture
        memory = GaugeMetricFamily("fedfutures_host_memory_bytes", "Memory of the Workers", labels=["host"])
        used = GaugeMetricFamily("fedfutures_host_processors", "Processors that the Workers use", labels=["host"])
        queued = GaugeMetricFamily("fedfutures_broker_queued", "Futures that wait there", labels=["broker"])
        for host in picture.hosts:
            memory.add_metric([_label(host)], self._state.used.get(f"memory of {host}", 0.0))
            used.add_metric([_label(host)], self._state.used.get(f"processors of {host}", 0.0))
        for name, report in picture.brokers.items():
            queued.add_metric([_label(name)], int(report.get("queued", 0)))
        yield memory
        yield used
        yield queued


_SUMS = {
    "futures": ("done", "Futures that have an outcome"), "failed": ("failed", "Futures that raised, or were lost"),
    "lost": ("lost", "Futures that nobody could run"), "cancelled": ("cancelled", "Futures that were cancelled"),
    "retries": ("repeated", "How often a Future was started again"),
}  # fmt: skip
"""Sums of the program, with their names here and what they count."""


def _label(name: str) -> str:
    """Return a name in characters that the format has; those of files may be no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def text_of(state: PageState) -> bytes:
    """Return the figures of a state as text."""
    registry = CollectorRegistry()
    registry.register(RunFigures(state))
    return generate_latest(registry)
