"""Charts as SVG that takes its colors from the page, so both themes are right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from math import ceil, floor, log10

_COLORS = 8  # that the style sheet has
_SHAPES = ("circle", "square", "triangle", "diamond")
_TOP, _TITLE, _RIGHT, _BOTTOM = 12, 22, 14, 44
_LETTER = 7.8  # mean width in wide fonts at 12 px
_LONGEST = 32  # letters of a name
_WIDE = 480  # what is wider is not shrunk to a phone, but scrolled


@dataclass(frozen=True)
class Axis:
    """A range of values with its name; a unit belongs into the name.

    log: whether equal ratios have equal lengths.
    whole: whether only whole numbers have a meaning.
    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

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
        step = max(step, 1.0) if self.whole else step
        first = ceil(self.low / step - 1e-9)
        return [step * index for index in range(first, floor(self.high / step + 1e-9) + 1)]

    def labeled_ticks(self) -> list[tuple[float, str]]:
        """The ticks with their texts, all with as many digits as tell them apart.

        >>> Axis("loss", 2.1824, 2.1826).labeled_ticks()[:2]
        [(2.1824, '2.18240'), (2.18245, '2.18245')]
        """
        values = self.ticks()
        if self.log or len(values) < 2 or max(map(abs, values)) >= 1e4:
            return [(value, tick(value)) for value in values]
        digits = max(0, ceil(-log10(values[1] - values[0]) - 1e-9))
        return [
            (round(value, digits), f"{round(value, digits) + 0.0:.{digits}f}") for value in values
        ]


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
    width: float = 390
    height: float = 270
    title: str = ""
    parts: list[str] = field(default_factory=list)

    @cached_property
    def left(self) -> float:
        """Room for the ticks and the name of the vertical axis."""
        return max(56.0, 30 + text_width(words for _, words in self.y.labeled_ticks()))

    @property
    def top(self) -> float:
        """Room for the title."""
        return _TOP + (_TITLE if self.title else 0)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Position of a value."""
        across, up = self.x.place(x), self.y.place(y)
        return (
            self.left + across * (self.width - self.left - _RIGHT),
            self.height - _BOTTOM - up * (self.height - self.top - _BOTTOM),
        )

    def frame(self) -> None:
        """Title, grid lines, ticks and the axes' names."""
        bottom, right = self.height - _BOTTOM, self.width - _RIGHT
        for value, words in self.x.labeled_ticks():
            x, _ = self.at(value, self.y.low)
            self.parts.append(f'<path class="rule" d="M{x:.1f} {self.top}V{bottom}"/>')
            self.text(x, bottom + 16, words, "middle", "tick")
        for value, words in self.y.labeled_ticks():
            _, y = self.at(self.x.low, value)
            self.parts.append(f'<path class="rule" d="M{self.left:.1f} {y:.1f}H{right}"/>')
            self.text(self.left - 6, y + 4, words, "end", "tick")
        self.text((self.left + right) / 2, self.height - 8, self.x.name, "middle", "name")
        middle = (self.top + bottom) / 2
        turn = f' transform="rotate(-90 13 {middle:.1f})"'
        self.text(13, middle, self.y.name, "middle", "name", turn)
        if self.title:
            self.text(8, 18, self.title, css="name")

    def line(self, points: Sequence[tuple[float, float]], series: int, css: str = "") -> None:
        """A line through values."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        self.parts.append(f'<polyline class="line {css} {color(series)}" points="{path}"/>')

    def dot(self, x: float, y: float, series: int, radius: float = 5, title: str = "") -> None:
        """A point with a tooltip."""
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
    css = "chart wide" if width > _WIDE else "chart"
    return f'<svg class="{css}" {view} role="img" aria-label="{label}">{"".join(parts)}</svg>'


def dot(
    x: float, y: float, series: int, radius: float = 5, title: str = "", css: str = "dot"
) -> str:
    """The mark of a series: no two of the first 32 have both color and shape in common."""
    shown = f"<title>{escape(title)}</title>" if title else ""
    r = radius
    path = {
        "circle": f"M{x - r:.1f} {y:.1f}a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0"
        f"a{r:.1f} {r:.1f} 0 1 0 {-2 * r:.1f} 0z",
        "square": f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}v{2 * r:.1f}h{-2 * r:.1f}z",
        "triangle": f"M{x:.1f} {y - 1.2 * r:.1f}l{1.2 * r:.1f} {2.1 * r:.1f}h{-2.4 * r:.1f}z",
        "diamond": f"M{x:.1f} {y - 1.3 * r:.1f}l{1.3 * r:.1f} {1.3 * r:.1f} {-1.3 * r:.1f} "
        f"{1.3 * r:.1f} {-1.3 * r:.1f} {-1.3 * r:.1f}z",
    }[_shape(series)]
    return f'<path class="{css} {color(series)}" d="{path}">{shown}</path>'


def text(
    x: float, y: float, words: str, anchor: str = "start", css: str = "", more: str = ""
) -> str:
    """Words at a position; `more` are attributes."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} class="{css}"{more}>{escape(words)}</text>'


def color(series: int) -> str:
    """The style sheet's class of a series' color."""
    return f"s{series % _COLORS}"


def mark(series: int) -> str:
    """The style sheet's classes of a series' color and shape.

    >>> mark(0), mark(9)
    ('s0 circle', 's1 square')
    """
    return f"{color(series)} {_shape(series)}"


def _shape(series: int) -> str:
    return _SHAPES[series // _COLORS % len(_SHAPES)]


def short_name(name: str) -> str:
    """A name that has room beside a chart: the middle of a long one is left out."""
    if len(name) <= _LONGEST:
        return name
    kept = (_LONGEST - 1) // 2
    return f"{name[:kept]}…{name[-kept:]}"


def text_width(texts: Iterable[str]) -> float:
    """About how wide the longest text is, in the page's font at 12 px."""
    return _LETTER * max(map(len, texts), default=0)


def tick(value: float) -> str:
    """A tick's number, short.

    >>> tick(0.30000000000000004), tick(2000.0), tick(20000.0)
    ('0.3', '2k', '20k')
    """
    if abs(value) >= 1e3:
        return f"{value / 1e3:.4g}k"
    return f"{0.0 if abs(value) < 1e-12 else value:.4g}"
