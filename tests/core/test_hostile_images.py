"""Whatever an image file holds, it is read or refused by name. The long form is `python -m benchmarks.images`."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile_images import ODDITIES, encodings, mutated
from gemel.core.errors import ImageError
from gemel.core.images import decode_image

# Pillow warns of much that it repairs in damaged files.
pytestmark = pytest.mark.filterwarnings("ignore")
MUTATED = 400


def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8))


def test_each_encoding_is_read_before_it_is_damaged() -> None:
    for image in encodings(picture()):
        decoded = decode_image(image, "whole")
        assert (decoded.mode, decoded.size) == ("RGB", (24, 24))


def test_mutated_images_are_read_or_refused() -> None:
    rng = np.random.default_rng(0)
    images = encodings(picture())
    refused = 0
    for _ in range(MUTATED):
        try:
            assert decode_image(mutated(rng, images), "mutated").mode == "RGB"
        except ImageError as error:
            assert str(error).startswith("mutated: ")
            refused += 1
    assert 0 < refused < MUTATED


@pytest.mark.parametrize("name", ODDITIES)
def test_oddity_is_read_or_refused(name: str) -> None:
    oddity = ODDITIES[name]
    data = oddity.build()
    if oddity.refused is None:
        assert decode_image(data, name).mode == "RGB"
    else:
        with pytest.raises(ImageError, match=oddity.refused):
            decode_image(data, name)
