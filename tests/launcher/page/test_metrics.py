"""The figures for Prometheus, read back by its own parser."""

from __future__ import annotations

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families
from recorded import status_of

from fedfutures.seeing.picture import picture_of
from fedfutures_launcher.page.metrics import KIND, text_of
from fedfutures_launcher.page.state import PageState


def figures(state: PageState) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text_of(state).decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_they_say_what_the_run_says() -> None:
    state = PageState()
    state.on_picture(picture_of(status_of(10.0, 600).items()), 0.0)
    state.on_picture(picture_of(status_of(12.0, 600).items()), 2.0)
    found = figures(state)
    assert KIND.startswith("text/plain")
    assert found["fedfutures_run_seconds",] == 12.0
    assert found["fedfutures_workers",] == found["fedfutures_workers_busy",] == 1000
    assert found["fedfutures_futures_done_total",] == 600
    assert found["fedfutures_futures_failed_total",] == 3
    assert found["fedfutures_futures_repeated_total",] == 2
    assert found["fedfutures_futures_waiting",] == 9
    assert found["fedfutures_function_futures_total", "<script>alert(1)</script>"] == 100
    assert found["fedfutures_function_seconds_total", "price"] == pytest.approx(60.0)
    assert found["fedfutures_host_memory_bytes", "h7"] == 20 * (50 << 20)
    assert found["fedfutures_host_processors", "h7"] == 20.0
    assert found["fedfutures_broker_queued", "h7.broker"] == 5


def test_names_may_be_no_utf_8() -> None:
    state, report = PageState(), status_of(12.0, 600)
    functions = report["origin-7@h1"]["sums"]["functions"]
    functions["caf\udce9"] = functions.pop("price")
    state.on_picture(picture_of(report.items()), 0.0)
    assert figures(state)["fedfutures_function_futures_total", "caf\\udce9"] == 100


def test_before_anything_is_known_they_are_0() -> None:
    assert figures(PageState())["fedfutures_futures_done_total",] == 0
