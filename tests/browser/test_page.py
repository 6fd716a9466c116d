"""The page in a real browser: what it draws is true, it goes on through kills, and names of a program are only text."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium")

from launching import Running, eventually, write
from recorded import FUNCTIONS
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from served import Served

from fedfutures.seeing.runs import ask

pytestmark = pytest.mark.browser

SECONDS = 30.0
MILLION = 1_000_000
PROGRAM = """
    import time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)
        return seconds

    def fail(row, markup="<img src=x onerror='document.title=1'>"):
        raise ValueError(f"row {row} <b id=planted>bold</b>")

    if __name__ == "__main__":
        held = futures.submit(nap, 600.0)
        while True:
            found = [futures.submit(nap, 0.02) for _ in range(20)] + [futures.submit(fail, 7)]
            futures.wait(found)
            [one.exception() for one in found]
"""


class Tab:
    """The page, as whoever looks at it has it."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        driver.get("about:blank")  # so nothing of the page before is heard of
        driver.get_log("browser")
        driver.get_log("performance")
        driver.get(address)

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        found: str = self.driver.execute_script("return document.querySelector(arguments[0]).textContent", selector)
        return found

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        found: list[str] = self.driver.execute_script(script, selector)
        return found

    def number(self, name: str) -> int:
        """Return the figure of a card."""
        script = """for (const one of document.querySelectorAll("#sums > div"))
            if (one.querySelector("dt").textContent === arguments[0]) return one.querySelector("dd").textContent;
            return "0";"""
        return int(self.driver.execute_script(script, name).replace(",", ""))

    def colours(self) -> int:
        """Return how many colours the picture of what ran where has."""
        script = """const canvas = document.getElementById("stream"), found = new Set();
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            for (let at = 0; at < data.length; at += 4) found.add(data.slice(at, at + 3).join());
            return found.size;"""
        return int(self.driver.execute_script(script))

    def until(self, condition: Callable[[], Any]) -> None:
        def holds() -> bool:
            return bool(condition())

        assert eventually(holds, SECONDS), self.driver.execute_script("return document.body.innerText")[:3000]

    def key(self, key: str) -> None:
        self.one("#stream").send_keys(key)

    def is_clean(self) -> None:
        """Nothing was said on the console, and no other host was asked."""
        said = [one["message"] for one in self.driver.get_log("browser") if one["level"] in ("SEVERE", "WARNING")]
        assert said == []
        events = [json.loads(one["message"])["message"] for one in self.driver.get_log("performance")]
        asked = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
        assert asked
        assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in asked), asked


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Running, str]]:
    write(tmp_path / "prog.py", PROGRAM)
    running = Running(["-n", "3", "--page", "--page-control", "prog.py"], cwd=tmp_path)
    assert running.process.stderr is not None
    address = running.process.stderr.readline().split()[1]
    reader = threading.Thread(target=running.process.stderr.read)
    reader.start()
    yield running, address
    running.kill()
    reader.join(SECONDS)
    running.process.communicate(timeout=SECONDS)


def test_a_run_is_shown_through_kills_to_its_end(driver: Any, running: tuple[Running, str], tmp_path: Path) -> None:
    program, address = running
    tab = Tab(driver, address)
    tab.until(lambda: tab.number("Futures done") > 50 and tab.number("failed") > 2)
    tab.until(lambda: tab.text("#head").startswith(f"prog.py (pid {program.process.pid})"))
    tab.until(lambda: tab.colours() > 5)
    tab.until(lambda: {"nap", "fail"} <= {*tab.texts("#legend li")})
    paint = driver.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert paint < 1000, "milliseconds"
    # Names and texts of the program are text.
    tab.until(lambda: "<b id=planted>bold</b>" in tab.text("#failures"))
    assert driver.find_elements(By.CSS_SELECTOR, "#planted, #failures img") == []
    assert driver.title == "prog.py – fedfutures"
    # A Broker is killed, then a Worker, while it is open.
    [path] = [driver.execute_script("return run.path")]
    assert path.endswith("prog.py")
    for role in ("broker", "worker"):
        before = tab.number("Futures done")
        os.kill(pid_of(program, role), signal.SIGKILL)
        tab.until(lambda before=before: tab.number("Futures done") > before + 50)
        tab.until(lambda role=role: f"{role.title()} " in tab.text("#events"))
    tab.is_clean()
    # The end of the run is said, and what was known stays.
    done = tab.number("Futures done")
    os.kill(program.process.pid, signal.SIGKILL)
    tab.until(lambda: tab.text("#state").startswith(("Over: ", "The run has ended")))
    assert tab.number("Futures done") >= done


def pid_of(program: Running, role: str) -> int:
    """Return the pid of a Broker, or of a Worker that runs something."""
    from fedfutures.seeing.runs import chosen, runs

    [run] = chosen(runs(), str(program.process.pid))
    reports = [report for _, report in ask(run.path, "status") if report and report.get("role") == "host"]
    return next(one["pid"] for report in reports for one in report["processes"].values() if one["role"] == role)


