"""The screen of ``fedfutures top``. What is on it comes from :mod:`fedfutures.seeing.table`.

A thread asks the run once in a while, so keys are heard while an answer is on its way. Colours only repeat what words
say: a state is a word.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static

from fedfutures.errors import StartFailed
from fedfutures.seeing import table, words
from fedfutures.seeing.picture import RunPicture
from fedfutures.seeing.table import COLUMNS, HOST_COLUMNS, ORDERS, View, WorkerRow
from fedfutures.wire.names import is_origin

_STYLES = {"running": "green", "idle": "dim", "stopped": "bold red", "stuck?": "bold yellow", "starting": "cyan"}
KEYS = "q quits, s sorts, / filters, e explains, k ends a Future, p pauses"


class Shown(ModalScreen[bool]):
    """A text in front of the tables; `asks`: it is answered by y or n."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,n", "answer(False)", "back"), Binding("y", "answer(True)", "yes", show=False),
    ]  # fmt: skip
    CSS = """
    Shown { align: center middle; }
    Shown > Vertical { width: 90%; height: auto; max-height: 80%; border: round $primary; padding: 1 2; }
    """

    def __init__(self, text: str, *, asks: bool = False) -> None:
        super().__init__()
        self._text, self._asks = text, asks

    def compose(self) -> ComposeResult:
        """Return what is on it."""
        with Vertical():
            yield Static(Text(self._text))
            yield Static(Text("\ny: yes    n: no" if self._asks else "\nEscape: back", style="dim"))

    def action_answer(self, yes: bool) -> None:
        """Go back, with the answer."""
        self.dismiss(yes and self._asks)


class TopApp(App[None]):
    """A run on a terminal.

    look: returns a picture of it; raises StartFailed when the run has ended. stack: of a Worker. end: ends a Future of
    the program's, by its number.
    """

    TITLE = "fedfutures top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { padding: 0 1; text-style: bold; }
    #summary { padding: 0 1; }
    #hosts { height: auto; max-height: 30%; margin: 1 0; }
    #filter { display: none; }
    #filter.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", "quit"),
        Binding("s", "sort", "sort"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("e,enter", "explain", "explain"),
        Binding("k", "end", "end Future"),
        Binding("p", "pause", "pause"),
        Binding("escape", "clear", "clear", show=False),
    ]

    def __init__(
        self, look: Callable[[], RunPicture], stack: Callable[[str], str], end: Callable[[int], object],
        every: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self._look, self._stack, self._end, self._every = look, stack, end, every
        self._view, self._is_paused, self._looks = View(), False, False
        self._picture, self._before = RunPicture(), RunPicture()
        self._looked_at = self._seconds = 0.0
        self._rows: list[WorkerRow] = []
        self.said = ""  # what it ends with

    def compose(self) -> ComposeResult:
        """Return what is on the screen."""
        yield Static(id="head")
        yield Static(id="summary")
        yield DataTable(id="hosts", cursor_type="none", zebra_stripes=True)
        yield DataTable(id="workers", cursor_type="row", zebra_stripes=True)
        yield Input(id="filter", placeholder="only rows with this; Escape: all")
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#hosts", DataTable).add_columns(*HOST_COLUMNS)
        self.query_one("#workers", DataTable).add_columns(*COLUMNS)
        self.query_one("#workers", DataTable).focus()
        self._ask()
        self.set_interval(self._every, self._ask)

    # -- asking ------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        if not (self._is_paused or self._looks):
            self._looks = True
            self._look_in_thread()

    @work(thread=True)
    def _look_in_thread(self) -> None:
        try:
            picture: RunPicture | None = self._look()
        except StartFailed as error:
            picture, self.said = None, error.summary
        self.call_from_thread(self._on_picture, picture)

    def _on_picture(self, picture: RunPicture | None) -> None:
        self._looks = False
        if not self.query("#head"):  # the screen is being taken down: the user has seen enough
            return
        if picture is None:
            self.exit()
            return
        now = time.monotonic()
        self._seconds = now - self._looked_at if self._looked_at else 0.0
        self._before, self._picture, self._looked_at = self._picture, picture, now
        self._draw()

    def _draw(self) -> None:
        picture, before, seconds = self._picture, self._before, self._seconds
        paused = "   (paused)" if self._is_paused else ""
        self.query_one("#head", Static).update(Text(table.head(picture) + paused))
        order = f"   sorted by {self._view.order}" + (f", with {self._view.wanted!r}" if self._view.wanted else "")
        self.query_one("#summary", Static).update(Text(table.summary(picture, before, seconds) + order))
        hosts = self.query_one("#hosts", DataTable)
        hosts.clear()
        hosts.add_rows([tuple(map(Text, row)) for row in table.host_rows(picture)])
        self._draw_workers(table.rows(picture, before, seconds, self._view))

    def _draw_workers(self, found: list[WorkerRow]) -> None:
        workers, chosen = self.query_one("#workers", DataTable), self._chosen()
        self._rows = found
        workers.clear()
        for row in found:
            style = _STYLES.get(row.state, "")
            workers.add_row(*(Text(cell, style if place == 1 else "") for place, cell in enumerate(row.cells())))
        names = [row.worker for row in found]
        if chosen is not None and chosen.worker in names:
            workers.move_cursor(row=names.index(chosen.worker), animate=False)

    def _chosen(self) -> WorkerRow | None:
        place = self.query_one("#workers", DataTable).cursor_row
        return self._rows[place] if 0 <= place < len(self._rows) else None

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Sort by the next column."""
        order = ORDERS[(ORDERS.index(self._view.order) + 1) % len(ORDERS)]
        self._view = self._view._replace(order=order)
        self._draw()

    def action_pause(self) -> None:
        """Look no more, or again."""
        self._is_paused = not self._is_paused
        self._draw()

    def action_filter(self) -> None:
        """Ask which rows are wanted."""
        field = self.query_one("#filter", Input)
        field.add_class("shown")
        field.focus()

    def action_clear(self) -> None:
        """Show all rows."""
        self.query_one("#filter", Input).value = ""
        self._close_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the rows that have this text."""
        self._view = self._view._replace(wanted=event.value)
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the table."""
        self._close_filter()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Explain the row."""
        self.action_explain()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).remove_class("shown")
        self.query_one("#workers", DataTable).focus()

    def action_explain(self) -> None:
        """Say what is known of the call in this row, with its stack."""
        row = self._chosen()
        if row is not None:
            self._explain_in_thread(row)

    @work(thread=True)
    def _explain_in_thread(self, row: WorkerRow) -> None:
        picture = self._picture
        worker = picture.workers.get(row.worker)
        calls = [] if worker is None else worker.calls
        text = words.call_line(picture, calls[0]) if calls else f"{row.worker} is {row.state}: it shows no call."
        try:
            stack = self._stack(row.worker)
        except StartFailed as error:
            stack = error.summary
        self.call_from_thread(self.push_screen, Shown(f"{text}\n\n{stack}".rstrip()))

    def action_end(self) -> None:
        """Ask whether the Future in this row is to be ended."""
        row = self._chosen()
        if row is None or not row.future:
            self.bell()
            return
        if not is_origin(row.submitter):
            text = f"{row.call} was submitted by another Future; end that one."
            self.push_screen(Shown(text))
            return
        number = row.future
        question = f"End {row.call} on {row.worker}? Its result() raises CancelledError; the Worker is started again."

        def answered(yes: bool | None) -> None:
            if yes:
                try:
                    self._end(number)
                except StartFailed as error:
                    self.push_screen(Shown(error.summary))

        self.push_screen(Shown(question, asks=True), answered)
