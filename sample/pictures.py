"""Pictures of the sample world: an emblem of a kind, in a colour, at a place, in some light, with noise.

A picture is a 64 x 64 indexed PNG without compression over one fixed palette. So the bytes do not depend on the zlib
at hand, and every file has the same size: neither name nor size tells what it shows.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from sample.emblems import EMBLEMS
from sample.pen import Colour, Pen, Placement

SIZE = 64
OVERSAMPLING = 4
LEVELS = 6
KINDS = tuple(EMBLEMS)
COLOURS: dict[str, Colour] = {
    "red": (206, 44, 40), "orange": (236, 128, 32), "yellow": (240, 206, 60), "teal": (20, 150, 140),
    "blue": (46, 84, 196), "purple": (128, 58, 168), "pink": (236, 130, 176), "grey": (140, 142, 150),
}  # fmt: skip
PLACES: dict[str, tuple[Colour, Colour]] = {
    "beach": ((150, 208, 240), (240, 220, 170)), "meadow": ((170, 216, 244), (140, 190, 100)),
    "street": ((196, 206, 214), (150, 150, 154)), "desert": ((250, 220, 170), (222, 170, 110)),
    "snow": ((206, 224, 240), (248, 250, 252)), "studio": ((226, 222, 216), (226, 222, 216)),
}  # fmt: skip
LIGHTS: dict[str, tuple[float, float, float]] = {
    "noon": (1.0, 1.0, 1.0), "sunset": (1.04, 0.84, 0.72), "night": (0.5, 0.54, 0.74), "fog": (0.9, 0.92, 0.94),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What a picture shows. Its caption is the gold caption that may stand in place of the soft tokens."""

    kind: str
    colour: str
    place: str
    light: str

    @property
    def caption(self) -> str:
        return f"{self.colour} {self.kind} {self.place} {self.light}"


def random_scene(kind: str, rng: random.Random) -> Scene:
    """A scene of the given kind with everything else drawn at random."""
    return Scene(kind, rng.choice(list(COLOURS)), rng.choice(list(PLACES)), rng.choice(list(LIGHTS)))


def draw(scene: Scene, rng: random.Random) -> Image.Image:
    """Draw a scene: a 64 x 64 indexed image over the fixed palette."""
    size = SIZE * OVERSAMPLING
    canvas = Image.new("RGB", (size, size), PLACES[scene.place][0])
    pencil = ImageDraw.Draw(canvas)
    pencil.rectangle((0, round(size * rng.uniform(0.55, 0.75)), size, size), fill=PLACES[scene.place][1])
    placement = Placement(
        scale=rng.uniform(0.7, 0.95),
        shift=(rng.uniform(-0.07, 0.07), rng.uniform(-0.06, 0.06)),
        tilt=rng.uniform(-0.12, 0.12),
        mirror=rng.choice((-1, 1)),
    )
    EMBLEMS[scene.kind](Pen(pencil, size, placement), COLOURS[scene.colour], rng)
    pixels = np.asarray(canvas.reduce(OVERSAMPLING), dtype=np.float64) * np.array(LIGHTS[scene.light])
    if scene.light == "fog":
        pixels = pixels * 0.55 + 225 * 0.45
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(4, 15), pixels.shape)
    return _indexed(np.clip(pixels + grain, 0, 255))


def png_bytes(image: Image.Image) -> bytes:
    """The file's bytes, the same for the same picture on any machine."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()


def _indexed(pixels: np.ndarray) -> Image.Image:
    """Round each channel to 6 levels; index = red * 36 + green * 6 + blue."""
    levels = np.rint(pixels / 255 * (LEVELS - 1)).astype(np.uint8)
    image = Image.fromarray(levels @ np.array([36, 6, 1], dtype=np.uint8))
    steps = [round(255 * level / (LEVELS - 1)) for level in range(LEVELS)]
    image.putpalette([value for r in steps for g in steps for b in steps for value in (r, g, b)])
    return image
