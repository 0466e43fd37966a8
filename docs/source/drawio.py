"""A draw.io file as SVG: the boxes, cylinders, texts and straight-angled arrows that ours uses.

The file can be edited in draw.io; `make docs` then draws it anew. Whatever it uses that is not
understood here is an error, and not a picture that lacks something.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import NamedTuple

_MARGIN = 20
_LINE = 1.3  # of the font's size
_SHAPES = {"", "cylinder3"}
_FONT = "font-family='Helvetica, Arial, sans-serif'"
_MARKER = (
    "<marker id='arrow' viewBox='0 0 10 10' refX='10' refY='5' markerWidth='8' markerHeight='8' "
    "orient='auto-start-reverse'><path d='M0 0 10 5 0 10z' fill='#444'/></marker>"
)


class DrawingError(ValueError):
    """The drawing uses what cannot be drawn here."""


class Point(NamedTuple):
    """A place in the drawing."""

    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """A shape with its text."""

    x: float
    y: float
    width: float
    height: float
    text: str
    style: Mapping[str, str]

    def at(self, share_x: float, share_y: float) -> Point:
        """A place on it: 0, 0 is its upper left corner and 1, 1 its lower right one."""
        return Point(self.x + share_x * self.width, self.y + share_y * self.height)


def as_svg(drawing: str) -> str:
    """The first page of a draw.io file as SVG."""
    cells = list(ET.fromstring(drawing).iter("mxCell"))  # noqa: S314 our own file
    boxes = {cell.get("id", ""): _box(cell) for cell in cells if cell.get("vertex")}
    parts = [part for box in boxes.values() for part in _draw_box(box)]
    for cell in cells:
        if cell.get("edge"):
            parts += _draw_edge(cell, boxes)
    width = max(box.x + box.width for box in boxes.values()) + _MARGIN
    height = max(box.y + box.height for box in boxes.values()) + _MARGIN
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' "
        f"width='{width:g}' height='{height:g}' {_FONT}>"
    )
    paper = f"<rect width='{width:g}' height='{height:g}' fill='#fff'/>"
    return "\n".join([head, f"<defs>{_MARKER}</defs>", paper, *parts, "</svg>\n"])


def _style(cell: ET.Element) -> dict[str, str]:
    entries = [part.partition("=") for part in cell.get("style", "").split(";") if part]
    return {key: value or "1" for key, _, value in entries}


def _box(cell: ET.Element) -> Box:
    geometry, style = cell.find("mxGeometry"), _style(cell)
    if geometry is None or cell.get("parent") != "1":
        raise DrawingError(f"cell {cell.get('id')} has no place on the page itself")
    if style.get("shape", "") not in _SHAPES:
        raise DrawingError(f"cell {cell.get('id')}: shape {style['shape']!r} cannot be drawn")
    x, y, width, height = (float(geometry.get(k, 0)) for k in ("x", "y", "width", "height"))
    return Box(x, y, width, height, cell.get("value", ""), style)


def _draw_box(box: Box) -> Iterator[str]:
    line = _line_style(box.style)
    if box.style.get("shape") == "cylinder3":
        rim = float(box.style.get("size", 10))
        right, top, bottom = box.x + box.width, box.y + rim, box.y + box.height - rim
        arc = f"A{box.width / 2:g} {rim:g} 0 0"
        body = (
            f"M{box.x:g} {top:g}{arc} 1 {right:g} {top:g}V{bottom:g}{arc} 1 {box.x:g} {bottom:g}z"
        )
        yield f"<path d='{body}' {line}/>"
        yield f"<path d='M{box.x:g} {top:g}{arc} 0 {right:g} {top:g}' {line} fill-opacity='0'/>"
    elif "text" not in box.style:
        radius = min(10.0, box.height * 0.12) if box.style.get("rounded") == "1" else 0
        yield (
            f"<rect x='{box.x:g}' y='{box.y:g}' width='{box.width:g}' height='{box.height:g}' "
            f"rx='{radius:g}' {line}/>"
        )
    yield from _draw_text(box)


def _line_style(style: Mapping[str, str]) -> str:
    dashed = " stroke-dasharray='5 4'" if style.get("dashed") == "1" else ""
    fill, stroke = style.get("fillColor", "#ffffff"), style.get("strokeColor", "#000000")
    return f"fill='{fill}' stroke='{stroke}'{dashed}"


def _draw_text(box: Box) -> Iterator[str]:
    size = float(box.style.get("fontSize", 12))
    lines = list(_wrapped(box.text, box.width / (size * 0.52)))
    face = int(box.style.get("fontStyle", 0))
    kind = (" font-weight='bold'" if face & 1 else "") + (
        " font-style='italic'" if face & 2 else ""
    )
    left = box.style.get("align") == "left"
    x, anchor = (box.x, "start") if left else (box.x + box.width / 2, "middle")
    top = box.y + 6
    if box.style.get("verticalAlign") != "top":
        rim = float(box.style.get("size", 0))
        top = box.y + (box.height + rim - len(lines) * size * _LINE) / 2
    for number, line in enumerate(lines):
        y = top + (number * _LINE + 1.05) * size
        yield (
            f"<text x='{x:g}' y='{y:.1f}' font-size='{size:g}' text-anchor='{anchor}'{kind}>"
            f"{escape(line)}</text>"
        )


def _wrapped(text: str, width: float) -> Iterator[str]:
    """Lines of at most `width` letters, broken between words."""
    for line in text.splitlines():
        words, current = line.split(" "), ""
        for word in words:
            if current and len(current) + 1 + len(word) > width:
                yield current
                current = word
            else:
                current = f"{current} {word}" if current else word
        yield current


def _draw_edge(cell: ET.Element, boxes: Mapping[str, Box]) -> Iterator[str]:
    style = _style(cell)
    try:
        start = boxes[cell.attrib["source"]].at(float(style["exitX"]), float(style["exitY"]))
        end = boxes[cell.attrib["target"]].at(float(style["entryX"]), float(style["entryY"]))
    except KeyError as error:
        raise DrawingError(f"arrow {cell.get('id')} is not fixed to two boxes: {error}") from None
    bends = [Point(float(p.attrib["x"]), float(p.attrib["y"])) for p in cell.iter("mxPoint")]
    points = _right_angles(cell.get("id", ""), [start, *bends, end])
    path = " ".join(f"{p.x:g},{p.y:g}" for p in points)
    dashed = " stroke-dasharray='5 4'" if style.get("dashed") == "1" else ""
    both = " marker-start='url(#arrow)'" if style.get("startArrow", "none") != "none" else ""
    yield (
        f"<polyline points='{path}' fill='none' stroke='#444' stroke-width='1.4'{dashed}{both} "
        "marker-end='url(#arrow)'/>"
    )
    if cell.get("value"):
        yield _label(cell.get("value", ""), points, float(style.get("fontSize", 11)))


def _right_angles(name: str, points: list[Point]) -> list[Point]:
    """The same points; an arrow that would lie askew is an error, because draw.io bends it."""
    for a, b in pairwise(points):
        if abs(a.x - b.x) > 1 and abs(a.y - b.y) > 1:
            raise DrawingError(f"arrow {name} lies askew from {a} to {b}; give it a bend")
    return points


def _label(text: str, points: list[Point], size: float) -> str:
    longest = max(pairwise(points), key=lambda ab: abs(ab[0].x - ab[1].x))
    x, y = (longest[0].x + longest[1].x) / 2, (longest[0].y + longest[1].y) / 2
    return (
        f"<text x='{x:g}' y='{y - 5:g}' font-size='{size:g}' text-anchor='middle' "
        f"fill='#444'>{escape(text)}</text>"
    )
