"""Charts as SVG that takes its colors from the page, so both themes are right."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10

SERIES = 8
"""Colors that the style sheet has for series; further ones repeat with another mark."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 12, 14, 44


@dataclass(frozen=True)
class Axis:
    """A range of values with its name; a unit belongs into the name."""

    name: str
    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        if self.log:
            return log10(value / self.low) / log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round values inside the range."""
        if self.log:
            powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            found = [m * 10.0**p for p in powers for m in (1, 2, 5)]
            inside = [value for value in found if self.low <= value <= self.high]
            return inside if len(inside) <= 2 * wanted else inside[::3]
        step = 10.0 ** floor(log10((self.high - self.low) / wanted))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (step * m) <= wanted)
        first = ceil(self.low / step - 1e-9)
        return [step * index for index in range(first, floor(self.high / step + 1e-9) + 1)]


def padded(name: str, values: Sequence[float], log: bool = False) -> Axis:
    """An axis around values, with some room."""
    low, high = min(values), max(values)
    if log:
        return Axis(name, low / 1.5, high * 1.5, log=True)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(name, low - room, high + room)


@dataclass
class Chart:
    """A chart with two axes; what is drawn later lies above."""

    x: Axis
    y: Axis
    width: int = 390
    height: int = 270
    parts: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Position of a value."""
        across, up = self.x.place(x), self.y.place(y)
        return (
            _LEFT + across * (self.width - _LEFT - _RIGHT),
            self.height - _BOTTOM - up * (self.height - _TOP - _BOTTOM),
        )

    def frame(self) -> None:
        """Grid lines, ticks and the axes' names."""
        bottom, right = self.height - _BOTTOM, self.width - _RIGHT
        for value in self.x.ticks():
            x, _ = self.at(value, self.y.low)
            self.parts.append(f'<path class="rule" d="M{x:.1f} {_TOP}V{bottom}"/>')
            self.text(x, bottom + 16, tick(value), "middle", "tick")
        for value in self.y.ticks():
            _, y = self.at(self.x.low, value)
            self.parts.append(f'<path class="rule" d="M{_LEFT} {y:.1f}H{right}"/>')
            self.text(_LEFT - 6, y + 4, tick(value), "end", "tick")
        self.text((_LEFT + right) / 2, self.height - 8, self.x.name, "middle", "name")
        middle = (_TOP + bottom) / 2
        turn = f' transform="rotate(-90 13 {middle:.1f})"'
        self.text(13, middle, self.y.name, "middle", "name", turn)

    def line(self, points: Sequence[tuple[float, float]], series: int, css: str = "") -> None:
        """A line through values."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        self.parts.append(f'<polyline class="line {css} {color(series)}" points="{path}"/>')

    def dot(self, x: float, y: float, series: int, radius: float = 5, title: str = "") -> None:
        """A point with a tooltip; series beyond the colors are squares."""
        cx, cy = self.at(x, y)
        self.parts.append(dot(cx, cy, series, radius, title))

    def text(
        self, x: float, y: float, words: str, anchor: str = "start", css: str = "", more: str = ""
    ) -> None:
        """Words at a position."""
        self.parts.append(text(x, y, words, anchor, css, more))

    def svg(self, alt: str) -> str:
        """The finished picture."""
        return picture(self.width, self.height, self.parts, alt)


def picture(width: float, height: float, parts: Sequence[str], alt: str) -> str:
    """An SVG element that screen readers announce as one image."""
    view = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    label = escape(alt, quote=True)
    return f'<svg class="chart" {view} role="img" aria-label="{label}">{"".join(parts)}</svg>'


def dot(x: float, y: float, series: int, radius: float = 5, title: str = "") -> str:
    """A mark: a circle, or a square for series beyond the colors."""
    shown = f"<title>{escape(title)}</title>" if title else ""
    if series < SERIES:
        place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
        return f'<circle class="dot {color(series)}" {place}>{shown}</circle>'
    place = f'x="{x - radius:.1f}" y="{y - radius:.1f}"'
    size = f'width="{2 * radius:.1f}" height="{2 * radius:.1f}"'
    return f'<rect class="dot {color(series)}" {place} {size}>{shown}</rect>'


def text(
    x: float, y: float, words: str, anchor: str = "start", css: str = "", more: str = ""
) -> str:
    """Words at a position; `more` are attributes."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} class="{css}"{more}>{escape(words)}</text>'


def color(series: int) -> str:
    """The style sheet's class of a series."""
    return f"s{series % SERIES}"


def tick(value: float) -> str:
    """A tick's number, short.

    >>> tick(0.30000000000000004), tick(2000.0), tick(20000.0)
    ('0.3', '2000', '20k')
    """
    if abs(value) >= 1e4:
        return f"{value / 1e3:.4g}k"
    return f"{0.0 if abs(value) < 1e-12 else value:.4g}"
