"""Sphinx directives: pages of the wires, drawings, tables of states, simulated figures, and what may be missing."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.directives.other import Include
from sphinx.util.docutils import SphinxDirective

from fedfutures.wire import control, messages
from fedfutures_launcher.remote import remote_host

from . import catalogue, drawing, figures, house, plots

KINDS = ("VALUE", "ERROR", "CANCELLED", "POISONED", "LOST")
_FIELD = re.compile(r"^    (?P<name>\w+): [^#]*?(?:#\s*(?P<comment>.+))?$", re.MULTILINE)


class WireMessages(SphinxDirective):
    """The page of the wire, written from ``fedfutures/wire/messages.py`` each time the documentation is built."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(messages.__file__))
        return self.parse_text_to_nodes(wire_text(), allow_section_headings=True)


def wire_text() -> str:
    """Return the page as reStructuredText."""
    overview = [
        (str(code), f"`{kind.__name__}`_", "no" if kind in messages.UNSEQUENCED else "yes", _first_sentence(kind))
        for code, kind in messages.CODES.items()
    ]
    kinds = [(str(getattr(messages, name)), f"``{name}``") for name in KINDS]
    limits = [(f"``{name}``", f"{value:,}") for name, value in vars(messages).items() if name.startswith("MAX_")]
    parts = [
        inspect.cleandoc(messages.__doc__ or ""),
        f"This is version {messages.PROTOCOL} of the protocol.",
        _heading("All messages", "-"),
        _table(("Code", "Name", "Sequenced", "Says"), overview),
        _heading("Outcomes and limits", "-"),
        "What became of a Future is a number in ``Results.odd``, except for values, which are not listed there:",
        _table(("Number", "Kind"), kinds),
        "A message that passes one of these limits is dropped on arrival:",
        _table(("Limit", "Value"), limits),
        _heading("Each message", "-"),
    ]
    for code, kind in messages.CODES.items():
        numbered = "outside the numbering" if kind in messages.UNSEQUENCED else "sequenced"
        fields = _fields(kind)
        parts += [_heading(kind.__name__, "~"), f"Code {code}, {numbered}.", inspect.cleandoc(kind.__doc__ or "")]
        parts.append(_table(("Field", "Type", "Meaning"), fields) if fields else "It has no fields.")
    return "\n\n".join(parts) + "\n"


class ControlFrames(SphinxDirective):
    """The page of the second wire, written from ``fedfutures/wire/control.py`` each time the documentation is built."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(control.__file__))
        return self.parse_text_to_nodes(control_text(), allow_section_headings=True)


def control_text() -> str:
    """Return the page as reStructuredText."""
    frames = control.CONTROL_CODES.items()
    overview = [(str(code), f"`{kind.__name__}`_", *_direction(kind)) for code, kind in frames]
    parts = [
        inspect.cleandoc(control.__doc__ or ""),
        _heading("All frames", "-"),
        _table(("Code", "Name", "Direction", "Says"), overview),
        _heading("Each frame", "-"),
    ]
    for code, kind in frames:
        fields = _fields(kind)
        parts += [_heading(kind.__name__, "~"), f"Code {code}. {inspect.cleandoc(kind.__doc__ or '')}"]
        parts.append(_table(("Field", "Type", "Meaning"), fields) if fields else "It has no fields.")
    return "\n\n".join(parts) + "\n"


def _direction(kind: type[Any]) -> tuple[str, str]:
    """Who speaks to whom, and what is said: the first sentence, before its colon and behind it."""
    direction, _, says = " ".join((kind.__doc__ or "").split()).partition(": ")
    return direction, re.split(r"(?<=[.?])\s", says)[0]


def _first_sentence(kind: type[Any]) -> str:
    text = " ".join((kind.__doc__ or "").split())
    return re.split(r"(?<=[.])\s|[;:]\s", text)[0].rstrip(".") + "."


def _fields(kind: type[Any]) -> list[tuple[str, str, str]]:
    """Name, type and the comment beside it in the source, in the order of the wire."""
    comments = {found["name"]: found["comment"] or "" for found in _FIELD.finditer(inspect.getsource(kind))}
    return [
        (f"``{field.name}``", f"``{field.type}``", comments.get(field.name, "")) for field in dataclasses.fields(kind)
    ]


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
    for row in (head, *rows):
        lines += [f"   {'* -' if column == 0 else '  -'} {cell}".rstrip() for column, cell in enumerate(row)]
    return "\n".join(lines)


class Drawing(SphinxDirective):
    """A drawing of :mod:`figures`, as SVG inside the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        for module in (figures, drawing):
            self.env.note_dependency(str(module.__file__))
        return [nodes.raw("", f"<p>{drawing.svg(figures.DRAWINGS[self.arguments[0]])}</p>", format="html")]