def test_a_future_is_explained_and_ended(driver: Any, running: tuple[Running, str]) -> None:
    tab = Tab(driver, running[1])
    tab.until(lambda: "nap(seconds=600.0)" in tab.text("#workers"))

    def open_it() -> bool:
        script = """const found = [...document.querySelectorAll("#workers button.link")]
            .find((one) => one.textContent === "nap(seconds=600.0)");
            if (found) found.click();
            return Boolean(found);"""
        return bool(driver.execute_script(script))

    tab.until(open_it)
    tab.until(lambda: tab.one("#future").is_displayed())
    tab.until(lambda: "in nap" in tab.text("#future-trace"))
    assert tab.text("#future-state").startswith("running, on ")
    tab.one("#future-cancel").click()
    tab.until(lambda: "told to end" in tab.text("#future-text"))
    tab.one("#future-close").click()
    tab.until(lambda: not tab.one("#future").is_displayed())
    tab.until(lambda: tab.number("cancelled") == 1)
    tab.one("#failures button.link").click()
    tab.until(lambda: "ValueError: row 7" in tab.text("#future-trace"))
    assert "in fail" in tab.text("#future-trace")
    ActionChains(driver).send_keys(Keys.ESCAPE).perform()
    tab.until(lambda: not tab.one("#future").is_displayed())
    tab.is_clean()


def test_it_can_be_loaded_again_and_a_used_link_says_so(driver: Any, running: tuple[Running, str]) -> None:
    tab = Tab(driver, running[1])
    tab.until(lambda: tab.number("Futures done") > 0)
    for _ in range(2):
        driver.refresh()
        tab.until(lambda: tab.number("Futures done") > 0)
    driver.get(running[1])
    assert "This link was used" in driver.find_element(By.TAG_NAME, "body").text


def memory_of_this_process() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_million_futures_on_a_thousand_workers(driver: Any, tmp_path: Path) -> None:
    began, before = time.monotonic(), memory_of_this_process()
    served = Served(tmp_path, MILLION)
    try:
        tab = Tab(driver, served.page.address)
        while not served.run.told.wait(0.5):
            assert time.monotonic() < began + 120
        tab.until(lambda: tab.number("Futures done") == MILLION)
        assert memory_of_this_process() - before < 400 << 20, "spans, curves and answers have a bound"
        tab.key(Keys.HOME)
        tab.until(lambda: "of 1,000 Workers" in tab.text("#rows-shown"))
        tab.until(lambda: tab.colours() > 20)
        # To draw the whole run again takes a moment, not seconds: what is drawn has a bound.
        script = """const done = arguments[0], from = performance.now();
            askSpans().then(() => done(performance.now() - from));"""
        times = [float(driver.execute_async_script(script)) for _ in range(5)]
        assert sorted(times)[2] < 500, times
        spans = driver.execute_script("return view.spans.rows.reduce((sum, row) => sum + row.spans.length, 0)")
        assert 500 < spans <= 45_000
        first = tab.text("#rows-shown")
        tab.key(Keys.ARROW_DOWN)
        tab.until(lambda: tab.text("#rows-shown") != first)
        # Names of functions and of the program are text here as well.
        assert FUNCTIONS[2] in tab.texts("#legend li")
        assert driver.find_elements(By.CSS_SELECTOR, "#head i, #legend script") == []
        heap = driver.execute_script("return performance.memory.usedJSHeapSize")
        assert heap < 200 << 20
        tab.is_clean()
    finally:
        served.end()


def test_keys_move_through_time(driver: Any, tmp_path: Path) -> None:
    served = Served(tmp_path, 20_000)
    try:
        tab = Tab(driver, served.page.address)
        assert served.run.told.wait(SECONDS)
        tab.until(lambda: tab.number("Futures done") == 20_000)

        def shown() -> tuple[float, float]:
            begin, end = driver.execute_script("return times()")
            return float(begin), float(end)

        tab.key(Keys.HOME)
        whole = shown()
        assert whole[0] == 0
        tab.key("+")
        zoomed = shown()
        assert zoomed[1] - zoomed[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=0.01)
        tab.key(Keys.ARROW_RIGHT)
        assert shown()[0] > zoomed[0]
        tab.key(Keys.ARROW_LEFT)
        tab.key("-")
        assert shown() == pytest.approx(whole, rel=0.02, abs=0.3)
        tab.key(Keys.END)
        assert tab.one("#live").get_attribute("aria-pressed") == "true"
        tab.one("#wanted").send_keys("h7.")
        tab.until(lambda: driver.execute_script("return view.spans.all_rows") == 20)
    finally:
        served.end()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(driver: Any, tmp_path: Path, scheme: str) -> None:
    served = Served(tmp_path, 20_000)
    try:
        driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
        )
        tab = Tab(driver, served.page.address)
        tab.until(lambda: tab.number("Futures done") == 20_000)
        wide = driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1] == 360
        colours = driver.execute_script(
            "const of = getComputedStyle(document.body); return [of.backgroundColor, of.color].map("
            "(one) => one.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))"
        )
        assert (colours[0] > colours[1]) == (scheme == "light")
        assert abs(colours[0] - colours[1]) > 400, "and is read easily"
        tab.is_clean()
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        served.end()
