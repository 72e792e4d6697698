"""A pen over a Pillow canvas: unit coordinates, one placement (scale, shift, tilt, mirror) for a whole drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Placement:
    """Where and how large a drawing stands. shift in canvas widths; tilt in radians; mirror is 1 or -1."""

    scale: float = 1.0
    shift: Point = (0.0, 0.0)
    tilt: float = 0.0
    mirror: int = 1


class Pen:
    """Draws in unit coordinates, (0, 0) top left to (1, 1) bottom right, onto a square canvas of `size` pixels."""

    def __init__(self, canvas: ImageDraw.ImageDraw, size: int, place: Placement) -> None:
        self._canvas, self._size, self._place = canvas, size, place

    def _at(self, point: Point) -> Point:
        x, y = (point[0] - 0.5) * self._place.mirror, point[1] - 0.5
        cos, sin = math.cos(self._place.tilt), math.sin(self._place.tilt)
        x, y = x * cos - y * sin, x * sin + y * cos
        unit = self._size * self._place.scale
        middle_x, middle_y = (0.5 + shift for shift in self._place.shift)
        return x * unit + middle_x * self._size, y * unit + middle_y * self._size

    def shape(self, points: Sequence[Point], fill: Colour) -> None:
        """A filled polygon."""
        self._canvas.polygon([self._at(point) for point in points], fill=fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """A polyline with round corners; width in canvas widths."""
        pixels = max(1, round(width * self._size * self._place.scale))
        self._canvas.line([self._at(point) for point in points], fill=fill, width=pixels, joint="curve")

    def oval(self, middle: Point, radii: Point, fill: Colour, tilt: float = 0.0) -> None:
        """A filled ellipse, as a polygon so that it can be tilted."""
        self.shape(_ellipse(middle, radii, tilt), fill)

    def ring(self, middle: Point, radii: Point, fill: Colour, width: float, tilt: float = 0.0) -> None:
        """The outline of an ellipse."""
        points = _ellipse(middle, radii, tilt)
        self.line([*points, points[0], points[1]], fill, width)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A filled rectangle."""
        self.shape([(left, top), (right, top), (right, bottom), (left, bottom)], fill)


def _ellipse(middle: Point, radii: Point, tilt: float) -> list[Point]:
    cos, sin = math.cos(tilt), math.sin(tilt)
    points = []
    for step in range(28):
        angle = step / 28 * 2 * math.pi
        x, y = radii[0] * math.cos(angle), radii[1] * math.sin(angle)
        points.append((middle[0] + x * cos - y * sin, middle[1] + x * sin + y * cos))
    return points
