"""A contact sheet: a row of pictures for each visual kind, so that a person can judge whether they differ."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

from sample.pictures import KINDS, SIZE, draw, random_scene

COLUMNS = 8


def contact_sheet(seed: int = 0) -> Image.Image:
    """Two kinds a row, eight pictures of each, with the kind's name beside them."""
    rng = random.Random(seed)
    width, label = COLUMNS * SIZE, 90
    sheet = Image.new("RGB", (2 * (width + label), (len(KINDS) + 1) // 2 * SIZE), "white")
    pencil = ImageDraw.Draw(sheet)
    for number, kind in enumerate(KINDS):
        left, top = number % 2 * (width + label), number // 2 * SIZE
        pencil.text((left + 6, top + SIZE // 2 - 5), kind, fill="black")
        for column in range(COLUMNS):
            sheet.paste(draw(random_scene(kind, rng), rng).convert("RGB"), (left + label + column * SIZE, top))
    return sheet


if __name__ == "__main__":
    contact_sheet().save(Path(sys.argv[1] if len(sys.argv) > 1 else "contact_sheet.png"))
