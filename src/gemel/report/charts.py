"""Lines on axes, as the numbers that an inline SVG is made of: pixels, y downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 26
MOST_POINTS = 180

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A curve. points: as an SVG's polyline takes them. emphasized: stands out from the others."""

    label: str
    points: str
    emphasized: bool
    last: float


@dataclass(frozen=True)
class Chart:
    """Lines with their axes. x_ticks, y_ticks: pixel and words. marks: pixels in x with their words."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    note: str


def line_chart(title: str, curves: Sequence[tuple[str, bool, Points]]) -> Chart:
    """Draw curves over a common pair of axes.

    curves: label, whether it stands out, and (x, y) with x growing; at least one point in all. Curves of more than
    MOST_POINTS points show means of neighbours, which the note says.
    """
    at_once = max(math.ceil(len(points) / MOST_POINTS) for _, _, points in curves)
    thinned = [(label, stands_out, _means(points, at_once)) for label, stands_out, points in curves]
    xs = [x for _, _, points in thinned for x, _ in points]
    ys = [y for _, _, points in thinned for _, y in points]
    x_values, y_values = ticks(0.0, max(xs)), ticks(min(ys), max(ys))
    across = _scale(min(0.0, x_values[0]), max(x_values[-1], max(xs)), LEFT, WIDTH - RIGHT)
    upward = _scale(y_values[0], y_values[-1], HEIGHT - BOTTOM, TOP)
    lines = [
        Line(label, " ".join(f"{across(x):.1f},{upward(y):.1f}" for x, y in points), stands_out, points[-1][1])
        for label, stands_out, points in thinned
    ]
    return Chart(
        title,
        tuple(sorted(lines, key=lambda line: line.emphasized)),
        tuple((round(across(x), 1), f"{x:g}") for x in x_values),
        tuple((round(upward(y), 1), f"{y:g}") for y in y_values),
        f"each point the mean of {at_once} steps" if at_once > 1 else "",
    )


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about `count` steps apart evenly."""
    rough = (high - low or abs(high) or 1.0) / count
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, max(last, first + 1) + 1)]


def _means(points: Points, at_once: int) -> list[tuple[float, float]]:
    groups = [points[start : start + at_once] for start in range(0, len(points), at_once)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


@dataclass(frozen=True)
class _Scale:
    low: float
    factor: float
    start: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) * self.factor


def _scale(low: float, high: float, start: float, end: float) -> _Scale:
    return _Scale(low, (end - start) / (high - low or 1.0), start)