class StateTable(SphinxDirective):
    """The arrows of a drawing of states, as a table that says which code makes each step."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        figure = figures.DRAWINGS[self.arguments[0]]
        assert isinstance(figure, drawing.Figure)
        rows = [
            (
                figure.box(arrow.source).lines[0] if figure.box(arrow.source).lines else "(new)",
                figure.box(arrow.target).lines[0],
                " ".join(arrow.text.split()),
                ", ".join(f"``{name.partition(':')[2]}``" for name in arrow.by),
            )
            for arrow in figure.arrows
        ]
        return self.parse_text_to_nodes(_table(("From", "To", "When", "In the code"), rows))


class HostTable(SphinxDirective):
    """The life of a remote host, row by row as the connector has it."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(remote_host.__file__))
        rows = [
            (here.value, event.value, there.value, ", ".join(action.value for action in actions))
            for (here, event), (there, actions) in remote_host.TABLE.items()
            if event is not remote_host.HostEvent.END or here is remote_host.HostState.SERVING
        ]
        return self.parse_text_to_nodes(_table(("State", "Event", "Next state", "What the connector does"), rows))


class House(SphinxDirective):
    """The rooms of the house, as a drawing and a table."""

    def run(self) -> list[nodes.Node]:
        for module in house.tree.modules().values():
            self.env.note_dependency(str(module.path))
        rows = [_table(("Folder", "What it is", "Pure"), house.rows_of_rooms())]
        picture = nodes.raw("", f"<p>{drawing.svg(house.drawing())}</p>", format="html")
        return [picture, *self.parse_text_to_nodes("\n\n".join(rows))]


class FaultTable(SphinxDirective):
    """The catalogue of faults, with the tests that show each."""

    def run(self) -> list[nodes.Node]:
        places = {mark.place for mark in catalogue.catalogue.marks()} | {"faults/catalogue.py"}
        for place in places:
            self.env.note_dependency(str(catalogue.catalogue.TESTS / place))
        return self.parse_text_to_nodes(_table(catalogue.HEAD, catalogue.rows()))


class Simulated(SphinxDirective):
    """The plot and the table of simulated figures against size, with the commands that made them."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(plots.RESULTS))
        results = plots.results()
        head = ("Brokers", "Workers", "Future", "Utilisation", "Times the ideal", "Messages per Future", "Most peers")
        rows = [
            (
                f"{r['brokers']:,}", f"{r['workers']:,}", f"{r['seconds']:g} s", f"{r['utilisation']:.3f}",
                f"{r['ratio']:.3f}", f"{r['messages_per_future']:.1f}", str(r["peers_max"]),
            )
            for r in results
        ]  # fmt: skip
        commands = "\n".join(f"    {r['command']}" for r in results)
        return [
            nodes.raw("", f"<p>{plots.svg(results)}</p>", format="html"),
            *self.parse_text_to_nodes(f"{_table(head, rows)}\n\nMade by::\n\n{commands}\n"),
        ]


class IncludeIfThere(Include):
    """``include``, or the directive's content where there is no such file yet."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        place = Path(self.env.doc2path(self.env.docname)).parent / self.arguments[0]
        if place.is_file():
            return list(super().run())
        return self.parse_content_to_nodes()


def setup(app: Any) -> dict[str, Any]:
    """Tell Sphinx."""
    app.add_directive("wire-messages", WireMessages)
    app.add_directive("control-frames", ControlFrames)
    app.add_directive("drawing", Drawing)
    app.add_directive("state-table", StateTable)
    app.add_directive("host-table", HostTable)
    app.add_directive("house", House)
    app.add_directive("simulated", Simulated)
    app.add_directive("fault-table", FaultTable)
    app.add_directive("include-if-there", IncludeIfThere)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
