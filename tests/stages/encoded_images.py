"""How many images a stage encodes."""

import pytest
from torch import Tensor

from gemel.features.encoder import VisionEncoder
from gemel.features.tower import Vectors


def encoded_images(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by the size of each batch that is encoded from now on."""
    sizes: list[int] = []
    encode = VisionEncoder.encode_pixels

    def counted(encoder: VisionEncoder, pixels: Tensor) -> Vectors:
        sizes.append(len(pixels))
        return encode(encoder, pixels)

    monkeypatch.setattr(VisionEncoder, "encode_pixels", counted)
    return sizes
