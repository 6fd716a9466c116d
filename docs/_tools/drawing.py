"""Data to SVG: boxes joined by arrows, and messages between lifelines. No tool from outside, no layout engine.

Boxes stand where the data says. :func:`collisions` tells which texts and boxes cover each other, and a test asks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from math import hypot

CHARACTER, LINE, MARGIN = 6.3, 15.0, 8.0  # of the text, in pixels
INK, PAPER, SHADE, ACCENT = "#333", "#fff", "#f1f5f9", "#1d5b8f"

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Box:
    """A box around (x, y).

    `kind`: "plain", "final" (thick), "group" (dashed, text at its foot), "start" (a dot), "point" (unseen).
    """

    key: str
    x: float
    y: float
    text: str
    kind: str = "plain"
    width: float = 0.0
    height: float = 0.0

    @property
    def lines(self) -> list[str]:
        """The text, line by line; in a state the second one says where the code keeps it."""
        return self.text.split("\n") if self.text else []

    @property
    def size(self) -> Point:
        """Width and height: as given, else as the text needs."""
        if self.kind == "start":
            return 12.0, 12.0
        if self.kind == "point":
            return 1.0, 1.0
        return (
            self.width or max(map(len, self.lines)) * CHARACTER + 2 * MARGIN,
            self.height or len(self.lines) * LINE + 2 * MARGIN,
        )

    @property
    def rectangle(self) -> Rectangle:
        """Left, top, right, bottom."""
        width, height = self.size
        return self.x - width / 2, self.y - height / 2, self.x + width / 2, self.y + height / 2

    def border(self, towards: Point) -> Point:
        """The point where a line from the middle to `towards` leaves the box."""
        width, height = self.size
        dx, dy = towards[0] - self.x, towards[1] - self.y
        scale = min(width / 2 / abs(dx) if dx else 1e9, height / 2 / abs(dy) if dy else 1e9)
        return self.x + dx * scale, self.y + dy * scale


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes; `bend` pixels to its right, the text at `at` of its way (0 to 1)."""

    source: str
    target: str
    text: str = ""
    bend: float = 0.0
    at: float = 0.5
    both: bool = False
    dashed: bool = False
    by: tuple[str, ...] = ()  # what in the code does it: "package.module:Class.method"


@dataclass(frozen=True)
class Figure:
    """Boxes and arrows on a sheet."""

    title: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]

    def box(self, key: str) -> Box:
        """The box with this key."""
        return next(box for box in self.boxes if box.key == key)


@dataclass(frozen=True)
class Sequence:
    """Messages between lifelines: each step is (from, to, text), or (at, at, text) for what a node does itself."""

    title: str
    lifelines: tuple[str, ...]
    steps: tuple[tuple[str, str, str], ...]
    spacing: float = 210.0


def svg(figure: Figure | Sequence) -> str:
    """Return the SVG of a drawing."""
    return _svg_of_sequence(figure) if isinstance(figure, Sequence) else _svg_of_figure(figure)


def _svg_of_figure(figure: Figure) -> str:
    parts = [_box(box) for box in figure.boxes if box.kind == "group"]
    parts += [_arrow(figure, arrow) for arrow in figure.arrows]
    parts += [_box(box) for box in figure.boxes if box.kind != "group"]
    parts += [_label(*label) for label in _labels(figure)]
    return _sheet(figure.title, figure.width, figure.height, parts)


def _sheet(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'style="width: 100%; max-width: {width:g}px; background: {PAPER}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11.5" fill="{INK}">'
        f"<title>{escape(title)}</title>"
        f'<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M 0 1 L 10 5 L 0 9 z" fill="{ACCENT}"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, lines: list[str], bold_first: bool = False) -> str:
    rows = ""
    for number, line in enumerate(lines):
        weight = "bold" if bold_first and number == 0 else "normal"
        rows += f'<tspan x="{x:g}" y="{y + number * LINE:g}" font-weight="{weight}">{escape(line)}</tspan>'
    return f'<text text-anchor="middle">{rows}</text>'


def _box(box: Box) -> str:
    left, top, right, bottom = box.rectangle
    if box.kind == "point":
        return ""
    if box.kind == "start":
        return f'<circle cx="{box.x:g}" cy="{box.y:g}" r="6" fill="{INK}"/>'
    style = {
        "plain": f'fill="{SHADE}" stroke="{INK}"',
        "final": f'fill="{SHADE}" stroke="{INK}" stroke-width="2.5"',
        "group": f'fill="none" stroke="{INK}" stroke-dasharray="4 3"',
    }[box.kind]
    first = bottom - 8 if box.kind == "group" else box.y - (len(box.lines) - 1) * LINE / 2 + 4
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" rx="5" {style}/>'
        + _text(box.x, first, box.lines, bold_first=True)
    )


def _curve(figure: Figure, arrow: Arrow) -> tuple[Point, Point, Point]:
    """Start, control point and end of a quadratic curve."""
    source, target = figure.box(arrow.source), figure.box(arrow.target)
    dx, dy = target.x - source.x, target.y - source.y
    length = hypot(dx, dy)
    control = (
        (source.x + target.x) / 2 - 2 * arrow.bend * dy / length,
        (source.y + target.y) / 2 + 2 * arrow.bend * dx / length,
    )
    if not arrow.bend:
        return source.border((target.x, target.y)), control, target.border((source.x, source.y))
    return source.border(control), control, target.border(control)


def _arrow(figure: Figure, arrow: Arrow) -> str:
    start, control, end = _curve(figure, arrow)
    if not arrow.bend:
        control = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    more = ' marker-start="url(#tip)"' if arrow.both else ""
    more += ' stroke-dasharray="3 3"' if arrow.dashed else ""
    return (
        f'<path d="M {start[0]:.1f} {start[1]:.1f} Q {control[0]:.1f} {control[1]:.1f} {end[0]:.1f} {end[1]:.1f}" '
        f'fill="none" stroke="{ACCENT}" marker-end="url(#tip)"{more}/>'
    )


def _labels(figure: Figure) -> Iterator[tuple[float, float, list[str]]]:
    """The texts of the arrows, with the middle of each."""
    for arrow in figure.arrows:
        if arrow.text:
            start, control, end = _curve(figure, arrow)
            if not arrow.bend:
                control = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            t, u = arrow.at, 1 - arrow.at
            x, y = (u * u * a + 2 * u * t * b + t * t * c for a, b, c in zip(start, control, end))
            yield x, y, arrow.text.split("\n")


def _label_rectangle(x: float, y: float, lines: list[str]) -> Rectangle:
    width, height = max(map(len, lines)) * (CHARACTER - 0.6) + 4, len(lines) * (LINE - 1)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _label(x: float, y: float, lines: list[str]) -> str:
    left, top, right, bottom = _label_rectangle(x, y, lines)
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" fill="{PAPER}" '
        f'opacity="0.9"/>' + _text(x, y - (len(lines) - 1) * LINE / 2 + 4, lines)
    )


def _svg_of_sequence(sequence: Sequence) -> str:
    step, top = 34.0, 50.0
    columns = {name: 90 + number * sequence.spacing for number, name in enumerate(sequence.lifelines)}
    width = 180 + (len(columns) - 1) * sequence.spacing
    height = top + step * (len(sequence.steps) + 0.6)
    parts = []
    for name, x in columns.items():
        parts.append(f'<path d="M {x:g} 30 V {height - 8:g}" stroke="{INK}" stroke-dasharray="2 3"/>')
        parts.append(_box(Box(name, x, 20, name)))
    for number, (source, target, text) in enumerate(sequence.steps, 1):
        y, start, end = top + number * step, columns[source], columns[target]
        if start == end:
            parts.append(_label(start, y, text.split("\n")))
            continue
        parts.append(
            f'<path d="M {start:g} {y:g} H {end - (2 if end > start else -2):g}" stroke="{ACCENT}" fill="none" '
            f'marker-end="url(#tip)"/>'
        )
        parts.append(_label((start + end) / 2, y - 9, [text]))
    return _sheet(sequence.title, width, height, parts)


def collisions(figure: Figure) -> list[str]:
    """Name the pairs of boxes and labels that cover each other, and what leaves the sheet."""
    shown: list[tuple[str, Rectangle]] = [
        (box.key, box.rectangle) for box in figure.boxes if box.kind not in ("group", "point")
    ]
    shown += [("/".join(lines), _label_rectangle(x, y, lines)) for x, y, lines in _labels(figure)]
    found = [
        f"{name} leaves the sheet"
        for name, (left, top, right, bottom) in shown
        if left < 0 or top < 0 or right > figure.width or bottom > figure.height
    ]
    for number, (name, (left, top, right, bottom)) in enumerate(shown):
        for other, (other_left, other_top, other_right, other_bottom) in shown[number + 1 :]:
            if left < other_right and other_left < right and top < other_bottom and other_top < bottom:
                found.append(f"{name} covers {other}")
    return found
